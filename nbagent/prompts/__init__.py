"""What goes to a model as text: templates, attachments, instructions, values rendered. Any thread.

templates.py     Jinja prompts, strict and sandboxed      template_filters.py  missing values and bounds in them
attachments.py   files, tables and values with a prompt   instructions.py      an agent's instructions as text
rendering.py     Python values as text for a model
"""

from nbagent.prompts.attachments import (
    Attachment,
    attach_value,
    attachment_of,
    attachments_of,
    file_of,
    files_of,
    filled_with,
    prompt_with,
)
from nbagent.prompts.instructions import Instructions, check_instructions, instructions_text
from nbagent.prompts.rendering import MISSING, is_missing, json_schema_of, json_text, render_result
from nbagent.prompts.templates import BY_NAMES, IN_A_CELL, FilledText, calls_anything, render, variables_in

__all__ = [
    "BY_NAMES",
    "IN_A_CELL",
    "MISSING",
    "Attachment",
    "FilledText",
    "Instructions",
    "attach_value",
    "attachment_of",
    "attachments_of",
    "calls_anything",
    "check_instructions",
    "file_of",
    "files_of",
    "filled_with",
    "instructions_text",
    "is_missing",
    "json_schema_of",
    "json_text",
    "prompt_with",
    "render",
    "render_result",
    "variables_in",
]
