"""`RunCard`: the widget as the card of one run. Traits are its state, messages its changes.

Made on the main thread by `display.py`; `tell` is called on the background thread by the updater.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from nbagent.panel.card.data import Row
from nbagent.panel.card.static_html import FIRST_LINE
from nbagent.panel.protocol import NumberedChannel
from nbagent.panel.widget import PanelWidget


class CardListener:
    """What tells front ends of one card what changed, under one lock; how it is sent is the heir's."""

    def __init__(self, row: Row, text: str) -> None:
        self.feed = NumberedChannel(row, text)
        self._telling = threading.RLock()

    def say_change(self, message: Mapping[str, Any]) -> None:
        """Send a change that fits what front ends have."""
        raise NotImplementedError

    def say_whole(self) -> None:
        """Send everything, as the feed has it."""
        raise NotImplementedError

    def tell(self, row: Row, text: str) -> None:
        """Tell the front ends what changed, if anything did."""
        with self._telling:
            now_s = time.monotonic()
            message = self.feed.next(row, text, now_s)
            if message is not None and "append" in message:
                self.say_change(message)
            elif message is not None or self.feed.say_again(now_s):
                self.say_whole()

    def tell_all(self, row: Row, text: str) -> None:
        """Tell the front ends everything, as it is now."""
        with self._telling:
            self.feed.restate(row, text)
            self.say_whole()


class RunCard(CardListener, PanelWidget):
    """One run as a card. `card` is the whole state; changes come as small messages in between."""

    card = traitlets.Dict().tag(sync=True)
    first_line = FIRST_LINE

    def __init__(
        self, row: Row, text: str, *, key: str, command: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        CardListener.__init__(self, row, text)
        PanelWidget.__init__(self, command=command, card={}, key=key, shows="card")

    def whole(self) -> Mapping[str, Any]:
        """Return what a front end has that heard every message."""
        return self.feed.state

    def say_change(self, message: Mapping[str, Any]) -> None:
        """Send a change."""
        self.send(self.stamped(message))

    def say_whole(self) -> None:
        """Send everything."""
        self.send_state("card")
