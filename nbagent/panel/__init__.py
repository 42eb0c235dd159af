"""The panel: how runs look in a notebook: one run as a card, all runs as a table. A view of the record plus commands.

The card: `view.py` what is shown, as plain data; `snapshot.py` the same as static HTML; `feed.py` the messages that
carry changes; `card.py` the widget; `shown.py` what is on screen, the flusher and the commands.
The table: `line.py` a run as a line; `board.py` all lines and what changed; `table.py` the widget, its ticker and
its displays; `batches.py` what batches say beside their runs; `actions.py` its commands; `tablestatic.py` the same as static HTML and as text; `panel.py` `Panel`.
An opened run: `opened.py` its card over the table's widget, `details.py` all else of it. `prose.py` is Markdown as safe
HTML, `structured.py` a structured answer as table and tree, `widget.py` what all of it is made of. Called by `magics.py` on the main thread. Imports of widgets happen when the
first card or table is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nbagent import kernel
from nbagent.panel.card import static_html
from nbagent.panel.card.data import Row, RunSnapshot, row_of, shown_text
from nbagent.panel.panel import Panel
from nbagent.run import RunOutput

if TYPE_CHECKING:
    from nbagent.runtime import Run

__all__ = ["Panel", "flush_snapshots", "show_batch", "show_card", "summary_html", "summary_plain"]


def show_card(run: Run, *, quiet: bool = False) -> None:
    """Display the run's card under the current cell: live in a notebook, one line of text in a terminal.

    `quiet` displays nothing. The card goes on by itself until the run ends; nothing here waits for the run.
    """
    if quiet:
        return
    if not kernel.in_kernel():
        print(static_html.line_of(_look(run)[0]))  # noqa: T201 - a terminal's display is its output
        return
    from nbagent.panel.card.display import show

    show(run)


def show_batch(batch_id: str) -> None:
    """Display a batch of this kernel under the current cell: one row with its progress that opens to its runs.

    Where there is no notebook nothing is displayed: a batch's own text says where it stands.
    """
    if kernel.in_kernel():
        from nbagent.panel.table.widget import show

        show(batch_id)


def flush_snapshots(runs: Iterable[Run]) -> None:
    """Write the static output of these runs' cards as it is now; called by cells that waited for them.

    Executors without a front end (nbclient, `jupyter execute`) hear only the cell that runs: what the flusher
    wrote after the launching cell had ended is lost there, and written again by this.
    """
    if kernel.in_kernel():
        from nbagent.panel.card.display import flush

        flush(runs)


def summary_html(run: Run | RunOutput) -> str:
    """Return a run at the end of a cell as static HTML, without what differs from one execution to the next."""
    row, text = _look(run)
    return static_html.html_of(static_html.timeless(row), text)


def summary_plain(run: Run | RunOutput) -> str:
    """Return a run at the end of a cell as text.

    In a kernel nbval compares it: a `Run`, which may be at any point, is its names alone; a `RunOutput`, which a
    cell got by waiting, has its status and answer too.
    """
    row, text = _look(run)
    if not kernel.in_kernel():
        return static_html.terminal_text(row, text)
    return static_html.answer_text(row, text) if isinstance(run, RunOutput) else static_html.plain_of(row)


def _look(run: Run | RunOutput) -> tuple[Row, str]:
    if isinstance(run, RunOutput):
        seen = RunSnapshot.of_output(run)
    else:
        seen = (
            RunSnapshot.of_record(run.record) if run.record is not None else RunSnapshot.of_output(run.output)
        )
    return row_of(seen), shown_text(seen.text)
