"""What the demo model does in a notebook: it lists the variables, looks at the one that is asked about, proposes code. Pure.

Which code goes with which question is data in `script.toml` (`[[code]]`). It knows the notebook's tools by their names.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson

from nbagent.demo.facts import SCRIPT
from nbagent.demo.request import Request, ToolCall, ToolResult, Turn, load_json

_LIST, _LOOK, _RUN = "list_variables", "look_at", "run_python"
_DATA: Final = re.compile(r"<data (\w+)>\n(.*?)\n</data \1>", re.DOTALL)
_LISTED: Final = re.compile(r"^(\w+): .*look_at shows it$", re.MULTILINE)
_LONGEST: Final = 1_500


def notebook_calls(request: Request, turn: Turn) -> tuple[ToolCall, ...] | None:
    """Return the next call of a notebook's tools; none once all is done, None where the prompt is about something else."""
    offered = {tool["name"] for tool in request.tools}
    rule = _rule(turn)
    if _LIST not in offered or rule is None:
        return None
    done = {call.name for call in turn.called}
    name = _asked_about(turn)
    if name is None and _LIST not in done:
        return (_call(turn, _LIST, {}),)
    if name is None:
        return ()
    if _LOOK in offered and _LOOK not in done and name not in _looked_at(turn):
        return (_call(turn, _LOOK, {"name": name}),)
    if _RUN in offered and _RUN not in done:
        return (_call(turn, _RUN, {"code": _code(rule, turn, name)}),)
    return ()


def notebook_answer(turn: Turn) -> str | None:
    """Return what is said of the notebook once its tools have answered; None where they were not called."""
    results = {result.name: result for result in turn.results}
    if _LIST not in results and _LOOK not in results and _RUN not in results:
        return None
    if (ran := results.get(_RUN)) is not None:
        if ran.error is not None:
            return f"The code was not run. {ran.error.splitlines()[0].removeprefix('Error: ')}."
        return f"I looked at {_asked_about(turn)}, and this is what the approved code gave:\n\n{_told(ran)}"
    shown = results.get(_LOOK) or results[_LIST]
    return _told(shown)


def _rule(turn: Turn) -> dict[str, str] | None:
    return next((rule for rule in SCRIPT["code"] if re.search(rule["when"], turn.prompt, re.I)), None)


def _code(rule: dict[str, str], turn: Turn, name: str) -> str:
    """Return the rule's code about this variable; `VALUE` is the first group of what was asked."""
    found = re.search(rule["when"], turn.prompt, re.I)
    value = next((group for group in (found.groups() if found else ()) if group), "")
    return rule["code"].strip().replace("NAME", name).replace("VALUE", value.strip())


def _asked_about(turn: Turn) -> str | None:
    """Return the variable that the prompt names of those that were listed, else the one that was looked at before."""
    listed = [name for one in turn.results if one.name == _LIST for name in _LISTED.findall(str(one.value))]
    named = [name for name in listed if re.search(rf"\b{name}\b", turn.prompt)]
    return next(iter((*named, *listed, *reversed(_looked_at(turn)))), None)


def _looked_at(turn: Turn) -> list[str]:
    """Return the variables that were looked at before this turn."""
    asked: list[Any] = [
        load_json(call.arguments)
        for message in turn.history
        for call in message.tool_calls
        if call.name == _LOOK
    ]
    return [one["name"] for one in asked if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _told(result: ToolResult) -> str:
    """Return what stands between a notebook tool's marks."""
    parts = [body.strip() for _, body in _DATA.findall(str(result.value))]
    return "\n\n".join(parts)[:_LONGEST] or str(result.value)[:_LONGEST]


def _call(turn: Turn, name: str, arguments: dict[str, str]) -> ToolCall:
    text = orjson.dumps(arguments).decode()
    seed = f"{len(turn.history)}|{turn.prompt}|{name}|{text}"
    return ToolCall(f"call_{hashlib.sha256(seed.encode(errors='replace')).hexdigest()[:24]}", name, text)
