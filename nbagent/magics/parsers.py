"""The lines of the magics as data: which flags there are, and parsing that fails in two lines instead of a usage page."""

from __future__ import annotations

import argparse
import builtins
import keyword
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, get_args

from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.run import RunStatus
from nbagent.settings import OPTIONS
from nbagent.spec import Mode

Line = argparse.Namespace

VERBS = (
    "panel", "dock", "list", "show", "wait", "cancel", "approve", "deny", "resume", "retry", "metrics", "models",
    "budget", "record", "clear", "export", "sql", "doctor"
)  # fmt: skip
METRICS = ("model", "member", "session", "agent", "tool")


_QUOTE = 'quote a value that holds spaces, as in -i "Be brief"'


class LineParser(argparse.ArgumentParser):
    """An argument parser for one magic's line."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def parse(self, line: str) -> Line:
        """Split and parse a line; quotes group words. Raises UnknownOptionError."""
        try:
            words = shlex.split(without_comment(line))
        except ValueError as error:
            raise UnknownOptionError(
                f"{self.prog}: {str(error).lower()} in {line.strip()!r}", "close the quote"
            ) from None
        known, unknown = self.parse_known_args(words)
        if unknown:
            self._refuse(unknown[0])
        agent = getattr(known, "agent", None)
        if agent and not agent.isidentifier():
            raise UnknownOptionError(f"{self.prog}: {agent!r} is no agent's name", f"{_QUOTE}; {self._help}")
        return known

    def parse_cell(self, line: str, cell: str) -> tuple[Line, str]:
        """Parse a cell magic's line, with what a backslash at its end takes in of the cell; the rest is the body."""
        while (begun := without_comment(line).rstrip()) and _is_continued(begun) and line.rstrip() == begun:
            following, _, cell = cell.partition("\n")
            line = f"{begun[:-1].rstrip()} {following.strip()}"
        return self.parse(line), cell

    @property
    def flags(self) -> Mapping[str, argparse.Action]:
        """The flags by each way to write them, in the order of their making."""
        return self._option_string_actions

    @property
    def positionals(self) -> Sequence[argparse.Action]:
        """The arguments without a flag, in order."""
        return self._get_positional_actions()

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise UnknownOptionError(f"{self.prog} has no argument {word!r}", f"{_QUOTE}; {self._help}")
        flags = [flag for action in self._actions for flag in action.option_strings]
        near = "" if word in {"-h", "--help"} else did_you_mean(word, flags)
        raise UnknownOptionError(f"{self.prog} has no option {word!r}{near}", self._help)

    @property
    def _help(self) -> str:
        return f"{self.prog.split()[0]}? lists what it takes"

    def error(self, message: str) -> NoReturn:
        """Fail with two lines instead of leaving the process."""
        raise UnknownOptionError(f"{self.prog}: {message}", self._help)


def without_comment(line: str, sign: str = "#") -> str:
    """Cut a comment off: from a # at the beginning of a word, outside quotes."""
    quote, before = "", " "
    for place, char in enumerate(line):
        if quote:
            quote = "" if char == quote and (before != "\\" or quote == "'") else quote
        elif before != "\\" and char in "'\"":
            quote = char
        elif line.startswith(sign, place) and before.isspace():
            return line[:place]
        before = "" if before == "\\" else char  # a backslash is about one character
    return line


def _is_continued(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _identifier(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)  # as Python reads names
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no variable name")
    if text != "_" and hasattr(builtins, text):  # an interactive Python puts its last value there
        raise argparse.ArgumentTypeError(f"{text!r} is a name of Python's own")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def _launching(name: str) -> LineParser:
    parser = LineParser(name)
    parser.add_argument("agent", nargs="?")
    parser.add_argument("-m", "--model")
    parser.add_argument("-o", "--output", type=_identifier, metavar="NAME")
    parser.add_argument("--schema", metavar="TYPE")
    parser.add_argument("--tools", metavar="A,B")
    parser.add_argument("--notebook", action="store_true")
    parser.add_argument("--read", metavar="A,df*")
    parser.add_argument("--members", metavar="A,B")
    parser.add_argument("--mode", choices=get_args(Mode))
    parser.add_argument("--session", metavar="ID")
    parser.add_argument("--run-id", metavar="ID")
    parser.add_argument("--if-exists", choices=("error", "attach"), default="error")
    parser.add_argument("--timeout", metavar="SECONDS")
    parser.add_argument("-i", "--instructions", metavar="TEXT")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="VAR|FILE|COLUMN")
    parser.add_argument("--temperature", type=float, metavar="NUMBER")
    parser.add_argument("--reasoning-effort", metavar="WORD")
    for limit in ("--max-output-tokens", "--max-total-tokens", "--max-steps", "--max-cost"):
        parser.add_argument(limit, metavar="NUMBER")
    parser.add_argument("--map", metavar="TABLE")
    parser.add_argument("-j", "--jobs", type=_count, metavar="N")
    parser.add_argument("--group", type=_count, metavar="N")
    parser.add_argument("--on-error", choices=("continue", "stop"))
    parser.add_argument("--dedupe", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--cache", choices=OPTIONS["cache"].choices)
    parser.add_argument("--on", choices=OPTIONS["on"].choices)
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    return parser


def _after() -> LineParser:
    parser = LineParser("%%after")
    parser.add_argument("runs", nargs="+", metavar="NAME")
    return parser


def _module() -> LineParser:
    parser = LineParser("%%agent_module")
    parser.add_argument("file", metavar="FILE")
    return parser


AGENT_BG = _launching("%%agent_bg")
AGENT = _launching("%%agent")
AFTER = _after()
AGENT_MODULE = _module()


def _record(parser: LineParser) -> None:
    parser.add_argument("way", choices=("export", "import"))
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--all", action="store_true")


def _choosing(parser: LineParser) -> None:
    """Flags that choose runs by what they were called."""
    parser.add_argument("--label", metavar="NAME")
    parser.add_argument("--batch", metavar="NAME")


def _clear(parser: LineParser) -> None:
    parser.add_argument("--older-than", metavar="7d|TIME")
    parser.add_argument("--status", choices=[status.value for status in RunStatus])
    parser.add_argument("--session", metavar="ID")
    _choosing(parser)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--yes", action="store_true")


def _export(parser: LineParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--format", choices=("parquet", "csv", "jsonl"))
    parser.add_argument("--table", choices=("runs", "model_calls", "tool_calls", "messages"), default="runs")
    parser.add_argument("--session", metavar="ID")
    parser.add_argument("--since", metavar="12h|TIME")
    _choosing(parser)


def _budget(parser: LineParser) -> None:
    parser.add_argument("budget", nargs="?", metavar="5/day")
    parser.add_argument("--unknown", choices=("dearest", "refuse"), default="dearest")


_UPKEEP = {"budget": _budget, "record": _record, "clear": _clear, "export": _export}


def _verb(verb: str) -> LineParser:
    parser = LineParser(f"%agent {verb}")
    if verb in ("approve", "deny"):
        parser.add_argument("run", nargs="?", metavar="RUN")
        parser.add_argument("--call", metavar="ID")
    elif verb == "metrics":
        parser.add_argument("by", nargs="?", choices=METRICS, default="model")
    elif verb == "models":
        parser.add_argument("provider", nargs="?", metavar="PROVIDER")
    elif verb in _UPKEEP:
        _UPKEEP[verb](parser)
    elif verb not in ("panel", "dock", "list", "doctor", "sql"):
        parser.add_argument("runs", nargs="*", metavar="RUN")
    if verb == "list":
        parser.add_argument("--here", action="store_true")
    if verb in ("list", "metrics"):
        parser.add_argument("--session", metavar="ID")
        parser.add_argument("--since", metavar="12h|TIME")
        _choosing(parser)
    if verb == "deny":
        parser.add_argument("--why", default="", metavar="TEXT")
    if verb == "wait":
        parser.add_argument("--timeout", type=float, metavar="SECONDS")
    if (flag := {"cancel": "--all", "resume": "--from-partial", "retry": "--stale"}.get(verb)) is not None:
        parser.add_argument(flag, action="store_true")
    return parser


_VERB_PARSERS = {verb: _verb(verb) for verb in VERBS}


def verb_parser(verb: str) -> LineParser | None:
    """Return the parser of `%agent VERB ...`, None for a verb that there is not."""
    return _VERB_PARSERS.get(verb)


def agent_line(line: str) -> tuple[str, Any]:
    """Split `%agent VERB ...` into the verb (default: panel) and its parsed arguments."""
    verb, _, rest = line.replace("\\\n", " ").strip().partition(" ")
    if not (verb := without_comment(verb)):
        verb, rest = "panel", ""
    if verb not in _VERB_PARSERS:
        raise UnknownOptionError(
            f"%agent has no {verb!r}{did_you_mean(verb, VERBS)}", f"it has: {', '.join(VERBS)}"
        )
    if verb == "sql":  # quotes and dashes are SQL's, and #1 is its first column
        return verb, without_comment(rest, "# ").strip()
    return verb, _VERB_PARSERS[verb].parse(rest)
