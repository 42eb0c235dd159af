"""The panel: how runs look in a notebook: one run as a card, all runs as a table. A view of the record plus commands.

widget.py       `PanelWidget`, what card and table share    panel.py    `Panel()`: the table, or text in a terminal
protocol.py     the numbered messages that carry changes    commands.py a click's command: taken once, performed
card/data.py    what a card shows, as plain data            card/display.py     displayed cards and their updater
card/widget.py  the card's widget                           card/static_html.py the card without script, and as text
card/structured.py  a structured answer as table and tree   card/markdown.py    Markdown as safe HTML
card/maths.py   formulas in it as MathML          card/code_colours.py  the colours of its code
table/row.py    a run as a row of the table                 table/model.py      all rows, and what changed
table/batch_items.py  a batch's rows and counts of its answers
table/widget.py the table's widget, its ticker, displays    table/batches.py    batches' states beside their runs
table/dock.py   the table beside the notebook (JupyterLab)
table/row_commands.py  cancel, retry, resume from the table table/static_html.py the table without script, and as text
details/data.py what an opened run shows beside its card    details/view.py     runs opened in the table
details/run_trace.py  calls, pauses, members on one clock  details/setup.py  its system prompt, tools, settings
details/experiments.py  thumbs and notes, a fork from a step

Called by the magics on the main thread. Widgets are imported with the first card or table that is displayed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nbagent import kernel
from nbagent.panel.card import markdown, static_html
from nbagent.panel.card.data import CardRow, RunSnapshot, card_row, shown_text
from nbagent.panel.panel import Panel
from nbagent.panel.table.static_html import batch_html
from nbagent.run import RunOutput

if TYPE_CHECKING:
    from nbagent.batch import Batch
    from nbagent.runtime import Run

__all__ = [
    "Panel",
    "flush_snapshots",
    "show_batch",
    "show_card",
    "show_value",
    "summary_html",
    "summary_plain",
]


def show_card(run: Run, *, quiet: bool = False) -> None:
    """Display the run's card under the current cell: live in a notebook, one line of text in a terminal.

    `quiet` displays nothing. The card goes on by itself until the run ends; nothing here waits for the run.
    """
    if quiet:
        return
    if not kernel.in_kernel():
        print(static_html.line_of(_row_and_text(run)[0]))  # noqa: T201 - a terminal's display is its output
        return
    from nbagent.panel.card.display import show

    show(run)


def show_value(value: Run | Batch) -> None:
    """Display a run or a batch that a cell ends in: its live card, unless the cell shows that already.

    Called by IPython in a kernel. A batch that another kernel holds is its counts.
    """
    from nbagent.panel.card import display
    from nbagent.panel.table import batches, widget
    from nbagent.runtime import Run

    if isinstance(value, Run):
        if not display.is_shown(value):
            show_card(value)
    elif value.batch_id not in batches.own_batches():
        html = batch_html((), batches.state_of(value), key="")
        kernel.publish({"text/plain": repr(value), "text/html": html})
    elif not widget.is_shown(value.batch_id):
        show_batch(value.batch_id)


def show_batch(batch_id: str) -> None:
    """Display a batch of this kernel under the current cell: one row with its progress that opens to its runs.

    Where there is no notebook nothing is displayed: a batch's own text says where it stands.
    """
    if kernel.in_kernel():
        from nbagent.panel.table.widget import show

        show(batch_id)


def flush_snapshots(runs: Iterable[Run]) -> None:
    """Write the static output of these runs' cards as it is now; called by cells that waited for them.

    Executors without a front end (nbclient, `jupyter execute`) hear only the cell that runs: what the updater
    wrote after the launching cell had ended is lost there, and written again by this.
    """
    if kernel.in_kernel():
        from nbagent.panel.card.display import flush

        flush(runs)


def summary_html(run: Run | RunOutput) -> str:
    """Return a run at the end of a cell as static HTML, without what differs from one execution to the next."""
    row, text = _row_and_text(run)
    markdown.lay_out(row, text)
    return static_html.html_of(static_html.timeless(row), text)


def summary_plain(run: Run | RunOutput) -> str:
    """Return a run at the end of a cell as text.

    In a terminal a `Run` is a line, a `RunOutput` its status and answer. In a kernel nbval compares it: a `Run`,
    which may be at any point, is its names alone; a `RunOutput`, which a cell got by waiting, has its status
    and answer too.
    """
    row, text = _row_and_text(run)
    if not kernel.in_kernel():
        return (
            static_html.terminal_text(row, text) if isinstance(run, RunOutput) else static_html.line_of(row)
        )
    return static_html.answer_text(row, text) if isinstance(run, RunOutput) else static_html.plain_of(row)


def _row_and_text(run: Run | RunOutput) -> tuple[CardRow, str]:
    if isinstance(run, RunOutput):
        snapshot = RunSnapshot.of_output(run)
    else:
        snapshot = (
            RunSnapshot.of_record(run.record) if run.record is not None else RunSnapshot.of_output(run.output)
        )
    return card_row(snapshot), shown_text(snapshot.text)
