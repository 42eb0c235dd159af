"""`nb.notebook`: what an agent may see of the notebook and do in it, and the tools of it.

The tools are async: they are called on the background loop, and have their work done on the main thread.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from nbagent import kernel
from nbagent.core import is_number, load_json, truncate
from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.loop import ToolResult, approved_arguments
from nbagent.notebook_tools.as_data import as_data
from nbagent.notebook_tools.cell_history import cell_record
from nbagent.notebook_tools.changes import described, is_shown
from nbagent.notebook_tools.code_check import check_code
from nbagent.notebook_tools.code_run import CodeResult, digest_of, run_code
from nbagent.notebook_tools.code_stop import CodeStop
from nbagent.notebook_tools.main_thread_work import (
    StuckError,
    current_agent_name,
    on_main_thread,
    say,
    stoppable_on_main_thread,
)
from nbagent.notebook_tools.safe_tables import ROWS, shape_of, table_text
from nbagent.notebook_tools.safe_text import safe_text, type_name
from nbagent.notebook_tools.secrets_here import is_hidden_column
from nbagent.runtime import end_standing_approvals, forbid_inside, notebook_names
from nbagent.tools import Tool, tools_of

LISTED = 300
PREVIEW_CHARS = 1_500
_NEVER_OVER_S = 7 * 24 * 3600.0  # the tool's own limit is `timeout`, from the beginning of the work on
_MAY_HAVE = "It was stopped, and may have taken effect: {reason}."

Code = Annotated[
    str, AfterValidator(check_code), Field(description="Python code, as one would write in a cell")
]


class Notebook:
    """What an agent may see of the notebook and do in it; give it to an agent: `tools=[nb.notebook(...)]`."""

    def __init__(self, read: tuple[str, ...], *, cells: bool, run: bool, timeout: float) -> None:
        self.read, self.cells, self.run, self.timeout = read, cells, run, timeout
        self._shown: set[tuple[str, str]] = set()  # agents, and the tools that they have used

    def __repr__(self) -> str:
        return (
            f"notebook(read={self.read!r}, cells={self.cells!r}, run={self.run!r}, timeout={self.timeout!r})"
        )

    def __nbagent_tools__(self) -> Iterator[Tool]:
        """Yield the tools; they belong to this kernel."""
        functions: list[Any] = [self.list_variables]
        functions += [self.look_at] if self.read else []
        functions += [self.read_cells] if self.cells else []
        functions += [self.run_python] if self.run else []
        for tool in tools_of(functions):
            asks = tool.name == "run_python"
            yield replace(
                tool,
                options=replace(
                    tool.options, kernel_bound=True, requires_approval=asks, timeout_s=_NEVER_OVER_S
                ),
            )

    # ------------------------------------------------------------------ tools

    async def list_variables(self) -> str:
        """List the variables of the person's notebook: names and types, and the shapes of those that can be looked at."""
        return await self._told("list_variables", self._listed)

    async def look_at(self, name: str, first_row: int = 0, rows: int = ROWS) -> str:
        """Look at one variable of the person's notebook: its value, or columns, types and rows of a table.

        Args:
            name: The variable's name
            first_row: The first row of a table that is shown, counted from 0
            rows: How many rows of a table are shown, at most 40
        """
        return await self._told(f"look_at({name!r})", lambda: self._looked_at(name, first_row, rows))

    async def read_cells(self, last: int = 10) -> str:
        """Read the cells that the person has executed lately: source, printed text, result and error.

        Args:
            last: How many cells, the latest ones
        """
        return await self._told("read_cells", lambda: ("the cells", cell_record().text(last)))

    async def run_python(self, code: Code) -> ToolResult:
        """Run Python code in the person's notebook, with its variables, once the person has approved it.

        It is run as written: no magics, no shell, no input(). You are told what it printed, the value of its
        last expression, its error, its pictures, and which variables it changed. Do not change what the person
        has: make new variables (df_clean) where you can.
        """
        _check_approved(code)
        stop = CodeStop()
        try:
            result = await stoppable_on_main_thread(
                "run_python", lambda: self._ran(code, stop), stop, self.timeout
            )
        except StuckError as error:
            return ToolResult(text=_MAY_HAVE.format(reason=error))
        return ToolResult(
            text=self._first_use("run_python", _result_text(code, result)), files=result.pictures
        )

    # ---------------------------------------------------------------- by hand

    def in_short(self) -> str:
        """Return in one line what a model can see and do by these tools."""
        names, hidden = _visible()
        read = [name for name in names if self._can_read(name)]
        parts = [f"names and types of {len(names)} variables ({hidden} hidden)"]
        parts += [f"values of {', '.join(read[:10])}{', ...' if len(read) > 10 else ''}"] if read else []  # noqa: PLR2004
        parts += ["the cells"] if self.cells else []
        runs = "; run_python asks you for each call" if self.run else ""
        return f"notebook: the model can see {', '.join(parts)}{runs}; nb.{self!r}.preview() shows it"

    def preview(self) -> str:
        """Return what these tools would tell a model now: variables, those it can look at, cells. Nothing is sent."""
        names, _ = _visible()
        told = [self._listed()]
        told += [self._looked_at(name, 0, ROWS) for name in names if self._can_read(name)]
        told += [("the cells", cell_record().text(10))] if self.cells else []
        return "\n\n".join(_marked(*one, word="...") for one in told)

    def end_always(self) -> tuple[str, ...]:
        """Take back every "Always" of this kernel: each call of run_python asks again. Returns what had been approved."""
        return end_standing_approvals()

    # ---------------------------------------------------- on the main thread

    def _listed(self) -> tuple[str, str]:
        names, hidden = _visible()
        lines = []
        for name, value in list(names.items())[:LISTED]:
            readable = self._can_read(name)
            shape = shape_of(value) if readable else ""
            lines.append(f"{name}: {', '.join(filter(None, (type_name(value), shape)))}")
            lines[-1] += "; look_at shows it" if readable else ""
        lines += [f"... {len(names) - LISTED:,} more"] if len(names) > LISTED else []
        lines += [f"({hidden} hidden: named like a key or a password, or the same object)"] if hidden else []
        return "its variables", "\n".join(lines) or "there are no variables yet"

    def _looked_at(self, name: str, first_row: int, rows: int) -> tuple[str, str]:
        names, _ = _visible()
        if name not in names or not self._can_read(name):
            can = [one for one in names if self._can_read(one)]
            raise UnknownOptionError(
                f"{name!r} cannot be looked at", f"these can: {', '.join(can[:LISTED]) or 'none'}"
            )
        value = names[name]
        text = table_text(value, is_hidden_column, max(1, min(rows, ROWS)), max(0, first_row))
        text = text if text is not None else f"{described(value)}\n{safe_text(value)}"
        return f"the variable {name}", text

    def _ran(self, code: str, stop: CodeStop) -> CodeResult:
        names: Any = notebook_names()
        record = cell_record()
        record.secrets.look(dict(names))
        result = run_code(code, names, stop)
        record.secrets.look(dict(names))
        hidden = record.secrets.hidden_names(dict(names))
        result.changes = [line for line in result.changes if line.partition(":")[0] not in hidden]
        for field in ("output", "value", "error"):
            setattr(result, field, record.secrets.masked(getattr(result, field)))
        result.changes = [record.secrets.masked(line) for line in result.changes]
        return result

    # ------------------------------------------------------------------ words

    def _can_read(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.read)

    async def _told(self, what: str, work: Any) -> str:
        return self._first_use(what, await on_main_thread(what, lambda: _marked(*work())))

    def _first_use(self, what: str, text: str) -> str:
        """Show the person, the first time that an agent uses a tool of the notebook, what its model is sent."""
        used = (current_agent_name(), what.partition("(")[0])
        if used not in self._shown:
            self._shown.add(used)
            say(
                f"{used[0]} uses {used[1]} for the first time; its model is sent: {truncate(text, PREVIEW_CHARS)}"
            )
        return text


def notebook(
    read: str | tuple[str, ...] | list[str] = (),
    *,
    run: bool = False,
    cells: bool | None = None,
    timeout: float = 120.0,
) -> Notebook:
    """Return tools with which an agent sees this notebook, and, with `run`, runs code in it that you approve.

    Names and types of variables can always be listed. `read` are patterns of the names whose values can be looked
    at, such as `("df*",)`; `cells` lets it read the cells executed since `%load_ext` (None: where `read` names
    any). Variables with names like a key's are hidden, and their values masked in all that these tools return.
    `run` offers `run_python(code)`: you are shown the whole code, and it runs between cells once you approve, for
    `timeout` seconds at most. `preview()` of what is returned shows what would be sent. Approval guards against
    mistakes and injected text: it is no sandbox. The tools belong to this kernel: nothing in the record can
    approve, and no other kernel goes on with such a run. Raises UnknownOptionError.

    >>> home = nb.notebook(read=("df*",), run=True)
    >>> [tool.name for tool in home.__nbagent_tools__()]
    ['list_variables', 'look_at', 'read_cells', 'run_python']
    """
    given: Any = (read,) if isinstance(read, str) else read
    if not isinstance(given, tuple | list) or not all(isinstance(one, str) and one for one in given):
        raise UnknownOptionError(
            f"read={read!r:.200} names no variables", 'give patterns: read=("df*", "prices")'
        )
    patterns = tuple(given)
    says: dict[str, Any] = {"run": run, "cells": False if cells is None else cells}
    for name, value in says.items():
        if type(value) is not bool:
            raise UnknownOptionError(
                f"{name}={value!r:.200} is no yes or no", f"give {name}=True or leave it out"
            )
    if not is_number(timeout, at_least=0) or not timeout:
        raise UnknownOptionError(f"timeout={timeout!r:.200} is no time", "give seconds above 0")
    shell = kernel.shell()
    if shell is not None:
        kernel.follow_cells(shell)
        cell_record().start(shell)
    return Notebook(
        patterns, cells=bool(patterns) if cells is None else cells, run=run, timeout=float(timeout)
    )


def _visible() -> tuple[dict[str, Any], int]:
    """Return the person's variables that are not hidden, and how many are. On the main thread."""
    names: Mapping[str, Any] = notebook_names()
    own = {name: value for name, value in list(names.items()) if is_shown(name, value)}
    secrets = cell_record().secrets
    secrets.look(own)
    hidden = secrets.hidden_names(dict(names))
    return {name: value for name, value in own.items() if name not in hidden}, len(own.keys() & hidden)


def _marked(what: str, text: str, word: str | None = None) -> str:
    return as_data(what, cell_record().secrets.masked(text), word)


def _check_approved(code: str) -> None:
    """Refuse code that is not, byte for byte, what a person has approved. Raises ConfigurationError."""
    forbid_inside("running code")
    approved = approved_arguments()
    shown = load_json(approved).get("code") if approved is not None else None
    if not isinstance(shown, str) or digest_of(shown) != digest_of(code):
        raise ConfigurationError(
            "this code was not approved", "only what a person was shown and has approved is run"
        )


def _result_text(code: str, result: CodeResult) -> str:
    """Return what the model is told of code that ran."""
    if not result.began and result.stopped is not None:
        return f"It was not run: {result.stopped}."
    said = f"Approved and run (sha256 {digest_of(code)[:12]})."
    if result.stopped is not None:
        said = _MAY_HAVE.format(reason=result.stopped)
    parts = [said]
    found = [("printed", result.output.strip("\n")), ("value", result.value), ("error", result.error)]
    text = "\n".join(f"{what}:\n{text}" for what, text in found if text)
    parts += [as_data("what the code gave", text)] if text else []
    changes = "\n".join(result.changes) or "none"
    parts.append(
        f"variables that changed, by name and shape: {as_data('names', changes) if result.changes else changes}"
    )
    return "\n".join(parts)
