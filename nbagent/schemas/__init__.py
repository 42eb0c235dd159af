"""Output schemas: what an answer must be, the check of what a model wrote, the way back from plain data, and rows.

An answer is validated once and its value kept, with its JSON as the model wrote it; only another process, the
cache or a resume validates that JSON again. `OutputSchema.of` is called by the agent when a run is launched,
`check_text` by the loop, `from_plain` and `to_frame` wherever a run is read, on any thread but the loop's.
pandas and jsonschema_rs are imported with their first use.

    output_schema.py   a schema from a type or dict; text to value
    validation.py      data against a JSON Schema, a server's own too
    extract_json.py    the JSON value in a model's text
    user_code.py       whether a check calls functions of the user
    deadline.py        those checks, off the loop and bounded; stored answers in their types again
    type_names.py      types by name, as stored and as sent
    rows.py            a value as rows of a table
    answer_columns.py  the columns that a schema's answers have
    typed_frames.py    answers as those columns
"""

from __future__ import annotations

from nbagent.schemas.answer_columns import Column, Explode, Layout, layout_of
from nbagent.schemas.deadline import Stored, check_text, from_plain, read_part, read_stored
from nbagent.schemas.extract_json import InvalidOutputError
from nbagent.schemas.output_schema import OutputSchema, named, to_plain
from nbagent.schemas.rows import fields_of, rows_of
from nbagent.schemas.type_names import class_named, type_name
from nbagent.schemas.typed_frames import column_of, columns_of, to_frame
from nbagent.schemas.validation import SchemaChecker, WrongSchemaError

__all__ = [
    "Column",
    "Explode",
    "InvalidOutputError",
    "Layout",
    "OutputSchema",
    "SchemaChecker",
    "Stored",
    "WrongSchemaError",
    "check_text",
    "class_named",
    "column_of",
    "columns_of",
    "fields_of",
    "from_plain",
    "layout_of",
    "named",
    "read_part",
    "read_stored",
    "rows_of",
    "to_frame",
    "to_plain",
    "type_name",
]
