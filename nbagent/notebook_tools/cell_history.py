"""The cells as they were executed since `%load_ext`: source, text output, result and error, bounded, in memory alone.

Heard from IPython's own events on the main thread. What a cell showed is taken from what was sent to the front end:
no value is asked for its `repr` a second time.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nbagent.core import printable, truncate
from nbagent.notebook_tools.secrets_here import Secrets

CELLS = 100
SOURCE_CHARS = 10_000
OUTPUT_CHARS = 4_000
_TAKEN_CHARS = 40_000  # of a cell's output while it runs


@dataclass(slots=True)
class Cell:
    """One execution of a cell."""

    number: int
    source: str
    output: list[str] = field(default_factory=list)
    chars: int = 0
    result: str = ""
    error: str = ""
    running: bool = True

    def add(self, text: str) -> None:
        """Add what was printed or shown; what is too much is counted only."""
        if self.chars < _TAKEN_CHARS:
            self.output.append(text[: _TAKEN_CHARS - self.chars])
        self.chars += len(text)


class CellRecord:
    """The latest cells of one shell, and the secrets that stood in its variables at their ends."""

    def __init__(self) -> None:
        self.cells: deque[Cell] = deque(maxlen=CELLS)
        self.secrets = Secrets()
        self._shell: Any = None
        self._at_work: list[Cell] = []  # the innermost last: %%capture runs a cell within a cell
        self._restore: list[Callable[[], None]] = []

    # ---------------------------------------------------------------- hearing

    def start(self, shell: Any) -> None:
        """Keep the cells of this shell from the next one on; a second call does nothing."""
        if self._shell is shell:
            return
        self.stop()
        self._shell = shell
        shell.events.register("pre_run_cell", self._began)
        shell.events.register("post_run_cell", self._ended)

    def stop(self) -> None:
        """Keep no more cells."""
        if self._shell is not None:
            for event, hook in (("pre_run_cell", self._began), ("post_run_cell", self._ended)):
                if hook in self._shell.events.callbacks.get(event, ()):
                    self._shell.events.unregister(event, hook)
        self._put_back()
        self._at_work.clear()
        self._shell = None

    def _began(self, info: Any = None) -> None:
        source = getattr(info, "raw_cell", "")
        cell = Cell(self._shell.execution_count, source[:_TAKEN_CHARS] if type(source) is str else "")
        self.cells.append(cell)
        self._at_work.append(cell)
        self._listen(cell)

    def _listen(self, cell: Cell) -> None:
        """Hear what this cell shows, and no other."""
        self._put_back()
        for stream in (sys.stdout, sys.stderr):
            self._listen_to_stream(stream, cell)
        self._listen_to_displays(cell)

    def _ended(self, result: Any = None) -> None:
        self._put_back()
        if self._at_work:
            cell = self._at_work.pop()
            cell.running = False
            error = getattr(result, "error_before_exec", None) or getattr(result, "error_in_exec", None)
            if error is not None:
                cell.error = _error_text(error)
        if self._at_work:
            self._listen(self._at_work[-1])
        with contextlib.suppress(
            RuntimeError
        ):  # another thread changes a container; what is told looks again
            self.secrets.look(dict(self._shell.user_ns))

    def _put_back(self) -> None:
        for undo in self._restore:
            undo()
        self._restore = []

    def _listen_to_stream(self, stream: Any, cell: Cell) -> None:
        """Hear what the main thread writes while the cell runs; the stream stays the object that it is."""
        write = stream.write

        def heard(text: str) -> Any:
            if type(text) is str and threading.current_thread() is threading.main_thread():
                cell.add(text)
            return write(text)

        try:
            stream.write = heard
        except (AttributeError, TypeError):  # a stream of its own kind: its output is not kept
            return

        def undo() -> None:
            if vars(stream).get("write") is heard:
                del stream.write

        self._restore.append(undo)

    def _listen_to_displays(self, cell: Cell) -> None:
        shell = self._shell
        publisher, displayhook = shell.display_pub, shell.displayhook
        if hasattr(publisher, "register_hook"):  # a kernel's; its hooks are those of this thread

            def shown(message: Any) -> Any:
                if message["header"]["msg_type"] == "display_data":
                    cell.add(_plain_of(message["content"].get("data")) + "\n")
                return message

            publisher.register_hook(shown)
            self._restore.append(lambda: publisher.unregister_hook(shown))
        write = displayhook.write_format_data

        def result(format_dict: Any, md_dict: Any = None) -> None:
            cell.result = _plain_of(format_dict)[:_TAKEN_CHARS]
            write(format_dict, md_dict)

        displayhook.write_format_data = result
        self._restore.append(lambda: vars(displayhook).pop("write_format_data", None))

    # ---------------------------------------------------------------- reading

    def text(self, last: int) -> str:
        """Return the latest cells as text, the oldest first; masks what the secrets have in them."""
        chosen = list(self.cells)[-max(1, last) :]
        for cell in chosen:
            self.secrets.look_at_code(cell.source)
        return (
            "\n\n".join(_cell_text(cell, self.secrets.masked) for cell in chosen)
            or "no cell has been executed since %load_ext nbagent"
        )


def _cell_text(cell: Cell, masked: Callable[[str], str]) -> str:
    """Return a cell as text; masked before anything is cut, so that no half of a secret is left."""
    output = masked(printable("".join(cell.output)).strip("\n"))
    if cell.chars > _TAKEN_CHARS:  # its end was not kept
        output = f"{output[:OUTPUT_CHARS]}\n[... of {cell.chars:,} characters]"
    parts = [f"cell [{cell.number}]{' (at work)' if cell.running else ''}"]
    parts.append(truncate(masked(cell.source), SOURCE_CHARS).rstrip())
    parts += [f"printed:\n{truncate(output, OUTPUT_CHARS + 100)}"] if output else []
    parts += [f"result:\n{truncate(masked(cell.result), OUTPUT_CHARS)}"] if cell.result else []
    parts += [f"failed:\n{truncate(masked(cell.error), OUTPUT_CHARS)}"] if cell.error else []
    return "\n".join(parts)


def _plain_of(data: Any) -> str:
    text = data.get("text/plain", "") if type(data) is dict else ""
    return text if type(text) is str else ""


def _error_text(error: BaseException) -> str:
    """Return what IPython has shown of it: type and message; a message that cannot be made is left out."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"[:_TAKEN_CHARS]
    except Exception:  # noqa: BLE001 - an exception's text may be user code, which has failed in the cell already
        return name


_record = CellRecord()


def cell_record() -> CellRecord:
    """Return the record of this kernel's cells."""
    return _record
