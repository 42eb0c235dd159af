"""`RunCard`: the widget, one class over `card.js` and `card.css`. Traits are its state, messages its changes.

Made on the main thread by `shown.py`; `tell` is called on the background thread by the flusher, the message
handler on the main or a subshell thread. anywidget is imported only here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from nbagent import kernel
from nbagent.panel.feed import Feed
from nbagent.panel.snapshot import FIRST_LINE
from nbagent.panel.view import Row

HERE = Path(__file__).parent


class RunCard(anywidget.AnyWidget):
    """One run as a card. `card` is the whole state; changes come as small messages in between.

    `command` is given each command that comes over the comm, the way round when the control channel is closed.
    """

    _esm = HERE / "card.js"
    _css = HERE / "card.css"
    card = traitlets.Dict().tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, row: Row, text: str, *, key: str, command: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        self.feed = Feed(row, text)
        self._telling = threading.RLock()
        self._command = command
        super().__init__(card={}, key=key)
        self.on_msg(self._heard)
        kernel.free_comm(self.comm)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Return the traits with the truth of now in `card`: what a page that loads later begins with."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        if "card" in state:
            state["card"] = self._stamped(self.feed.state)
        return state

    def tell(self, row: Row, text: str) -> None:
        """Tell the front ends what changed, if anything did."""
        with self._telling:
            now_s = time.monotonic()
            message = self.feed.next(row, text, now_s)
            if message is not None and "append" in message:
                self.send(self._stamped(message))
            elif message is not None or self.feed.say_again(now_s):
                self.send_state("card")

    def tell_all(self, row: Row, text: str) -> None:
        """Tell the front ends everything, as it is now."""
        with self._telling:
            self.feed.restate(row, text)
            self.send_state("card")

    @staticmethod
    def _stamped(state: Mapping[str, Any]) -> dict[str, Any]:
        """Add the kernel's clock, from which the page counts on: its own may be wrong."""
        return {**state, "now_ms": round(time.time() * 1000)}

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        if isinstance(content, Mapping):
            self._command(content)

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """The widget's view, with a text that is the same in every execution (nbval compares it)."""
        data: dict[str, Any] = {"text/plain": FIRST_LINE}
        if self._view_name is not None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            data["application/vnd.jupyter.widget-view+json"] = view
        return data
