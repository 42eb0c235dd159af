"""Cells that wait for runs: each runs once, on the kernel's main thread, between two others.

`after` is called by the magic. Where the front end names its cells, it returns at once: one thread for each waiting
cell waits for the runs, and the main thread runs the cell when it is free, with its output below the cell itself. A
front end that names none (nbclient, papermill), a terminal and a script have nothing between cells: there the cell
waits in its place, and runs.
"""

from __future__ import annotations

import contextvars
import html
import threading
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbagent import kernel
from nbagent.core import main_thread_soon
from nbagent.errors import UnknownOptionError, replace_traceback
from nbagent.magics.after import left_behind

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_waiting: dict[str, _WaitingCell] = {}  # by the front end's id of the cell


def after(shell: InteractiveShell, names: list[str], cell: str) -> None:
    """Have `cell` run once what `names` say has ended: variables that hold runs, batches or evaluations, or labels, or ids.

    A cell that waits already is replaced where it is run again. Raises UnknownNameError and UnknownOptionError, and
    what the cell itself raised where it ran in its place.
    """
    if not cell.strip():
        raise UnknownOptionError("%%after has no cell to run", "write below it what is to be done then")
    source = shell.transform_cell(cell)  # type: ignore[no-untyped-call]
    if shell.should_run_async(cell, transformed_cell=source):
        raise UnknownOptionError(
            "the cell of %%after awaits", "leave the await out: what it would wait for has ended by then"
        )
    find = _Finder(shell.user_ns, names)
    find()  # a name that is none is said now
    cell_id = kernel.current_cell_id()
    replaced = _waiting.pop(cell_id, None) if cell_id else None
    if replaced is not None:
        replaced.replace()
    if cell_id is None or not kernel.in_kernel() or main_thread_soon() is None:
        while begun := [one for one in find() if not one.done()]:
            begun[0].wait()
        ran = shell.run_cell(cell, store_history=False)  # type: ignore[no-untyped-call]
        failure = ran.error_before_exec or ran.error_in_exec
        if failure is not None:
            replace_traceback(failure, f"the cell after {', '.join(names)} failed; its error stands above")
            raise failure
        return
    waiting = _WaitingCell(shell, cell_id, find, cell)
    _waiting[cell_id] = waiting
    _remember()
    waiting.start()


def _remember() -> None:
    left_behind.remember([one.find.line for one in _waiting.values()])


class _Finder:
    """What the names stand for at the moment: a name may be given to a newer run while its cell waits."""

    def __init__(self, namespace: Mapping[str, Any], names: list[str]) -> None:
        self.line = " ".join(names)
        self.names = names
        self._namespace = namespace

    def __call__(self) -> list[Any]:
        """Return runs, batches and evaluations in the order of the names. Raises UnknownNameError."""
        from nbagent.batch import Batch, get
        from nbagent.evaluation import Evaluation
        from nbagent.runtime import Run

        found: list[Any] = []
        for name in self.names:
            value = self._namespace.get(name)
            listed = value if isinstance(value, list | tuple) and value else [value]
            if all(isinstance(one, Run | Batch | Evaluation) for one in listed):
                found += listed
            else:
                found.append(get(name))
        return found


class _WaitingCell:
    """One cell that waits. Made, replaced and run on the main thread; `_wait` on a thread of its own."""

    def __init__(self, shell: InteractiveShell, cell_id: str, find: _Finder, cell: str) -> None:
        self.find = find
        self._shell = shell
        self._cell_id = cell_id
        self._cell = cell
        self._is_over = False
        self._display_id = uuid.uuid4().hex
        self._parent = kernel.current_parent()  # output goes below the cell that has it
        self._context = contextvars.copy_context()

    def start(self) -> None:
        """Show that the cell waits, and wait."""
        kernel.publish(_note(f"waits for {', '.join(self.find.names)}"), display_id=self._display_id)
        ended = self._context.copy()
        threading.Thread(target=ended.run, args=(self._wait,), name="nbagent-after", daemon=True).start()

    def replace(self) -> None:
        """Give way to the same cell, run again."""
        self._is_over = True

    def _wait(self) -> None:
        from nbagent import runtime

        current = runtime.current()
        awaited = self.find()
        while True:
            for one in awaited:
                one.wait()
            # a set of no runs: in no wait, also not in one for these
            done = current.thread.submit(current.main.call(self._look, for_runs=frozenset())).result()
            if done is None:
                return
            awaited = done

    def _look(self) -> list[Any] | None:
        """Run the cell where all has ended, or return what has begun since under a name. On the main thread."""
        if self._is_over:
            return None
        begun = [one for one in self.find() if not one.done()]
        if begun:
            return begun
        self._is_over = True
        _waiting.pop(self._cell_id, None)
        _remember()
        self._context.run(self._run)
        return None

    def _run(self) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        note = _note(f"after {', '.join(self.find.names)}, at {time}")
        kernel.publish(note, display_id=self._display_id, update=True)
        with kernel.output_of(self._parent):
            self._shell.run_cell(self._cell, store_history=False)  # type: ignore[no-untyped-call]


def _note(text: str) -> Mapping[str, str]:
    return {
        "text/plain": text,
        "text/html": f'<div style="opacity: 0.7; font-size: 90%">{html.escape(text)}</div>',
    }
