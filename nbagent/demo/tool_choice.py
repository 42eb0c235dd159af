"""Decides which of the offered tools a prompt asks for, and makes the calls.

Used by `brain.py`; pure, any thread. What is called follows from the prompt alone, and a call that
was made in this turn is not made again, so a conversation with tools always comes to its end.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson

from nbagent.demo.conversation import Turn, load_json
from nbagent.demo.facts import names_of
from nbagent.demo.names import stems, words_of
from nbagent.demo.request import Request, Tool, ToolCall
from nbagent.demo.tool_arguments import argument_sets, entity_kind

_VERBS: Final = stems(
    "get fetch find list show lookup look up retrieve read make do run call tool function the a an "
    "of for by from to in with and my our your current latest what is are data info information "
    "return give this that it its on at one any all use used using when given value name"
)
_ALIKE: Final = tuple(
    map(
        stems,
        (
            "price stock ticker share quote close trading worth",
            "weather temperature forecast rain sunny warm cold",
            "search web internet online google",
            "news headline article moved happen",
            "add sum plus total addition",
            "multiply times product multiplication",
            "subtract minus difference subtraction",
            "divide quotient division",
            "calculate calculator compute arithmetic math evaluate",
            "convert exchange currency rate",
            "population inhabitants people",
            "time clock now hour",
            "date today calendar day",
            "mail email send",
            "delete remove erase",
            "distance far route",
            "translate translation",
            "history historical past monthly month",
            "delegate transfer handoff assign ask consult",
        ),
    )
)
_SIGNS: Final = (
    (r"\d\s*[*×x]\s*\d", "multiply"),
    (r"\d\s*\+\s*\d", "add"),
    (r"\d\s+-\s*\d", "subtract"),
    (r"\d\s*[/÷]\s*\d", "divide"),
    (r"\d\s*[-+*/×÷]\s*\d", "calculate"),
)
_HANDS_OVER: Final = stems("delegate transfer handoff assign ask consult member")
_TASKS: Final = stems("task prompt question instruction request message query input")
_ONE_ONLY: Final = re.compile(r"\bexactly one call\b", re.I)
_NO_TOOLS: Final = re.compile(
    r"\b(without|don't|do not|no)\b( use| using| call(ing)?)?( any| the)? tools?\b", re.I
)


def choose_calls(request: Request, turn: Turn) -> tuple[ToolCall, ...]:
    """Give the tool calls to make now; none if the prompt asks for none or all were made."""
    if request.tool_choice == "none" or _NO_TOOLS.search(turn.prompt):
        return ()
    made = {(call.name, _canonical(load_json(call.arguments))) for call in turn.called}
    calls: list[ToolCall] = []
    for tool, arguments in _wanted(request, turn):
        text = _canonical(arguments)
        if (tool.name, text) not in made:
            made.add((tool.name, text))
            calls.append(_call(request, tool.name, text, len(calls)))
    return tuple(calls if request.parallel else calls[:1])


def _wanted(request: Request, turn: Turn) -> list[tuple[Tool, dict[str, Any]]]:
    forced = next((t for t in request.tools if t.name == request.tool_choice), None)
    if forced is not None:
        return [(forced, a) for a in argument_sets(forced, turn.prompt, force=True)]
    if request.tools and all(map(_is_member, request.tools)):
        return _led(request.tools, turn)
    chosen = [
        (tool, arguments)
        for tool in fitting_tools(request.tools, turn.prompt)
        for arguments in argument_sets(tool, turn.prompt)
    ]
    if not chosen:
        chosen = _handed_over(request.tools, turn)
    if not chosen and request.tool_choice == "required" and request.tools and not turn.called:
        best = max(request.tools, key=lambda tool: _score(tool, turn.prompt, _prompt_words(turn.prompt))[0])
        chosen = [(best, a) for a in argument_sets(best, turn.prompt, force=True)]
    return chosen


def _handed_over(tools: tuple[Tool, ...], turn: Turn) -> list[tuple[Tool, dict[str, Any]]]:
    """Give the whole question to every member where a leader has only members to ask."""
    if not tools or not all(_is_delegation(tool) for tool in tools):
        return []
    return [
        (tool, arguments)
        for tool in tools
        for arguments in argument_sets(tool, turn.prompt) or argument_sets(tool, turn.prompt, force=True)[:1]
    ]


def _led(tools: tuple[Tool, ...], turn: Turn) -> list[tuple[Tool, dict[str, Any]]]:
    """Lead a team: give the whole question to each member, or to those that it names; where one only, to the best."""
    words = _prompt_words(turn.prompt)
    if _ONE_ONLY.search(turn.system):
        asked = [max(tools, key=lambda tool: _suits(tool, turn.prompt, words))] if not turn.called else []
    else:
        asked = [tool for tool in tools if _own_name(tool) & words] or list(tools)
    return [(tool, argument_sets(tool, turn.prompt, force=True)[0]) for tool in asked]


def _suits(tool: Tool, prompt: str, words: frozenset[str]) -> tuple[float, int]:
    """Say how well a member suits: as a tool, and where none does by the words of its description."""
    described = stems(tool.description) - _VERBS - _HANDS_OVER
    return _score(tool, prompt, words)[0], len(described & _alike(words))


def _is_member(tool: Tool) -> bool:
    """Say whether a tool stands for one member of a team: all that it takes is a task."""
    return _is_delegation(tool) and len(tool.parameters.get("properties", {})) == 1


def _own_name(tool: Tool) -> frozenset[str]:
    return frozenset(words_of(tool.name)) - _VERBS - _HANDS_OVER


def _is_delegation(tool: Tool) -> bool:
    parameters = tool.parameters.get("properties", {})
    takes_task = any(set(words_of(name)) & _TASKS for name in parameters)
    return takes_task and bool(set(words_of(tool.name)) & _HANDS_OVER)


def fitting_tools(tools: tuple[Tool, ...], prompt: str) -> list[Tool]:
    """Give the tools that a prompt asks for, best first; a second one must add something."""
    left = _prompt_words(prompt)
    chosen: list[Tool] = []
    remaining = list(tools)
    while remaining:
        scored = [(_score(tool, prompt, left), -i, tool) for i, tool in enumerate(remaining)]
        (score, covered), _, best = max(scored, key=lambda s: (s[0][0], s[1]))
        if score <= 0 or (chosen and not covered):
            break
        remaining.remove(best)
        if argument_sets(best, prompt):
            chosen.append(best)
            left = left - _alike(covered)
    return chosen


def _prompt_words(prompt: str) -> frozenset[str]:
    words = stems(prompt) - _VERBS
    signs = {stem for pattern, name in _SIGNS if re.search(pattern, prompt) for stem in stems(name)}
    return frozenset(words | signs)


def _alike(words: frozenset[str]) -> frozenset[str]:
    alike = set(words)
    for group in _ALIKE:
        if group & words:
            alike |= group
    return frozenset(alike)


def _score(tool: Tool, prompt: str, words: frozenset[str]) -> tuple[float, frozenset[str]]:
    """Score how well a tool fits, and give the words of its name that the prompt asks for."""
    if re.search(rf"(?<!\w){re.escape(tool.name)}(?!\w)", prompt) and len(tool.name) > 3:
        return 20.0, stems(tool.name)
    alike = _alike(words)
    name_words = _own_name(tool)
    exact, near = name_words & words, (name_words & alike) - words
    described = (stems(tool.description) - _VERBS - _HANDS_OVER) & words
    covered = exact | near
    if not covered and len(described) < 2 and not _takes_named_ticker(tool, prompt):
        return 0.0, frozenset()
    unmatched = len(name_words) - len(covered)
    score = 3.0 * len(exact) + 2.5 * len(near) + min(len(described), 4) - 0.5 * unmatched
    return max(score, 0.5), covered or described or name_words


def _takes_named_ticker(tool: Tool, prompt: str) -> bool:
    parameters = tool.parameters.get("properties", {})
    takes = any(entity_kind(n, s) == "ticker" for n, s in parameters.items() if isinstance(s, dict))
    return takes and bool(names_of(prompt, "ticker"))


def _canonical(arguments: Any) -> str:
    return orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS).decode()


def _call(request: Request, name: str, arguments: str, index: int) -> ToolCall:
    seed = f"{len(request.messages)}|{request.messages[-1].text}|{name}|{arguments}|{index}"
    digest = hashlib.sha256(seed.encode(errors="replace")).hexdigest()
    return ToolCall(call_id=f"call_{digest[:24]}", name=name, arguments=arguments)
