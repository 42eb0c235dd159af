"""`Panel`: all runs of the store, live in a notebook, as a text table in a terminal. Main thread.

Behind `%agent` and `nb.Panel()`. The widget is `table/widget.py`'s, imported when a panel is displayed in a
kernel.
"""

from __future__ import annotations

from nbagent import kernel
from nbagent.panel.table import static_html
from nbagent.panel.table.row import row_of, row_of_stored


class Panel:
    """All runs of the store: see them, stop them, read them, also while the kernel is busy.

    Shown at the end of a cell, or by `show()`; every panel of a kernel is a view of one table.
    `print(Panel())` is a text table of the newest runs.

    >>> _ = Agent(model="demo:assistant").run("What is the capital of Norway?")
    >>> print(Panel())
    nbagent runs: ...
    completed ... The capital of Norway is Oslo.
    ...
    """

    def show(self) -> None:
        """Display the runs under the current cell; print them where there is no notebook."""
        if not kernel.in_kernel():
            print(self)  # noqa: T201 - a terminal's display is its output
            return
        from nbagent.panel.table.widget import show

        show()

    def dock(self) -> None:
        """Put the runs beside the notebook, in JupyterLab with `ipylab`; print them where there is no notebook.

        Raises ConfigurationError without `ipylab`: it says what to do by hand.
        """
        if not kernel.in_kernel():
            print(self)  # noqa: T201 - a terminal's display is its output
            return
        from nbagent.panel.table.dock import BY_HAND, dock

        dock()
        print(f"the panel opens beside the notebook in JupyterLab; where it does not: %agent, then {BY_HAND}")  # noqa: T201

    def _ipython_display_(self) -> None:
        self.show()

    def __repr__(self) -> str:
        """The newest runs as a text table. Raises StoreError where the store cannot be read."""
        from nbagent import runtime
        from nbagent.store import newest_runs

        current = runtime.current()
        found = newest_runs(current.store, static_html.TERMINAL_SHOWN * 4)
        lines = {row["run_id"]: row_of_stored(row) for row in found.rows}
        # what runs here is further than the file
        lines |= {live.record.launch.run_id: row_of(live.record) for live in current.runs()}
        return static_html.terminal_text(list(lines.values()), found.total)
