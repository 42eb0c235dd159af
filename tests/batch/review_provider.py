"""What the scripted provider says to the rows of a batch: an answer made of the row itself, and a limit where asked.

`Reviews.answer` goes into `provider.otherwise`. It runs on the provider's thread.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.server import Request
from tests.provider.steps import Script, error

SCHEMA = {
    "title": "Review",
    "type": "object",
    "properties": {"label": {"type": "string"}, "words": {"type": "integer"}},
    "required": ["label", "words"],
    "additionalProperties": False,
}
TEMPLATE = "Classify: {{ row.text }}"


def prompt_of(request: Request) -> str:
    """The last message of a request."""
    content: str = request.body["messages"][-1]["content"]
    return content


def answer_to(prompt: str) -> dict[str, Any]:
    """The answer that a row with this prompt has."""
    text = prompt.partition(": ")[2]
    return {"label": f"label of {text}"[:200], "words": len(text.split())}


class Reviews:
    """Answers each row; counts how often each prompt was asked."""

    def __init__(self, *, refuses: Callable[[str], Script | None] = lambda _: None) -> None:
        self.asked: Counter[str] = Counter()
        self._refuses = refuses
        self._changed = threading.Condition()

    def answer(self, request: Request) -> Script:
        """Return the script for one row."""
        prompt = prompt_of(request)
        with self._changed:
            self.asked[prompt] += 1
            self._changed.notify_all()
        refused = self._refuses(prompt)
        if refused is not None:
            return refused
        return (
            json_reply(answer_to(prompt)) if "response_format" in request.body else text_reply(f"<{prompt}>")
        )

    def wait_for(self, count: int) -> None:
        """Return once so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: sum(self.asked.values()) >= count, 60), self.asked.total()


class Limited:
    """Allows `per_s` requests in any second; every other one is answered 429. `admitted` are the times of those let through."""

    def __init__(self, per_s: int, *, headers: dict[str, str] | None = None) -> None:
        self.per_s = per_s
        self.refused = 0
        self.admitted: list[float] = []
        self._headers = headers or {}

    def refuse(self, _prompt: str) -> Script | None:
        """Return the 429 for a request that is too much, None for one that is let through."""
        now_s = time.monotonic()
        if len(self.admitted) >= self.per_s and self.admitted[-self.per_s] > now_s - 1:
            self.refused += 1
            words = {"type": "requests", "code": "rate_limit_exceeded"}
            return error(429, "Rate limit reached for requests", headers=self._headers, **words)
        self.admitted.append(now_s)
        return None

    @property
    def reached_per_s(self) -> float:
        """The rate of those let through."""
        return (len(self.admitted) - 1) / (self.admitted[-1] - self.admitted[0])


def group_answer(request: Request) -> list[dict[str, Any]]:
    """The right answers to a prompt that holds several rows."""
    tasks = re.findall(r'<task number="(\d+)">\n(.*?)\n</task>', prompt_of(request), re.DOTALL)
    return [{"number": int(number), "answer": answer_to(prompt)} for number, prompt in tasks]
