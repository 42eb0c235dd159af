"""Which model call may go next: the kernel's, the model's, the server's and the batch's budgets, one in another.

Decisions only: no loop, no clock; `now_s` is any one clock's. `limiter.py` asks and tells.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nbagent.runtime.limits.pace import Pace, Try
from nbagent.runtime.limits.rate_window import MINUTE_S, RateWindow, Sample
from nbagent.runtime.limits.server_limits import Server

RESTING_PER_SLOT = 32  # rows that wait after a refusal, for each that a batch may have under way


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Limits of model calls: at a time in all, for each model at a time and in a minute; None is none."""

    at_a_time: int = 64
    at_a_time_per_model: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(slots=True, eq=False)
class ModelBudget:
    """The calls to one model of one server: `held` are under way, `waiting` wait."""

    name: str
    server: Server
    pace: Pace = field(default_factory=Pace)
    held: int = 0
    waiting: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class BatchSlots:
    """The budget of one batch: rows under way, and rates that single calls beside it count in.

    A row is under way from its first request to its end, except while it waits after a refusal: then another
    one may be asked. `notify` hears, in a sentence, that calls are slowed down; `changed` that a row waits.
    """

    at_a_time: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    notify: Callable[[str], None] = lambda _text: None
    changed: Callable[[], None] = lambda: None
    rows: set[str] = field(default_factory=set)  # the ids of runs that are under way
    resting: set[str] = field(default_factory=set)  # of those that wait after a refusal
    models: set[ModelBudget] = field(default_factory=set)
    slowed: set[ModelBudget] = field(default_factory=set)

    def may_launch(self, unfinished: int) -> bool:
        """Say whether one more row may be launched beside those that have no end yet."""
        resting = len(self.resting)
        return unfinished - resting < self.at_a_time and resting < RESTING_PER_SLOT * self.at_a_time

    def rest(self, run_id: str) -> None:
        """Count a row as one that waits for its next try."""
        if run_id in self.rows:
            self.rows.remove(run_id)
            self.resting.add(run_id)
            self.changed()

    def slow_down(self, model: ModelBudget, why: str) -> None:
        """Say once that a model's calls are slowed down."""
        if model not in self.slowed:
            self.slowed.add(model)
            self.notify(f"{model.name} {why}")

    @property
    def rate_per_s(self) -> float | None:
        """The slowest of its models' paces, in requests a second; None while nothing is limited."""
        rates = (model.pace.rate_per_s for model in self.models)
        return min((rate for rate in rates if rate is not None), default=None)


@dataclass(slots=True, eq=False, kw_only=True)
class Call:
    """One request that wants to go: `number` is its place in the order; `turn` is the caller's, and what it waits on."""

    model: ModelBudget
    number: int
    tokens: int = 0
    batch: BatchSlots | None = None
    run_id: str = ""
    turn: Any = None
    place: Any = None  # hears where it stands
    answered: bool = False
    sent: Try | None = None
    begun: int = 0  # its number at the server
    spent: list[tuple[RateWindow, Sample]] = field(default_factory=list)

    @property
    def order(self) -> tuple[bool, int]:
        """Rows that are under way first, each in order of arrival: they hold what the others wait for."""
        return self.batch is not None and self.run_id not in self.batch.rows, self.number

    @property
    def rank(self) -> tuple[bool, int]:
        """Among the first of each queue: single runs first, for a person waits for them."""
        return self.batch is not None, self.number


class CallQueue:
    """Lets calls through in order of arrival, as far as every budget that they count in allows.

    A call that waits for its own model or batch blocks none of another's.
    """

    def __init__(self, limits: CallLimits, window_s: float = MINUTE_S) -> None:
        self.limits = limits
        self.held = 0
        self.batches: list[BatchSlots] = []  # at work
        self._window_s = window_s
        self._models: dict[tuple[str, str, str], ModelBudget] = {}
        self._servers: dict[str, Server] = {}
        self._queues: dict[tuple[ModelBudget, BatchSlots | None], list[Call]] = {}
        self._windows: dict[tuple[ModelBudget, BatchSlots | None], RateWindow] = {}
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(model.waiting for model in self._models.values())

    @property
    def counts_tokens(self) -> bool:
        """True where a rate of tokens is set: then each request's are estimated."""
        return self.limits.tokens_per_minute is not None or any(
            batch.tokens_per_minute is not None for batch in self.batches
        )

    def close(self, batch: BatchSlots) -> None:
        """Keep a batch's rates no more."""
        batch.requests_per_minute = batch.tokens_per_minute = None
        if batch in self.batches:
            self.batches.remove(batch)
        self._windows = {key: window for key, window in self._windows.items() if key[1] is not batch}

    def model(self, provider: str, name: str, server: str, at_once: int | None) -> ModelBudget:
        """Return the budget of a model; `at_once` is how many requests its server is known to take."""
        key = provider, name, server
        budget = self._models.get(key)
        if budget is None:
            one = self._servers.get(server) or self._servers.setdefault(server, Server(at_once))
            budget = self._models[key] = ModelBudget(f"{provider}:{name}", one)
        return budget

    def number(self) -> int:
        """Return the next place in the order."""
        return next(self._numbers)

    def enter(self, call: Call, now_s: float) -> bool:
        """Let a call through at once, or have it wait: then `ready` has it in its turn."""
        queue = self._queues.get((call.model, call.batch))
        if not queue and self._may_go(call, now_s):
            self._take(call, now_s)
            return True
        if queue is None:
            queue = self._queues[call.model, call.batch] = []
        insort(queue, call, key=_order)
        call.model.waiting += 1
        return False

    def leave(self, call: Call) -> None:
        """Take a call out of its queue; does nothing a second time."""
        queue = self._queues.get((call.model, call.batch), [])
        if call in queue:
            queue.remove(call)
            call.model.waiting -= 1
            if not queue:
                del self._queues[call.model, call.batch]

    def ready(self, now_s: float) -> Iterator[Call]:
        """Let through who may go now, the first in order first."""
        while heads := [head for head in self._heads() if self._may_go(head, now_s)]:
            call = min(heads, key=_rank)
            self.leave(call)
            if not call.turn.done():  # else it is cancelled, and its task has not heard of it yet
                self._take(call, now_s)
                yield call

    def give_back(self, call: Call, *, unsent: bool = False) -> None:
        """Count a call as under way no longer; `unsent`: it did not go at all."""
        self.held -= 1
        call.model.held -= 1
        call.model.server.held -= 1
        if unsent:
            for window, sample in call.spent:
                window.take_back(sample)

    def wake_in_s(self, now_s: float) -> float | None:
        """Return the seconds until a waiting call may go by the clock alone; None where no clock helps."""
        pauses = (self._pause_s(head, now_s) for head in self._heads())
        return min((pause for pause in pauses if pause > 0), default=None)

    def places(self) -> Iterator[tuple[Call, int]]:
        """Yield each call that waits with its place: among all where all slots are taken, else among its model's."""
        queues = list(self._queues.values())
        if self.held >= self.limits.at_a_time:
            queues = [sorted((call for queue in queues for call in queue), key=_rank)]
        for queue in queues:
            for place, call in enumerate(queue, start=1):
                yield call, place

    # --------------------------------------------------------------- budgets

    def _heads(self) -> list[Call]:
        return [queue[0] for queue in self._queues.values()]

    def _may_go(self, call: Call, now_s: float) -> bool:
        limits, model, batch = self.limits, call.model, call.batch
        return (
            self.held < limits.at_a_time
            and model.server.takes_another
            and (limits.at_a_time_per_model is None or model.held < limits.at_a_time_per_model)
            and (batch is None or call.run_id in batch.rows or len(batch.rows) < batch.at_a_time)
            and self._pause_s(call, now_s) <= 0
        )

    def _pause_s(self, call: Call, now_s: float) -> float:
        """Return the seconds until the rates and the pace let a call through."""
        pause_s = call.model.pace.wait_s(now_s, call.model.held)
        for window, requests, tokens in self._rates(call):
            pause_s = max(pause_s, window.pause_s(requests, tokens, call.tokens, now_s))
        return pause_s

    def _rates(self, call: Call) -> Iterator[tuple[RateWindow, int | None, int | None]]:
        """Yield the rates that a call counts in: the kernel's and its batch's; a single run's in each batch's."""
        model = call.model
        for scope in (None, *self.batches):
            limits = self.limits if scope is None else scope
            requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
            if requests is None and tokens is None:
                continue
            if scope is call.batch or scope is None or (call.batch is None and model in scope.models):
                window = self._windows.get((model, scope))
                if window is None:
                    window = self._windows[model, scope] = RateWindow(self._window_s)
                yield window, requests, tokens

    def _take(self, call: Call, now_s: float) -> None:
        model, batch = call.model, call.batch
        call.sent = model.pace.sent(now_s, model.held, others_wait=model.waiting > 0)
        self.held += 1
        model.held += 1
        model.server.held += 1
        if batch is not None:
            batch.rows.add(call.run_id)
            batch.resting.discard(call.run_id)
            batch.models.add(model)
            if model in batch.slowed and model.pace.is_open and not model.pace.indifferent:
                batch.slowed.remove(model)
                batch.notify(f"{model.name} takes all requests again: full speed")
        call.begun = model.server.begin(now_s)
        call.spent = [(window, window.spend(call.tokens, now_s)) for window, _, _ in self._rates(call)]


def _order(call: Call) -> tuple[bool, int]:
    return call.order


def _rank(call: Call) -> tuple[bool, int]:
    return call.rank
