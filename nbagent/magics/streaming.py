# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""A run in the foreground: its text on its card as it comes, or printed. On the kernel's main thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbagent.core import PrintablePieces
from nbagent.errors import WaitTimeout

if TYPE_CHECKING:
    from nbagent.runtime import Run


def follow_on_card(run: Run) -> None:
    """Show the run's card and wait until the run ends; its last state is written by this cell."""
    from nbagent.panel import flush_snapshots, show_card

    show_card(run)
    try:
        run.wait()
    finally:
        flush_snapshots([run])


def stream(run: Run) -> None:
    """Print the text as it comes until the run ends."""
    shown, pieces = "", PrintablePieces()
    while True:
        over = _over(run, 0.05)
        text = run.text
        if not text.startswith(shown):  # a try was repeated: its text is void
            print()
            shown, pieces = "", PrintablePieces()
        print(pieces.take(text[len(shown) :]), end="", flush=True)
        shown = text
        if over:
            break
    if shown:
        print()


def _over(run: Run, seconds: float) -> bool:
    try:
        run.wait(seconds)
    except WaitTimeout:
        run.report_pause()
        return False
    return True
