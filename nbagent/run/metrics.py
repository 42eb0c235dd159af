"""What a run cost: the one fold from its rows to its metrics, live or read from the store. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict

from nbagent.core import format_seconds, format_usd, seconds_between
from nbagent.events import Message, ModelCall, ToolCall, Usage
from nbagent.run.order import in_asked_order
from nbagent.run.reprs import html_repr, known

TOKEN_FIELDS: tuple[str, ...] = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


_CALLS = frozenset({"model_calls", "tool_calls"})


def sum_known(values: Iterable[float | None]) -> Any:
    """Add what is known; None when nothing is (as SQL's sum does)."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimes:
    """When one attempt was launched, left the queue and ended; how long a person was waited for."""

    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    paused_s: float | None = None

    @property
    def work_s(self) -> float | None:
        """Seconds from start to end, without those in which a person was waited for; None before the end."""
        lasted_s = seconds_between(self.started_at, self.finished_at)
        return None if lasted_s is None else max(0.0, lasted_s - (self.paused_s or 0.0))


class CountedRun(Protocol):
    """A run as far as its costs are counted: a live record, or a snapshot."""

    @property
    def model_calls(self) -> Sequence[ModelCall]:
        """Its own model calls."""
        ...

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        """Its own tool calls."""
        ...

    @property
    def messages(self) -> Sequence[Message]:
        """Its messages: they ask for the tool calls."""
        ...

    @property
    def member_responses(self) -> Sequence[CountedRun]:
        """The runs that it started."""
        ...

    @property
    def cached_from(self) -> str | None:
        """The run whose answer it was given: that one paid for the calls that this one shows."""
        ...


Calls = tuple[tuple[ModelCall, ...], tuple[ToolCall, ...]]


def paid_calls(run: CountedRun, own_tool_calls: tuple[ToolCall, ...], *, team: bool) -> Calls:
    """Return the calls that count for a run: its own, a `team`'s with those under it, a replayed one's none."""
    if run.cached_from is not None:
        return (), ()
    return calls_of_all(run) if team else (tuple(run.model_calls), own_tool_calls)


def calls_of_all(run: CountedRun) -> Calls:
    """Return the calls of a run and of everything under it, its own first, in the order they were asked for.

    A run that was given an earlier one's answer has none: the earlier one paid.
    """
    if run.cached_from is not None:
        return (), ()
    model_calls = [*run.model_calls]
    tool_calls = [*in_asked_order(tuple(run.tool_calls), tuple(run.messages))]
    for member in tuple(run.member_responses):
        under = calls_of_all(member)
        model_calls += under[0]
        tool_calls += under[1]
    return tuple(model_calls), tuple(tool_calls)


class DetailEntry(dict[str, Any]):
    """One entry of `metrics.details`: its values by key or by attribute."""

    def __getattr__(self, name: str) -> Any:
        """Return the value of a key. Raises AttributeError for one that is not there."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the entry has no {name!r}; it has {', '.join(self)}") from None


class RunMetrics(BaseModel):
    """What a run cost, folded from its calls of all attempts. Counts are inclusive; unknown is None.

    `estimated_tokens` and `estimated_cost_usd` are beside these, of calls whose server reported no usage.

    `duration_s` is the time of the work, from its start to its end, summed over attempts: the time between
    two is no work, nor is waiting in the queue (`queued_s`) or for a person's approval (`paused_s`). `ttft_s`
    is the time from the first model call's request to its first token. `details["model"]` holds one entry for
    each (provider, model), `details["tool_call"]` one for each tool; `entry["id"]` and `entry.id` are the same.

    Those of a team count its members' calls too; its times are the leader's, which wait for the members.

    >>> metrics = Agent(model="demo:assistant").run("What is the capital of Japan?").metrics
    >>> metrics.input_tokens, metrics.output_tokens, metrics.total_tokens, metrics.cost_usd
    (12, 8, 20, None)
    >>> [(model["id"], model["calls"]) for model in metrics.details["model"]]
    [('assistant', 1)]
    """

    model_config = ConfigDict(frozen=True)

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    estimated_tokens: int | None = None
    estimated_cost_usd: float | None = None
    duration_s: float | None = None
    queued_s: float | None = None
    paused_s: float | None = None
    ttft_s: float | None = None
    model_calls: int = 0
    tool_calls: int = 0
    details: dict[str, list[Annotated[dict[str, Any], AfterValidator(DetailEntry)]]] = {}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Say what is known, in short: `details` and counts of nothing are left out."""
        for name, value in self:
            if value is not None and name != "details" and not (name in _CALLS and not value):
                yield name, round(value, 6) if isinstance(value, float) else value

    def _repr_html_(self) -> str:
        return html_repr("RunMetrics", self._told())

    def _told(self) -> list[tuple[str, Any]]:
        """Return what a person reads first, in words."""
        ways = (
            (self.input_tokens, "in"),
            (self.output_tokens, "out"),
            (self.cache_read_tokens, "from the cache"),
        )
        tokens = ", ".join(
            f"{count:,} {way}"
            for count, way in ways
            if count is not None and (count or way != "from the cache")
        )
        return known(
            [
                ("tokens", tokens or "unknown"),
                ("cost", format_usd(self.cost_usd) or (None if self._is_demo else "unknown")),
                ("time", format_seconds(self.duration_s) or None),
                ("first token", format_seconds(self.ttft_s) or None),
                ("model calls", self.model_calls),
                ("tool calls", self.tool_calls or None),
            ]
        )

    @property
    def _is_demo(self) -> bool:
        """True where the demo alone was asked, which has no price."""
        return {call.get("provider") for call in self.details.get("model", ())} == {"demo"}

    @property
    def duration(self) -> float | None:
        """`duration_s` by the reference systems' name."""
        return self.duration_s

    @property
    def queue_s(self) -> float | None:
        """`queued_s` by its earlier name."""
        return self.queued_s

    @property
    def time_to_first_token(self) -> float | None:
        """`ttft_s` by the reference systems' name."""
        return self.ttft_s


def metrics_of(
    model_calls: Sequence[ModelCall],
    tool_calls: Sequence[ToolCall],
    *,
    created_at: datetime | None = None,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
    paused_s: float | None = None,
    earlier: Sequence[AttemptTimes] = (),
    free: bool = False,
) -> RunMetrics:
    """Fold one run's rows into its metrics; the only place where a run's own metrics are counted.

    The times are those of the last attempt, `earlier` holds those of the attempts before it. `free`: it is
    known that nothing was asked, so that what is not counted is 0.
    """
    last = AttemptTimes(
        created_at=created_at, started_at=started_at, finished_at=finished_at, paused_s=paused_s
    )
    spans = (*earlier, last)
    usages = [Usage(**dict.fromkeys(TOKEN_FIELDS, 0))] if free else [call.usage for call in model_calls]
    return RunMetrics(
        **{name: sum_known(getattr(usage, name) for usage in usages) for name in TOKEN_FIELDS},
        cost_usd=0.0 if free else sum_known(call.cost_usd for call in model_calls),
        estimated_tokens=None if free else sum_known(call.estimated_tokens for call in model_calls),
        estimated_cost_usd=None if free else sum_known(call.estimated_cost_usd for call in model_calls),
        duration_s=sum_known(span.work_s for span in spans),
        queued_s=sum_known(seconds_between(span.created_at, span.started_at) for span in spans),
        paused_s=sum_known(span.paused_s for span in spans),
        ttft_s=next((call.ttft_s for call in model_calls if call.ttft_s is not None), None),
        model_calls=len(model_calls),
        tool_calls=len(tool_calls),
        details={"model": _by_model(model_calls), "tool_call": _by_tool(tool_calls)},
    )


def _by_model(calls: Sequence[ModelCall]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[ModelCall]] = {}
    for call in calls:
        groups.setdefault((call.provider, call.request_model), []).append(call)
    return [
        {
            "provider": provider,
            "id": model,
            "calls": len(group),
            **{name: sum_known(getattr(call.usage, name) for call in group) for name in TOKEN_FIELDS},
            "cost_usd": sum_known(call.cost_usd for call in group),
            "duration_s": sum(call.duration_s for call in group),
        }
        for (provider, model), group in groups.items()
    ]


def _by_tool(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    groups: dict[str, list[ToolCall]] = {}
    for call in calls:
        groups.setdefault(call.name, []).append(call)
    return [
        {
            "name": name,
            "calls": len(group),
            "errors": sum(call.status == "error" for call in group),
            "duration_s": sum(call.duration_s for call in group),
        }
        for name, group in groups.items()
    ]
