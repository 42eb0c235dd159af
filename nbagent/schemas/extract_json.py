"""JSON values in the text a model wrote. Called by `output_schema.py` on the background thread.

A model was asked for one JSON value and may still put it into a code fence or between sentences. What is
clearly there is found; what is cut or broken is never completed by a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nbagent.errors import NBAgentError

_FENCE = re.compile(r"```[ \t]*+[\w+-]*+[ \t]*+\r?\n(.*?)```", re.DOTALL)


class OutputProblem(str):  # noqa: SLOT000 - it has attributes
    """A line about one field of an answer: `path` is its place, a list's elements as `[]`, `kind` what is wrong there."""

    path: str
    kind: str

    @classmethod
    def at(cls, text: str, steps: Sequence[str | int], kind: str) -> OutputProblem:
        """Return the line with the place and the kind that failures are grouped by."""
        problem = cls(text)
        problem.path = "".join("[]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
        problem.kind = kind
        return problem


def fields_in(problems: Sequence[str]) -> str | None:
    """Return the fields that problems are about and their kinds, each once and in order; None where none names one."""
    found = {f"{one.path or 'the value'} ({one.kind})" for one in problems if isinstance(one, OutputProblem)}
    return "; ".join(sorted(found)) or None


class InvalidOutputError(NBAgentError):
    """An answer does not fit its schema; `problems` are lines to send back to the model, where that can help.

    `fields` are those that do not fit, to group failures by.
    """

    def __init__(self, problems: Sequence[str], *, repairable: bool = True) -> None:
        self.problems = list(problems)
        self.fields = fields_in(self.problems)
        self.repairable = repairable
        super().__init__(
            f"the answer does not fit its schema: {'; '.join(self.problems)}",
            "answer again with one JSON value that fits the schema, and nothing else",
        )


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A JSON value: its text as it was written, and the same as plain data."""

    text: str
    data: Any

    @classmethod
    def of(cls, data: Any) -> JsonValue:
        """Return the value for plain data."""
        return cls(json.dumps(data, ensure_ascii=False), data)

    def only_member(self) -> JsonValue:
        """Return the value of an object with one key, as it was written there; the last one of a key that comes twice."""
        position, found = self.text.index("{"), ("", None)
        while self.text[position] != "}":
            _, position = _DECODER.raw_decode(self.text, self.text.index('"', position))
            start = _after_space(self.text, self.text.index(":", position) + 1)
            value, position = _DECODER.raw_decode(self.text, start)
            found = (self.text[start:position], value)
            position = _after_space(self.text, position)
        return JsonValue(*found)


def _after_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def json_values(text: str, *, bare_text: bool) -> Iterator[JsonValue]:
    """Yield the JSON values in `text`: the text itself, else those in code fences, else those between prose.

    `bare_text` says that a text without any JSON in it may itself be the value. Raises InvalidOutputError at
    JSON that is cut or broken.
    """
    body = text.strip().removeprefix("\ufeff")
    if not body:
        raise InvalidOutputError(["the answer is empty"])
    try:
        whole = [JsonValue(body, _parsed(body))]
    except ValueError as error:
        whole = []
        if body[0] in "{[" and _begins_json(body, 0) and _value_at(body, 0) is None:
            raise InvalidOutputError([f"the answer is not valid JSON: {error}"]) from None
    if whole:
        yield from whole
    elif body.startswith("<think>") and body[-1] not in "}]`":  # closed blocks have been taken away
        raise InvalidOutputError(["the answer is missing: there is only reasoning, which was never closed"])
    elif bare_text and body[0] != '"' and not set(body) & set("{[`"):
        yield JsonValue.of(body)
    else:
        yield from list(_fenced_values(body)) or _values_between_prose(body)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _fenced_values(body: str) -> Iterator[JsonValue]:
    for block in map(str.strip, _FENCE.findall(body)):
        try:
            yield JsonValue(block, _parsed(block))
        except ValueError:
            continue


_OPENING = re.compile(r"[{\[]")
_TRIES = 1000  # brackets of prose that are looked at; an error of `json` walks over all the text before it
_BEGINNING = re.compile(
    r"""
    \{\s* (?: $ | ["'] | \w+\s*: )                      # the end, or a key, quoted in any way or not at all
    | \[\s* (?: $ | ["'{\[] | (?: -?\d[\d.eE+-]* | true | false | null ) \s* (?: , | $ ) )  # the end, or an element
    """,
    re.VERBOSE,
)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _value_at(body: str, start: int) -> tuple[Any, int] | None:
    try:
        return _DECODER.raw_decode(body, start)
    except (ValueError, RecursionError):
        return None


def _values_between_prose(body: str) -> Iterator[JsonValue]:
    """Yield each object and list in prose; stop at one that is broken, whose parts would be a guess."""
    position = tries = 0
    while (opening := _OPENING.search(body, position)) and tries < _TRIES:
        start = opening.start()
        found = _value_at(body, start)
        if found is not None:
            yield JsonValue(body[start : found[1]], found[0])
            position = found[1]
        elif _begins_json(body, start):
            raise InvalidOutputError(["the JSON in the answer is cut or broken"])
        else:  # a brace that belongs to the prose
            position, tries = start + 1, tries + 1


def _begins_json(body: str, start: int) -> bool:
    """Say whether the bracket at `start` opens JSON, or what was meant as such, by what follows it."""
    return _BEGINNING.match(body, start) is not None
