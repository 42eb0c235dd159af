"""Tab completion of the magics' lines: flags from their parsers, values from the notebook and the record.

`load` gives IPython a matcher, in the form that its versions 8.6 and later ask: a function of where the
cursor stands. IPython calls it on the kernel's main thread at each press of Tab, wherever that is; what the
arguments can be is in `values.py`.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from nbagent.magics.completion.values import CompletionRequest, values_of
from nbagent.magics.parsers import AGENT, AGENT_BG, VERBS, LineParser, verb_parser

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MATCHER = "nbagent.magics"
_CELL = {"agent_bg": AGENT_BG, "agent": AGENT}
_CELL_LINE = re.compile(r"%%(agent_bg|agent)\s+(.*)")
_VERB_LINE = re.compile(r"(?:[^%]*=)?\s*%agent\s+(.*)")
_COMMAS = frozenset({"members", "model", "tools"})  # arguments that list names


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorContext:
    """Where the cursor stands: the line's parser, the whole words before it, and the word begun.

    `verb` is that of `%agent VERB`, "" in a cell magic's line; without a `parser` it is the verb that was
    begun.
    """

    parser: LineParser | None
    words: Sequence[str]
    begun: str
    verb: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """What could stand in the place of `begun`, the likeliest first."""

    begun: str
    texts: Sequence[str]
    type: str = "param"


def load(shell: InteractiveShell) -> None:
    """Let IPython ask us at each press of Tab; a second call changes nothing."""
    unload(shell)

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        try:
            offer = offer_at(context, shell)
        except Exception:  # noqa: BLE001 - a press of Tab gives no traceback, whatever the notebook holds
            offer = None
        if offer is None:
            return SimpleMatcherResult(completions=[])
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text, type=offer.type) for text in offer.texts],
            matched_fragment=offer.begun,
            suppress=True,  # names of Python are no arguments here
            ordered=True,
        )

    shell.Completer.custom_matchers.append(context_matcher(identifier=MATCHER)(matcher))


def unload(shell: InteractiveShell) -> None:
    """Take the matcher back, if it is there."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", None) != MATCHER]


def offer_at(context: CompletionContext, shell: InteractiveShell) -> Completions | None:
    """Return what fits where the cursor stands, None where that is no line of ours or nothing is known to fit."""
    place = place_of(context)
    if place is None:
        return None
    if place.parser is None:
        return _fitting(VERBS, place.begun)
    hidden = shell.user_ns_hidden
    names = {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and hidden.get(name, shell) is not value
    }
    return _argument(place, place.parser, names)


def place_of(context: CompletionContext) -> CursorContext | None:
    """Find the line of ours that the cursor stands in: the first of a cell, or one of `%agent` anywhere else."""
    lines = context.full_text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    before = lines[context.cursor_line][: context.cursor_position]
    if lines[first].startswith("%%"):
        cell = _CELL_LINE.fullmatch(before) if context.cursor_line == first else None
        return _place(cell[2], _CELL[cell[1]]) if cell else None
    line = _VERB_LINE.fullmatch(before)
    if line is None:
        return None
    verb, space, rest = line[1].partition(" ")
    if not space:
        return CursorContext(parser=None, words=(), begun=verb)
    parser = verb_parser(verb)
    return _place(rest, parser, verb) if parser is not None else None


def _place(text: str, parser: LineParser, verb: str = "") -> CursorContext | None:
    """Split a line into words as its parser will; None inside of quotes."""
    done = text[: len(text) - len(re.split(r"\s", text)[-1])]
    begun = text[len(done) :]
    if "'" in begun or '"' in begun:
        return None
    try:
        return CursorContext(parser=parser, words=shlex.split(done), begun=begun, verb=verb)
    except ValueError:
        return None


def _argument(place: CursorContext, parser: LineParser, names: dict[str, Any]) -> Completions | None:
    """Return what fits as the next argument: the value of the flag before it, else a flag or a positional's value."""
    option, used, positional = _read(place, parser)
    if option is not None:
        return _value(option, place.begun, names, place.verb)
    flag, equals, value = place.begun.partition("=")
    if equals and flag in parser.flags:
        return _value(parser.flags[flag], value, names, place.verb)
    flags = [flag for flag, action in parser.flags.items() if action not in used]
    if place.begun.startswith("-"):
        return _fitting(flags, place.begun)
    expected = _positional(parser, len(positional))
    offer = _value(expected, place.begun, names, place.verb) if expected is not None else None
    texts = [text for text in offer.texts if text not in positional] if offer else []
    if not place.begun:
        texts += [flag for flag in flags if flag.startswith("--")]
    return Completions(begun=place.begun, texts=texts) if texts else None


def _read(
    place: CursorContext, parser: LineParser
) -> tuple[argparse.Action | None, set[argparse.Action], list[str]]:
    """Return the flag that waits for its value, the flags that cannot come again, and the words without a flag."""
    option: argparse.Action | None = None
    used: set[argparse.Action] = set()
    positional: list[str] = []
    for word in place.words:
        flag, equals, _ = word.partition("=")
        action = parser.flags.get(flag)
        if option is not None:
            option = None
        elif action is None:
            positional.append(word)
        else:
            used |= {action} if not isinstance(action.default, list) else set()
            option = action if action.nargs != 0 and not equals else None
    return option, used, positional


def _positional(parser: LineParser, number: int) -> argparse.Action | None:
    """Return the argument that the next word without a flag is for."""
    for place, action in enumerate(parser.positionals):
        if number == place or action.nargs in ("*", "+"):
            return action
    return None


def _value(action: argparse.Action, begun: str, names: dict[str, Any], verb: str) -> Completions | None:
    last = begun.rpartition(",")[2] if action.dest in _COMMAS else begun
    return _fitting(values_of(action, CompletionRequest(names=names, begun=last, verb=verb)), last)


def _fitting(texts: Iterable[str], begun: str) -> Completions | None:
    fitting = [text for text in dict.fromkeys(texts) if text.startswith(begun)]
    return Completions(begun=begun, texts=fitting) if fitting else None
