"""What code shows while it runs: text that the main thread writes, displays, figures. On the main thread.

Only the main thread's: what background runs print, or send to their cards, goes where it always goes.
"""

from __future__ import annotations

import base64
import binascii
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nbagent import kernel
from nbagent.events import FilePart
from nbagent.prompts import file_of

MOST_CHARS = 200_000
MOST_PICTURES = 8
_MARGIN = 5_000


class CodeOutput:
    """Text and pictures of one piece of code."""

    def __init__(self) -> None:
        self.pictures: list[FilePart] = []
        self._pieces: list[str] = []
        self._drawn: list[object] = []
        self._chars = 0

    @property
    def text(self) -> str:
        """What was written, and what was shown as text, in its order."""
        text = "".join(self._pieces)
        if self._chars > MOST_CHARS:  # what the end has cut in two is left out whole
            text = f"{text[:-_MARGIN]}\n[... of {self._chars:,} characters ...]"
        return text

    def write(self, text: object) -> int:
        """Take what is written."""
        if not isinstance(text, str):
            msg = f"write() argument must be str, not {type(text).__name__}"
            raise TypeError(msg)
        if self._chars < MOST_CHARS:
            self._pieces.append(text[: MOST_CHARS - self._chars])
        self._chars += len(text)
        return len(text)

    def show(self, data: Any) -> None:
        """Take what is displayed: its picture, else its text."""
        if not isinstance(data, dict):
            return
        for kind in ("image/png", "image/jpeg"):
            if kind in data and self._picture(data[kind]):
                return
        text = data.get("text/plain")
        if isinstance(text, str):
            self.write(text + "\n")

    def _picture(self, data: Any) -> bool:
        try:
            return self.add(base64.b64decode(data) if isinstance(data, str) else bytes(data))
        except (TypeError, ValueError, binascii.Error):
            return False

    def add(self, value: object) -> bool:
        """Take a value that is a picture; False for one that is none. Raises what drawing it raises."""
        part = file_of(value, f"picture-{len(self.pictures) + 1}")
        if part is None:
            return False
        self._drawn.append(getattr(value, "figure", None) or value)  # of axes their figure
        if len(self.pictures) < MOST_PICTURES:
            self.pictures.append(part)
            self.write(f"[picture {part.name}]\n")
        else:
            self.write("[a further picture was left out]\n")
        return True

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Take what is written and displayed in here, figures of matplotlib included."""
        undo = [*self._streams(), *self._displays()]
        before = _figures()
        try:
            yield
            self._new_figures(before)
        finally:
            for one in reversed(undo):
                one()

    def _streams(self) -> list[Callable[[], None]]:
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _MainThreadOnly(self, out), _MainThreadOnly(self, err)

        def put_back() -> None:
            sys.stdout, sys.stderr = out, err

        return [put_back]

    def _displays(self) -> list[Callable[[], None]]:
        publisher: Any = getattr(kernel.shell(), "display_pub", None)
        if not hasattr(publisher, "register_hook"):
            return []

        def take(message: Any) -> Any:
            self.show(message["content"].get("data"))
            return None

        publisher.register_hook(take)  # of this thread alone
        return [lambda: publisher.unregister_hook(take)]

    def _new_figures(self, before: frozenset[int]) -> None:
        """Take the figures that the code has left open, and close them: else the next cell would show them."""
        for number in sorted(_figures() - before):
            pyplot: Any = sys.modules["matplotlib.pyplot"]
            figure = pyplot.figure(number)
            if not any(figure is one for one in self._drawn):
                self.add(figure)
            pyplot.close(number)


class _MainThreadOnly:
    """A stream that takes what the main thread writes; other threads write into the one that was there."""

    def __init__(self, taking: CodeOutput, before: Any) -> None:
        self._taking, self._before = taking, before

    def write(self, text: str) -> Any:
        main = threading.current_thread() is threading.main_thread()
        return self._taking.write(text) if main else self._before.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._before, name)


def _figures() -> frozenset[int]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return frozenset(pyplot.get_fignums()) if pyplot is not None else frozenset()
