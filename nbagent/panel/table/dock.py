"""The table of all runs beside the notebook, where JupyterLab can be asked for that. Main thread.

`ipylab` puts a live widget into a pane of its own; it is an extra, imported here alone. Front ends other than
JupyterLab know no such pane, and hear nothing of it.
"""

from __future__ import annotations

from typing import Any

import traitlets

from nbagent.errors import ConfigurationError
from nbagent.panel.table.widget import table_here

BY_HAND = "right-click the panel's output and choose 'Create New View for Cell Output'"
_panes: dict[str, Any] = {}  # by the widget's key: a closed pane is opened anew, a second dock adds none


def dock() -> None:
    """Open the panel in a pane on the right of the notebook. Raises ConfigurationError without ipylab."""
    try:
        from ipylab import JupyterFrontEnd, Panel  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigurationError(
            "the panel is docked by ipylab, which is not installed",
            f'pip install "nbagent-jupyter[dock]", restart the kernel and reload the page; or show it with %agent, {BY_HAND}',
        ) from None

    class Pane(Panel):  # type: ignore[misc]
        """A pane without a layout of the widgets' own: it would take back the size that JupyterLab gives it."""

        layout = traitlets.Any(None, allow_none=True).tag(sync=True)

    table = table_here()
    table.begin()
    if (old := _panes.pop(table.widget.key, None)) is not None:
        old.close()
    pane = Pane(children=[table.widget])
    pane.title.label = "nbagent runs"
    pane.add_class("nbagent-docked")
    JupyterFrontEnd().shell.add(pane, "main", {"mode": "split-right"})
    _panes[table.widget.key] = pane
