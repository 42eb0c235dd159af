"""Run the code that a person has approved, in the notebook's variables. On the main thread; `main_thread_work.py` asks for it.

Plain Python: no magics, no shell, nobody types. Its output goes to the model, not into a cell.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
import linecache
import os
import subprocess
import threading
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from nbagent import kernel
from nbagent.core import printable
from nbagent.events import FilePart
from nbagent.notebook_tools.changes import Variables, is_shown
from nbagent.notebook_tools.code_output import CodeOutput
from nbagent.notebook_tools.code_stop import CodeStop, CodeStopped
from nbagent.notebook_tools.safe_tables import table_text
from nbagent.notebook_tools.safe_text import safe_text
from nbagent.notebook_tools.secrets_here import is_hidden_column
from nbagent.runtime import CODE_FILE, code_at_work

_MAGICS = (
    "run_line_magic",
    "run_cell_magic",
    "magic",
    "run_cell",
    "run_cell_async",
    "ex",
    "ev",
    "system",
    "getoutput",
)


class RefusedInCodeError(RuntimeError):
    """Code that a model wrote asked for what is a person's: magics, the shell, typed input."""


@dataclass(slots=True)
class CodeResult:
    """What became of a piece of code. `stopped` is why it was cut off, where it was."""

    output: str = ""
    value: str = ""
    error: str = ""
    stopped: str | None = None
    began: bool = True
    by_person: bool = False
    changes: list[str] = field(default_factory=list)
    pictures: tuple[FilePart, ...] = ()


def digest_of(code: str) -> str:
    """Return the hash by which code that was approved and code that runs are known to be the same bytes."""
    return hashlib.sha256(code.encode()).hexdigest()


def run_code(code: str, names: MutableMapping[str, Any], stop: CodeStop) -> CodeResult:
    """Run code in these names to its end, or until it is stopped; never raises what the code raises."""
    file = f"{CODE_FILE}{digest_of(code)[:12]}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    before = Variables(_own(names))
    output, result = CodeOutput(), CodeResult()
    with output.capture(), _refusals(), code_at_work():
        try:
            stop.run(lambda: _execute(code, file, names, output, result))
        except CodeStopped:
            result.stopped, result.by_person = stop.reason or "Stop was pressed", stop.by_person
        except BaseException as error:  # noqa: BLE001 - it is the model's to read, SystemExit and all
            result.error = _error_text(error)
    result.began = stop.begun
    result.output, result.pictures = printable(output.text), tuple(output.pictures)
    result.changes = before.changes(_own(names))
    return result


def _own(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in list(names.items()) if is_shown(name, value)}


def _execute(
    code: str, file: str, names: MutableMapping[str, Any], output: CodeOutput, result: CodeResult
) -> None:
    body, last = _compiled(code, file)
    exec(body, names)  # type: ignore[arg-type]  # noqa: S102 - a person has approved these bytes
    if last is not None:
        value = eval(last, names)  # type: ignore[arg-type]  # noqa: S307 - the same
        if value is not None and not output.add(value):
            result.value = value_text(value)


def _compiled(code: str, file: str) -> tuple[CodeType, CodeType | None]:
    """Compile code, its last expression apart, as a cell's is."""
    tree = ast.parse(code, file)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";"):
        last = compile(ast.Expression(tree.body.pop().value), file, "eval", dont_inherit=True)  # type: ignore[attr-defined]
    return compile(tree, file, "exec", dont_inherit=True), last


def value_text(value: object) -> str:
    """Return a value as a cell would show it; of known types as `look_at` does. It runs the value's own `repr`."""
    known = table_text(value, is_hidden_column)
    if known is not None:
        return known
    text = safe_text(value)
    return text if not text.startswith("<") else repr(value)


def _error_text(error: BaseException) -> str:
    """Return a traceback from the code's own first line on."""
    frames = traceback.TracebackException.from_exception(error, limit=-12, capture_locals=False)
    own = [at for at, frame in enumerate(frames.stack) if frame.filename.startswith(CODE_FILE)]
    if own:
        del frames.stack[: own[0]]
    try:
        return printable("".join(frames.format())).strip()
    except Exception:  # noqa: BLE001 - an exception's text is the code's own
        return type(error).__name__


# ------------------------------------------------------------------- refusals


@contextmanager
def _refusals() -> Iterator[None]:
    """Refuse the main thread what is a person's while the code runs."""
    no_typing, no_shell = "nobody can type an answer", "magics and the shell are a person's"
    with contextlib.ExitStack() as undo:
        _refuse(undo, builtins, "input", no_typing)
        _refuse(undo, os, "system", no_shell)
        _refuse(undo, os, "popen", no_shell)
        _refuse(undo, subprocess.Popen, "__init__", no_shell, when=lambda options: options.get("shell"))
        shell = kernel.shell()
        for name in _MAGICS if shell is not None else ():
            _refuse(undo, shell, name, no_shell)
        ipykernel = kernel.kernel_of(shell)
        for name in ("raw_input", "getpass") if ipykernel is not None else ():
            _refuse(undo, ipykernel, name, no_typing)
        yield


def _refuse(undo: contextlib.ExitStack, owner: Any, name: str, why: str, when: Any = None) -> None:
    """Refuse calls of this name from the main thread; the others are let through."""
    if (before := getattr(owner, name, None)) is None:
        return

    def refused(*arguments: Any, **options: Any) -> Any:
        if threading.current_thread() is not threading.main_thread() or (when and not when(options)):
            return before(*arguments, **options)
        if isinstance(owner, type):
            arguments[0].returncode = 0  # nothing was started: nothing is waited for
        msg = f"{name if not isinstance(owner, type) else 'shell=True'} is refused in run_python: {why}"
        raise RefusedInCodeError(msg)

    own = vars(owner).get(name)
    setattr(owner, name, refused)
    if own is None:  # it is the class's
        undo.callback(delattr, owner, name)
    else:
        undo.callback(setattr, owner, name, own)
