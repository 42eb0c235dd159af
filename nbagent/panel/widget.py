"""`PanelWidget`: the one widget, over one script and one style sheet; `shows` says which of its two faces it has.

`card/widget.py` makes it a run's card, `table/widget.py` the table of all runs. Made on the main thread;
messages are sent on the background thread by the updater and the ticker, and heard on the main or a subshell
thread. anywidget is imported only here. Script and styles are built from `frontend/` and committed in `static/`:
nothing is built or fetched where the package is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from nbagent import kernel

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
    first_line = ""

    def __init__(self, *, command: Callable[[Mapping[str, Any]], bool], **traits: Any) -> None:
        self._command = command
        super().__init__(**traits)
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

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """Return the widget's view, with a text that is the same in every execution (nbval compares it)."""
        data: dict[str, Any] = {"text/plain": self.first_line}
        if self._view_name is not None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            data["application/vnd.jupyter.widget-view+json"] = view
        return data
