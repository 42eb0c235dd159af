"""Output schemas: what an answer must be, the check of what a model wrote, the way back from plain data, and rows.

`OutputSchema.of` is called by the agent when a run is launched, `validate_text` by the loop on the background
thread, `rebuild` and `to_frame` wherever a run is read, on any thread. pandas and jsonschema are imported with
their first use.

    define.py   a schema from a type or dict; text to value; value to data and back
    answer.py   the JSON value in a model's text
    names.py    types by name, as stored and as sent
    rows.py     a value as rows of a table
"""

from __future__ import annotations

from nbagent.schemas.answer import InvalidOutputError
from nbagent.schemas.define import OutputSchema, Validated, data_of, rebuild
from nbagent.schemas.names import type_name
from nbagent.schemas.rows import rows_of, to_frame

__all__ = [
    "InvalidOutputError",
    "OutputSchema",
    "Validated",
    "data_of",
    "rebuild",
    "rows_of",
    "to_frame",
    "type_name",
]
