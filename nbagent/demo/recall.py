"""Answers from the conversation itself: what was said before, and what the tools returned.

Used by `brain.py`; pure, any thread.
"""

from __future__ import annotations

import re
from typing import Any, Final

from nbagent.demo.conversation import ToolResult, Turn
from nbagent.demo.names import words_of

_ASKED: Final = re.compile(
    r"\bwhat (did|have) i (just |already )?(ask|asked|say|said|tell|told|write)|"
    r"\bmy (first|last|previous|earlier) (question|message)|\bwhat was my question", re.I
)  # fmt: skip
_ANSWERED: Final = re.compile(
    r"\bwhat (did|have) you (just )?(say|said|answer|answered|tell|told)|"
    r"\b(repeat|say) that( again)?\b|\byour (last|previous) (answer|reply)", re.I
)  # fmt: skip
_MINE: Final = re.compile(
    r"\b(?:what(?:'s| is| was| are)|who is|do you (?:know|remember)|tell me|recall) my ([\w ]+?)"
    r"(?: again| now)?\s*(?:[?.!]|$)", re.I
)  # fmt: skip
_THE: Final = re.compile(
    r"\bwhat(?:'s| is| was| were) the ([\w ]+?)(?: (?:that )?i (?:told|gave|mentioned|asked|said).*)?[?.!]*$",
    re.I,
)
_NAME: Final = re.compile(r"\b(?:[Mm]y name is|[Cc]all me|I am|I'm) ([A-Z][\w-]*(?: [A-Z][\w-]*)*)")
_STATED: Final = re.compile(r"\bmy ([\w ]+?) (?:is|are|was) ([^.?!\n]+)", re.I)
_LONGEST = 600
_DOING: Final = frozenset(
    "add ask book calculate call cancel check convert count create delegate delete do insert list make "
    "multiply notify open order pay plan post process publish query remove run save search send set slow "
    "sleep start stop submit sum transfer update wait write".split()
)
_QUIET: Final = frozenset(words_of("get fetch find lookup retrieve read compute calculate"))


def recall(turn: Turn) -> str | None:
    """Answer a question about the conversation, or take note of what it tells; else None."""
    asked = [m.text for m in turn.history if m.role == "user"]
    if _ASKED.search(turn.prompt):
        return _earlier_questions(turn.prompt, asked)
    if _ANSWERED.search(turn.prompt):
        said = next((m.text for m in reversed(turn.history) if m.role == "assistant" and m.text), "")
        return said or "I have not answered anything before in this conversation."
    return _recall_fact(turn.prompt, [turn.system, *asked]) or _take_note(turn.prompt)


def _earlier_questions(prompt: str, asked: list[str]) -> str:
    if not asked:
        return "This is the first message of the conversation."
    if re.search(r"\bfirst\b", prompt, re.I):
        return f'First you asked: "{asked[0]}"'
    if len(asked) == 1 or re.search(r"\b(last|previous)\b", prompt, re.I):
        return f'Before this you asked: "{asked[-1]}"'
    return "Before this you asked: " + "; ".join(f'"{text}"' for text in asked)


def _recall_fact(prompt: str, told: list[str]) -> str | None:
    mine = _MINE.search(prompt)
    if mine is not None:
        thing = mine[1].strip()
        for text in [prompt[: mine.start()], *reversed(told)]:
            found = _NAME.findall(text) if thing.lower() == "name" else []
            stated = [value for what, value in _STATED.findall(text) if what.lower() == thing.lower()]
            if found or stated:
                return f"Your {thing} is {(found or stated)[-1].strip()}."
        return f"You have not told me your {thing}."
    the = _THE.search(prompt)
    if the is not None:
        for text in reversed(told):
            said = re.search(rf"\bthe {re.escape(the[1].strip())} (?:is|are|was) ([^.?!\n]+)", text, re.I)
            if said:
                return f"The {the[1].strip()} is {said[1].strip()}."
    return None


def _take_note(prompt: str) -> str | None:
    if "?" in prompt or len(prompt) > 200:
        return None
    named = re.search(r"\b(?:[Mm]y name is|[Cc]all me) ([A-Z][\w-]*)", prompt)
    if named:
        return f"Nice to meet you, {named[1]}."
    noted = re.match(r"\W*(?:please )?remember(?: that|:)?\s+(.+)", prompt, re.I | re.S)
    if noted or _STATED.search(prompt):
        return f"Noted: {(noted[1] if noted else prompt).strip().rstrip('.')}."
    return None


def report_results(turn: Turn) -> str:
    """Say what the tools returned, a sentence for each result, errors included."""
    said = [_report(result) for result in turn.results]
    numbers = [(_about(r), r.value) for r in turn.results if _is_number(r.value)]
    compares = re.search(
        r"\b(compare|higher|lower|larger|smaller|more|less|which|difference)\b", turn.prompt, re.I
    )
    if compares and len(numbers) >= 2:
        top = max(numbers, key=lambda pair: pair[1])
        said.append(f"{top[0]} has the highest value.")
    return " ".join(dict.fromkeys(said))


def _report(result: ToolResult) -> str:
    name, about = _noun(result.call.name), _about(result)
    if result.failed:
        message = result.value["error"] if isinstance(result.value, dict) else result.text
        where = f" for {about}" if about else ""
        return f"The tool {result.call.name} failed{where}: {_short(str(message)).rstrip('.')}."
    value = result.value
    if isinstance(value, str) and (len(value) > 60 or value.rstrip().endswith((".", "!", "?"))):
        return _short(value)
    if isinstance(value, dict):
        told = set(map(str, result.arguments.values()))
        value = {k: v for k, v in value.items() if str(v) not in told} or value
    said = _short(shown(value)).rstrip(".")
    if name.split()[0] in _DOING:
        return f"{result.call.name}({about}) returned: {said}."
    of = f"The {name} for {about}" if about else f"The {name}"
    return f"{of} is {said}." if _is_number(value) else f"{of}: {said}."


def _about(result: ToolResult) -> str:
    """Name what a call was about: its short arguments."""
    values = [str(v) for v in result.arguments.values() if isinstance(v, str | int | float)]
    return ", ".join(v for v in values if len(v) <= 40 and len(v.split()) <= 4)[:120]


def _noun(tool: str) -> str:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool).replace("-", "_").split("_")
    kept = [p.lower() for p in parts if p and words_of(p) and words_of(p)[0] not in _QUIET]
    return " ".join(kept) or "result"


def shown(value: Any) -> str:
    """Write a result's value as it stands in a sentence."""
    match value:
        case dict():
            return ", ".join(f"{k} {_inner(v)}" for k, v in list(value.items())[:8])
        case list():
            first = "; ".join(_inner(item) for item in value[:3])
            return first if len(value) <= 3 else f"{len(value)} entries, the first of which are {first}"
        case _:
            return _inner(value)


def _inner(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{k} {v}" for k, v in value.items() if not isinstance(v, dict | list))
        case list():
            return f"({len(value)} entries)"
        case None:
            return "nothing"
        case _:
            return str(value)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + " ..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
