"""The lines of the magics as data: which flags there are, and parsing that fails in two lines instead of a usage page."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from nbagent.errors import UnknownOptionError, close_match

Line = argparse.Namespace

VERBS = ("list", "show", "wait", "cancel")


class LineParser(argparse.ArgumentParser):
    """An argument parser for one magic's line."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def parse(self, line: str) -> Line:
        """Split and parse a line; quotes group words. Raises UnknownOptionError."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UnknownOptionError(
                f"{self.prog}: {str(error).lower()} in {line.strip()!r}", "close the quote"
            ) from None
        known, unknown = self.parse_known_args(words)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            what = "option" if unknown[0].startswith("-") else "argument"
            raise UnknownOptionError(
                f"{self.prog} has no {what} {unknown[0]!r}{close_match(unknown[0], flags)}",
                f"{self.prog}? lists what it takes",
            )
        return known

    def error(self, message: str) -> NoReturn:
        """Fail with two lines instead of leaving the process."""
        raise UnknownOptionError(f"{self.prog}: {message}", f"{self.prog}? lists what it takes")


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is no variable name")
    return text


def _launching(name: str) -> LineParser:
    parser = LineParser(name)
    parser.add_argument("agent", nargs="?")
    parser.add_argument("-m", "--model")
    parser.add_argument("-o", "--output", type=_identifier, metavar="NAME")
    parser.add_argument("--schema", metavar="TYPE")
    parser.add_argument("--tools", metavar="A,B")
    parser.add_argument("--session", metavar="ID")
    parser.add_argument("--run-id", metavar="ID")
    parser.add_argument("--if-exists", choices=("error", "attach"), default="error")
    parser.add_argument("--timeout", metavar="SECONDS")
    parser.add_argument("-i", "--instructions", metavar="TEXT")
    parser.add_argument("-q", "--quiet", action="store_true")
    return parser


AGENT_BG = _launching("%%agent_bg")
AGENT = _launching("%%agent")


def _verb(verb: str) -> LineParser:
    parser = LineParser(f"%agent {verb}")
    if verb != "list":
        parser.add_argument("runs", nargs="*", metavar="RUN")
    if verb == "wait":
        parser.add_argument("--timeout", type=float, metavar="SECONDS")
    if verb == "cancel":
        parser.add_argument("--all", action="store_true")
    return parser


_VERB_PARSERS = {verb: _verb(verb) for verb in VERBS}


def agent_line(line: str) -> tuple[str, Any]:
    """Split `%agent VERB ...` into the verb (default: list) and its parsed arguments."""
    verb, _, rest = line.strip().partition(" ")
    verb = verb or "list"
    if verb not in _VERB_PARSERS:
        raise UnknownOptionError(
            f"%agent has no {verb!r}{close_match(verb, VERBS)}", f"it has: {', '.join(VERBS)}"
        )
    return verb, _VERB_PARSERS[verb].parse(rest)
