"""JSON values in the text a model wrote. Called by `define.py` on the background thread.

A model was asked for one JSON value and may still put it into a code fence or between sentences. What is clearly
there is found; what is cut or broken is never completed by a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from nbagent.errors import NBAgentError

_FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\r?\n(.*?)\n?[ \t]*```", re.DOTALL)


class InvalidOutputError(NBAgentError):
    """An answer does not fit its schema; `problems` are lines to send back to the model."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(
            f"the answer does not fit its schema: {'; '.join(self.problems)}",
            "answer again with one JSON value that fits the schema, and nothing else",
        )


def json_values(text: str, *, bare_text: bool) -> Iterator[Any]:
    """Yield the JSON values in `text`: the text itself, else those in code fences, else those between prose.

    `bare_text` says that a text without any JSON in it may itself be the value. Raises InvalidOutputError at
    JSON that is cut or broken.
    """
    body = text.strip().removeprefix("\ufeff")
    if not body:
        raise InvalidOutputError(["the answer is empty"])
    try:
        whole = [_parsed(body)]
    except ValueError as error:
        whole = []
        if body[0] in "{[" and _begins_json(body, 0) and _value_at(body, 0) is None:
            raise InvalidOutputError([f"the answer is not valid JSON: {error}"]) from None
    if whole:
        yield from whole
    elif bare_text and body[0] != '"' and not set(body) & set("{[`"):
        yield body
    else:
        yield from list(_fenced_values(body)) or _values_between_prose(body)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _fenced_values(body: str) -> Iterator[Any]:
    for block in _FENCE.findall(body):
        try:
            yield _parsed(block.strip())
        except ValueError:
            continue


_OPENING = re.compile(r"[{\[]")
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


def _values_between_prose(body: str) -> Iterator[Any]:
    """Yield each object and list in prose; stop at one that is broken, whose parts would be a guess."""
    position = 0
    while opening := _OPENING.search(body, position):
        start = opening.start()
        found = _value_at(body, start)
        if found is not None:
            yield found[0]
            position = found[1]
        elif _begins_json(body, start):
            raise InvalidOutputError(["the JSON in the answer is cut or broken"])
        else:  # a brace that belongs to the prose
            position = start + 1


def _begins_json(body: str, start: int) -> bool:
    """Say whether the bracket at `start` opens JSON, or what was meant as such, by what follows it."""
    return _BEGINNING.match(body, start) is not None
