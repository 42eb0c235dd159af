"""A server that counts what it gives out: for each request the batch it came for, its rows, its tokens, its price.

`Till.answer` goes into `provider.otherwise`. What a row is answered is its fate: one word for each time it is asked,
the last one for all later times. A group is answered by the fates of its rows.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.batch.review_provider import prompt_of
from tests.provider.chat_wire import chunk, data
from tests.provider.server import Request
from tests.provider.steps import Gate, Script, Step, Wait, error

PRICES = {
    "openai-chat:scripted-1": {"input": 100.0, "output": 200.0},
    "openai-chat:scripted-2": {"input": 30.0, "output": 70.0},
}
# what a row may be answered, and whether it has an answer then
FATES = {
    "good": True,
    "cut": True,
    "silent": True,  # no word of usage
    "invalid": False,
    "refused": False,
    "early": False,  # the stream ends before the answer does, after the usage so far
    "busy": False,
}
SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
_TASK = re.compile(r'<task number="(\d+)">\n(.*?)\n</task>', re.DOTALL)
_ROW = re.compile(r"row (\w+)\.")


class Mark(Gate):
    """A point in a script that says when it was reached, and holds nobody."""

    def __init__(self, reached: Callable[[], object]) -> None:
        super().__init__()
        self._call = reached
        self.open()

    def join(self, loop: Any, event: Any) -> None:
        self._call()
        super().join(loop, event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the server gave out for one request. Tokens are None where it said nothing of them."""

    batch: str
    prompt: str
    rows: tuple[str, ...]
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def total_tokens(self) -> int | None:
        return None if self.input_tokens is None else self.input_tokens + (self.output_tokens or 0)

    @property
    def cost_usd(self) -> float | None:
        if self.input_tokens is None:
            return None
        price = PRICES[f"openai-chat:{self.model}"]
        return (self.input_tokens * price["input"] + (self.output_tokens or 0) * price["output"]) / 1e6


class Till:
    """See the module. `batch` is the one that requests come for now; `fates` and `sizes` are by a row's name."""

    def __init__(self) -> None:
        self.batch = ""
        self.fates: dict[str, Sequence[str]] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        self.peak = 0
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        self._log: list[Given] = []
        self._open: set[int] = set()
        self._permits: int | None = None
        self._gate = Gate()
        self._held = 0

    def begin(self, batch: str, permits: int | None = None) -> None:
        """Count for this batch from now on; answer `permits` requests, and hold those that come after them."""
        with self._lock:
            self.batch, self._permits = batch, permits
            self.peak, self._held = 0, 0
            self._open.clear()
            self._gate = Gate()

    def let_go(self) -> None:
        """Answer what is held, and what comes."""
        with self._lock:
            self._permits, gate = None, self._gate
        gate.open()

    def lose(self) -> None:
        """What is held was asked by a kernel that has died: no record knows of it, and nothing was given out for it."""
        with self._lock:
            self._log = [one for number, one in enumerate(self._log) if number not in self._open]
            self._open.clear()

    @property
    def held(self) -> int:
        with self._lock:
            return self._held

    def log(self, batch: str | None = None) -> list[Given]:
        """What was given out for a batch, or for all."""
        with self._lock:
            return [one for one in self._log if batch in (None, one.batch)]

    def answer(self, request: Request) -> Script:
        """Answer one request; on the provider's thread."""
        prompt = prompt_of(request)
        tasks = [(int(number), _ROW.search(text)[1]) for number, text in _TASK.findall(prompt)]
        rows = tuple(row for _, row in tasks) or (_ROW.search(prompt)[1],)
        with self._lock:
            fates = [self._next_fate(row) for row in rows]
            number = len(self._log)
            self._log.append(Given(batch=self.batch, prompt=prompt, rows=rows, model=request.body["model"]))
            self._open.add(number)
            self.peak = max(self.peak, len(self._open))
            holds = self._permits is not None and self._permits <= 0
            if self._permits is not None:
                self._permits -= 1
            self._held += holds
            gate = self._gate
        made = self._group(tasks, fates) if tasks else self._alone(rows[0], fates[0])
        return (Wait(gate), *made(number)) if holds else made(number)

    def _next_fate(self, row: str) -> str:
        fates = self.fates[row]
        fate = fates[min(self._asked[row], len(fates) - 1)]
        self._asked[row] += 1
        return fate

    def _alone(self, row: str, fate: str) -> Callable[[int], Script]:
        text = "no JSON" if fate == "invalid" else orjson.dumps({"label": f"answer to {row}"}).decode()
        return lambda number: self._reply(number, fate, text, self.sizes[row])

    def _group(self, tasks: list[tuple[int, str]], fates: list[str]) -> Callable[[int], Script]:
        """A group is refused, ended early or without usage if its first row is; else rows are left out by their fates."""
        size = tuple(map(sum, zip(*(self.sizes[row] for _, row in tasks), strict=True)))
        answers = [
            {"number": number, "answer": {"label": f"answer to {row}"}}
            for (number, row), fate in zip(tasks, fates, strict=True)
            if FATES[fate]
        ]
        fate = "good" if fates[0] == "invalid" else fates[0]
        text = orjson.dumps({"answers": answers}).decode()
        return lambda number: self._reply(number, fate, text, (size[0], size[1]))

    def _reply(self, number: int, fate: str, text: str, size: tuple[int, int]) -> Script:
        closed = Wait(Mark(lambda: self._close(number)))
        paid = Wait(Mark(lambda: self._close(number, size)))
        if fate in ("refused", "busy"):
            return (closed, *error(400 if fate == "refused" else 500, fate))
        model = self._log[number].model
        begun: tuple[Step, ...] = (chunk({"role": "assistant", "content": ""}, model=model), chunk({"content": text}, model=model))  # fmt: skip
        usage = {"prompt_tokens": size[0], "completion_tokens": size[1], "total_tokens": sum(size)}
        if fate == "early":
            return (*begun, paid, chunk({"content": " "}, model=model, usage=usage))
        ended = chunk({}, finish="length" if fate == "cut" else "stop", model=model)
        if fate == "silent":
            return (*begun, closed, ended, data("[DONE]"))
        return (*begun, ended, paid, chunk(model=model, usage=usage), data("[DONE]"))

    def _close(self, number: int, size: tuple[int, int] | None = None) -> None:
        with self._lock:
            self._open.discard(number)
            if size is not None:
                one = self._log[number]
                self._log[number] = Given(
                    batch=one.batch, prompt=one.prompt, rows=one.rows, model=one.model,
                    input_tokens=size[0], output_tokens=size[1],
                )  # fmt: skip


def known(several: Sequence[Given], of: str) -> Any:
    """The sum of what is known, None where nothing is; 0 for no request at all."""
    values = [value for one in several if (value := getattr(one, of)) is not None]
    return sum(values) if values or not several else None


def by_row(several: Sequence[Given]) -> Mapping[str, float | None]:
    """What each row's requests have cost, a group's in equal parts; None where nothing of it is known."""
    costs: dict[str, float | None] = {}
    for one in several:
        for row in one.rows:
            part = None if one.cost_usd is None else one.cost_usd / len(one.rows)
            before = costs.get(row)
            costs[row] = before if part is None else part + (before or 0.0)
    return costs
