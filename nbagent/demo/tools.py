"""Which of the offered tools a prompt asks for, and with what arguments. Pure functions, any thread.

A tool is chosen by the words of its name and description, an argument by its parameter's name and type. What is called
follows from the prompt alone, and a call that was made in this turn is not made again, so every conversation ends.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson

from nbagent.demo.facts import SCRIPT, names_in, stems
from nbagent.demo.fill import coerce, fits, kinds_of, resolved, values_in
from nbagent.demo.request import Request, ToolCall, Turn, load_json

_SCRIPT: Final = SCRIPT["tools"]
_SILENT: Final = stems(_SCRIPT["silent"]) | stems(_SCRIPT["hands_over"])
_ALIKE: Final = tuple(map(stems, _SCRIPT["alike"]))
_QUOTED: Final = re.compile(r"[\"“`]([^\"”`\n]+)[\"”`]|(?<!\w)'([^'\n]+)'(?!\w)")
_MOST_CALLS: Final = 32

Tool = dict[str, Any]  # a function as on the wire


def choose_calls(request: Request, turn: Turn) -> tuple[ToolCall, ...]:
    """Give the tool calls to make now; none if the prompt asks for none or all were made."""
    if request.body.get("tool_choice") == "none" or re.search(_SCRIPT["none_wanted"], turn.prompt, re.I):
        return ()
    made = {(call.name, _canonical(load_json(call.arguments))) for call in turn.called}
    calls = []
    for tool, arguments in _wanted(request, turn):
        text = _canonical(arguments)
        if (tool["name"], text) not in made:
            made.add((tool["name"], text))
            seed = f"{len(request.messages)}|{turn.prompt}|{tool['name']}|{text}"
            call_id = f"call_{hashlib.sha256(seed.encode(errors='replace')).hexdigest()[:24]}"
            calls.append(ToolCall(call_id, tool["name"], text))
    return tuple(calls[: None if request.body.get("parallel_tool_calls", True) else 1])


def _canonical(arguments: Any) -> str:
    return orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS).decode()


def _wanted(request: Request, turn: Turn) -> list[tuple[Tool, dict[str, Any]]]:
    is_team = bool(request.tools) and all(map(_is_member, request.tools))
    chosen = _members(request.tools, turn) if is_team else _fitting(request.tools, turn.prompt)
    return [(tool, arguments) for tool in chosen for arguments in argument_sets(tool, turn.prompt)]


def _members(tools: tuple[Tool, ...], turn: Turn) -> list[Tool]:
    """Give the members of a team to ask: those named, or all; where only one is to be asked, the best."""
    words = _words(turn.prompt)
    if re.search(_SCRIPT["one_member"], turn.system, re.I):
        suits = [(_score(t, turn.prompt)[0], len((stems(t["description"]) - _SILENT) & words)) for t in tools]
        return [] if turn.called else [tools[suits.index(max(suits))]]
    return [tool for tool in tools if (stems(tool["name"]) - _SILENT) & stems(turn.prompt)] or list(tools)


def _is_member(tool: Tool) -> bool:
    """Say whether a tool stands for one member of a team: all that it takes is a task."""
    takes = tool["parameters"].get("properties", {})
    is_task = len(takes) == 1 and bool(stems(next(iter(takes))) & stems(_SCRIPT["task"]))
    return is_task and bool(stems(tool["name"]) & stems(_SCRIPT["hands_over"]))


def _fitting(tools: tuple[Tool, ...], prompt: str) -> list[Tool]:
    """Give the tools that a prompt asks for, best first; a further one must add something."""
    scored = [(tool, *_score(tool, prompt)) for tool in tools]
    chosen: list[Tool] = []
    covered: frozenset[str] = frozenset()
    for tool, score, words in sorted(scored, key=lambda one: -one[1]):
        if score > 0 and (not chosen or words - covered):
            chosen.append(tool)
            covered |= _alike(words)
    return chosen


def _words(prompt: str) -> frozenset[str]:
    signs = {name for name, pattern in _SCRIPT["signs"].items() if re.search(pattern, prompt)}
    return _alike(stems(prompt) - _SILENT | stems(" ".join(signs)))


def _alike(words: frozenset[str]) -> frozenset[str]:
    return words.union(*(group for group in _ALIKE if group & words))


def _score(tool: Tool, prompt: str) -> tuple[float, frozenset[str]]:
    """Score how well a tool fits, and give its words that the prompt asks for."""
    named = stems(tool["name"]) - _SILENT
    if len(tool["name"]) > 3 and re.search(rf"(?<!\w){re.escape(tool['name'])}(?!\w)", prompt):
        return 20.0, named
    words = _words(prompt)
    hits, described = named & words, (stems(tool["description"]) - _SILENT) & stems(prompt)
    takes = any(stems(name) & stems("ticker symbol") for name in tool["parameters"].get("properties", {}))
    if not hits and len(described) < 2 and not (takes and names_in(prompt, "ticker")):
        return 0.0, frozenset()
    score = 3.0 * len(hits) + min(len(described), 4) - 0.5 * len(named - hits)
    return max(score, 0.5), hits or described or named


def argument_sets(tool: Tool, prompt: str) -> list[dict[str, Any]]:
    """Give the arguments of the calls that a prompt asks for, a set for each of several values; none if one is missing."""
    root = tool["parameters"]
    free = re.sub(r"\d{4}-\d\d-\d\d", " ", prompt)  # of dates
    left = {
        "number": [n.replace(",", "") for n in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?!\w)", free)],
        "string": [a or b for a, b in _QUOTED.findall(prompt)],
    }
    one: dict[str, Any] = {}
    several: list[dict[str, Any]] = []
    for name, raw in root.get("properties", {}).items():
        node = _not_null(raw, root)
        needed = name in root.get("required", ())
        found = values_in(prompt, name, node) or (_by_type(name, node, prompt, left) if needed else [])
        values = [value for v in found if fits(value := coerce(v, node), raw, root)]
        if needed and not values and not fits(None, raw, root):
            return []
        if values or needed:
            one[name] = values[0] if values else None
        several = several or [{name: value} for value in values[:_MOST_CALLS] if len(values) > 1]
    return [one | value for value in several] or [one]


def _not_null(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    node = resolved(schema, root)
    branches = [branch for branch in node.get("anyOf", ()) if branch.get("type") != "null"]
    return node | resolved(branches[0], root) if branches else node


def _by_type(name: str, node: dict[str, Any], prompt: str, left: dict[str, list[str]]) -> list[Any]:
    """Give a value of the parameter's type: the next number or quoted text, a name, a query, or the whole question."""
    kind = "number" if {"integer", "number"} & {*kinds_of(node)} else kinds_of(node)[0]
    if kind == "array":
        inner = {"integer": "number"}.get(items := kinds_of(resolved(node.get("items"), node))[0], items)
        return [[coerce(v, {"type": items}) for v in left[inner]]] if left.get(inner) else []
    if "enum" in node or "format" in node:
        return []
    if left.get(kind):
        return [left[kind].pop(0)]
    if kind == "string" and stems(name) & stems("query search q"):
        return [re.sub(_SCRIPT["search"], "", prompt, flags=re.I).strip() or prompt]
    if kind == "string" and stems(name) & stems(_SCRIPT["named"]):
        return re.findall(r"(?<=[a-z,] )[A-Z][\w-]*(?: [A-Z][\w-]*)*", prompt)[:1]
    whole = kind == "string" and stems(name) & stems(_SCRIPT["task"] + " text expression")
    return [prompt.strip()] if whole else []
