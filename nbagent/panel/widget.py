"""`PanelWidget`: the one widget, over one script and one style sheet; `shows` says which of its two faces it has.

`card/widget.py` makes it a run's card, `table/widget.py` the table of all runs. Made on the main thread;
messages are sent on the background thread by the updater and the ticker, and heard on the main or a subshell
thread. anywidget is imported only here. Script and styles are built from `frontend/` and committed in `static/`:
nothing is built or fetched where the package is installed.

A view in a saved notebook is an error once the kernel is gone. So its output is turned into an empty place
holder: in JupyterLab and Notebook 7 by the page as soon as it is shown (`frontend/src/hosts.ts`), which puts
the view into that; elsewhere by `take_out`, once there is nothing more to see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import anywidget
import traitlets

from nbagent import kernel
from nbagent.panel.commands import add_commands

STATIC = Path(__file__).parent / "static"


class PanelWidget(anywidget.AnyWidget):
    """What card and table share. `full_state` gives the state that a page that loads now begins with.

    `command` is given each command that comes over the comm, the way round when the control channel is
    closed.
    """

    _esm = (STATIC / "panel.js").read_text(encoding="utf-8")
    _css = (STATIC / "panel.css").read_text(encoding="utf-8")
    shows = traitlets.Unicode().tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    host = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, command: Callable[[Mapping[str, Any]], bool], **traits: Any) -> None:
        self._command = command
        self._view_ids: list[str] = []  # of displays whose output is the view still
        super().__init__(**traits, host=f"nbagent-view-{uuid4().hex}")
        _open_widgets[self.host] = self
        self.on_msg(self._receive)
        kernel.free_comm(self.comm)

    def full_state(self) -> Mapping[str, Any]:
        """Return the state of now."""
        raise NotImplementedError

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Return the traits with the truth of now: what a page that loads later begins with."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        if self.shows in state:
            state[self.shows] = self.stamped(self.full_state())
        return state

    @staticmethod
    def stamped(state: Mapping[str, Any]) -> dict[str, Any]:
        """Add the kernel's clock, from which the page counts on: its own may be wrong."""
        return {**state, "now_ms": round(time.time() * 1000)}

    def _receive(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, Mapping):
            self._command(content)

    def display(self) -> None:
        """Put a view under the current cell."""
        view_id = uuid4().hex
        self._view_ids.append(view_id)
        kernel.publish(self._repr_mimebundle_(), display_id=view_id)

    def take_out(self) -> None:
        """Leave of each view's output its place holder; in the cell of the calling context, or from any later one."""
        while self._view_ids:
            kernel.publish(self._place(), display_id=self._view_ids.pop(), update=True)

    def taken_out(self) -> None:
        """Hear that a page has done that."""
        self._view_ids.clear()

    def _place(self) -> dict[str, Any]:
        """Return the place holder: nothing to see, nothing to read, the same in every execution (nbval compares it)."""
        return {"text/plain": "", "text/html": f'<div class="nbagent-host {self.host}"></div>'}

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """Return the view, and what is left of it once it is taken out."""
        data = self._place()
        if self._view_name is not None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            data["application/vnd.jupyter.widget-view+json"] = view
        return data


async def _hosted(content: Mapping[str, Any]) -> None:
    widget = _open_widgets.get(content["run_id"])
    if widget is not None:
        widget.taken_out()


_open_widgets: WeakValueDictionary[str, PanelWidget] = WeakValueDictionary()
add_commands(hosted=_hosted)
