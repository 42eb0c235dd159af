"""`RunCard`: the widget as the card of one run. Traits are its state, messages its changes.

Made on the main thread by `display.py`; `send_update` is called on the background thread by the updater.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from nbagent.panel.card.data import CardRow
from nbagent.panel.protocol import NumberedChannel
from nbagent.panel.widget import PanelWidget


class CardListener:
    """What tells front ends of one card what changed, under one lock; how it is sent is the heir's."""

    def __init__(self, row: CardRow, text: str) -> None:
        self.channel = NumberedChannel(row, text)
        self._sending = threading.RLock()

    def send_change(self, message: Mapping[str, Any]) -> None:
        """Send a change that fits what front ends have."""
        raise NotImplementedError

    def send_whole(self) -> None:
        """Send everything, as the feed has it."""
        raise NotImplementedError

    def send_update(self, row: CardRow, text: str) -> None:
        """Tell the front ends what changed, if anything did."""
        with self._sending:
            now_s = time.monotonic()
            message = self.channel.next(row, text, now_s)
            if message is not None and "append" in message:
                self.send_change(message)
            elif message is not None or self.channel.resend_due(now_s):
                self.send_whole()

    def send_all(self, row: CardRow, text: str) -> None:
        """Tell the front ends everything, as it is now."""
        with self._sending:
            self.channel.replace(row, text)
            self.send_whole()


class RunCard(CardListener, PanelWidget):
    """One run as a card. `card` is the whole state; changes come as small messages in between."""

    card = traitlets.Dict().tag(sync=True)

    def __init__(
        self, row: CardRow, text: str, *, key: str, command: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        CardListener.__init__(self, row, text)
        PanelWidget.__init__(self, command=command, card={}, key=key, shows="card")

    def full_state(self) -> Mapping[str, Any]:
        """Return what a front end has that heard every message."""
        return self.channel.state

    def send_change(self, message: Mapping[str, Any]) -> None:
        """Send a change."""
        self.send(self.stamped(message))

    def send_whole(self) -> None:
        """Send everything."""
        self.send_state("card")
