"""Python functions as tools: their JSON Schema, the check of what a model wrote, their results as text.

Called by `agent.py` when an agent is built (`tools_of`) and by the loop for each call a model asks for
(`parse_arguments`, `render_result`), on any thread. How a tool is run (thread, time limit, retries) is the
runtime's business; `ToolOptions` carries what the user said about it.

    tool_types.py  `Tool` and what a user said about one
    definition.py  `@tool`, and which functions an object stands for
    foreign.py     tools of other frameworks
    signature.py   signature and docstring to JSON Schema and validator
    docstring.py   what a docstring tells a model
    arguments.py   a model's JSON text to keyword arguments
"""

from __future__ import annotations

from nbagent.prompts import render_result
from nbagent.tools.arguments import ToolArgumentsError, parse_arguments, plain_arguments
from nbagent.tools.definition import expand_sources, tool, tools_of
from nbagent.tools.tool_types import Tool, ToolOptions

__all__ = [
    "Tool",
    "ToolArgumentsError",
    "ToolOptions",
    "expand_sources",
    "parse_arguments",
    "plain_arguments",
    "render_result",
    "tool",
    "tools_of",
]
