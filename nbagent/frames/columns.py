"""The columns of every frame as data: name, dtype, unit, meaning. Docstrings, docs and dtypes are made from it.

Read by the other modules of this folder and by tests; imports nothing heavy. A column once here keeps its
name, dtype and meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from nbagent.run import RunStatus

Dtype = Literal["string", "category", "status", "Int64", "Float64", "boolean", "utc", "object", "key"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `dtype` is pandas' own name, "utc" a UTC timestamp, "status" a category of all statuses.

    "key" is what fits the keys of the rows, object for none.
    """

    name: str
    dtype: Dtype
    unit: str
    meaning: str


Columns = tuple[Column, ...]

STATUSES = tuple(status.value for status in RunStatus)


def _columns(dtype: Dtype, unit: str, **meanings: str) -> Columns:
    return tuple(
        Column(name=name, dtype=dtype, unit=unit, meaning=meaning) for name, meaning in meanings.items()
    )


_TOKENS = _columns(
    "Int64",
    "tokens",
    input_tokens="all input, cached tokens included; of the calls whose count is known",
    output_tokens="all output, reasoning included",
    total_tokens="input and output",
    cache_read_tokens="input read from the provider's cache",
    cache_write_tokens="input written to the provider's cache",
    reasoning_tokens="output that the model spent on reasoning",
)
_COST = (
    *_columns("Float64", "share", usage_known="model calls whose tokens are known"),
    *_columns("Float64", "USD", cost_usd="the cost of the calls whose cost is known; NA: of none"),
    *_columns("Float64", "share", cost_known="model calls whose cost is known; below 1 `cost_usd` is a part"),
)
_ESTIMATES = (
    *_columns(
        "Int64",
        "tokens",
        estimated_tokens="beside these: of calls whose server reported no usage, by an estimate",
    ),
    *_columns(
        "Float64", "USD", estimated_cost_usd="what these cost by the price of their model; NA: not known"
    ),
)
_CACHE = _columns("Float64", "share", cache_read_rate="input tokens that came from the provider's cache")
_TTFT = _columns(
    "Float64",
    "s",
    ttft_p50_s="time to first token of completed model calls, median",
    ttft_p95_s="the same, 95th percentile",
)
_SPEED = _columns(
    "Float64", "tokens/s", output_tokens_per_s="output tokens for each second of completed model calls"
)
_OF_CALLS = (*_TOKENS, *_COST, *_ESTIMATES, *_CACHE, *_TTFT, *_SPEED)


def _endings(what: str) -> Columns:
    return (
        *_columns(
            "Int64", what, errors="of these, failed", cancelled="of these, cancelled or given up half-way"
        ),
        *_columns("Float64", "share", error_rate=f"{what} that failed", cancel_rate=f"{what} cancelled"),
        *_columns(
            "Float64",
            "s",
            duration_s=f"time of all {what}, summed",
            duration_p50_s=f"time of one completed of the {what}, median",
            duration_p95_s="the same, 95th percentile",
        ),
    )


_ASKERS = _columns("Int64", "runs", runs="runs that asked it")
_MODEL_CALLS = (
    *_columns("Int64", "calls", model_calls="requests to models, repeated tries included"),
    *_columns("Int64", "calls", retries="of these, repeated tries"),
)
_TOOL_CALLS = _columns("Int64", "calls", tool_calls="calls of tools")
_OF_RUNS = (
    *_columns(
        "Int64",
        "runs",
        runs="runs, members' included",
        member_runs="of these, started by another run",
    ),
    *_columns(
        "Int64", "attempts", attempts="attempts of these runs; more than `runs` where some were resumed"
    ),
    *_columns(
        "Int64",
        "runs",
        completed="runs whose last attempt completed",
        errors="failed",
        cancelled="were cancelled",
        timeouts="ran out of time",
        interrupted="lost their kernel",
        unfinished="still pending, running or paused",
    ),
    *_columns(
        "Float64",
        "share",
        error_rate="ended runs that failed",
        cancel_rate="ended runs that were cancelled",
    ),
    *_columns(
        "Int64", "runs", cached_runs="runs answered from an earlier run; their calls count there alone"
    ),
    *_columns("Float64", "share", cached_rate="runs answered from an earlier run"),
)
_TIMES = (
    *_columns(
        "Float64",
        "s",
        duration_s="time of the work, summed over runs and attempts",
        queued_s="time in the queue, summed",
        paused_s="time in which a person was waited for, summed; no part of duration_s",
        duration_p50_s="time of the work of one completed run, median",
        duration_p95_s="the same, 95th percentile",
    ),
)
_BOUNDS = _columns("utc", "", first_at="the first launch", last_at="the last launch")
_BY_RUN = (*_OF_RUNS, *_MODEL_CALLS, *_TOOL_CALLS, *_OF_CALLS, *_TIMES, *_BOUNDS)

BY_MODEL: Columns = (
    *_columns("category", "", provider="who serves the model", model="the model that was asked for"),
    *_ASKERS,
    *_MODEL_CALLS,
    *_endings("calls"),
    *_OF_CALLS,
)
BY_TOOL: Columns = (
    *_columns("category", "", tool_name="the tool"),
    *_columns("Int64", "runs", runs="runs that called it"),
    *_columns("Int64", "calls", tool_calls="calls of it"),
    *_endings("calls"),
)
BY_SCORE: Columns = (
    *_columns("category", "", score="the score's name", agent_name="the agent whose runs were scored"),
    *_columns("Int64", "runs", runs="runs that have it"),
    *_columns("Int64", "", authors="who gave it", scores="of a run and an author the latest"),
    *_columns(
        "Float64",
        "",
        mean="of numbers, and of yes (1) and no (0); NA: of words",
        lowest="the least",
        highest="the greatest",
    ),
    *_columns("utc", "", last_at="when the last one was given"),
)
SCORES: Columns = (
    *_columns("string", "", run_id="the run"),
    *_columns("category", "", score="the score's name"),
    *_columns("object", "", value="True or False, a number, or a word"),
    *_columns("string", "", comment="what was said with it", author="who gave it"),
    *_columns("utc", "", created_at="when"),
)
BY_AGENT: Columns = (
    *_columns("category", "", agent_name="the agent: its own work, without its members'"),
    *_BY_RUN,
)
BY_SESSION: Columns = (*_columns("string", "", session_id="the session"), *_BY_RUN)
BY_MEMBER: Columns = (
    *_columns(
        "category",
        "",
        team_name="the team; NA where the run that began it is not in the record",
        leader_name="who handed out the work; NA for the team's own leader",
        agent_name="the member: its own work",
    ),
    *_BY_RUN,
)

RUNS: Columns = (
    *_columns("string", "", label="the name given at launch (-o NAME)"),
    *_columns("category", "", agent_name="the agent", provider="who serves its model", model="its model"),
    *_columns("status", "", status="where the run stands: its last attempt's status"),
    *_columns("category", "", stop_reason="why it stopped; NA while it goes on"),
    *_columns("string", "", error="what it failed with"),
    *_columns("utc", "", created_at="when it was launched"),
    *_columns("Float64", "s", duration_s="time of the work, summed over attempts"),
    *_columns(
        "string",
        "",
        prompt="what was asked",
        content="the answer: text, or for a typed one its JSON as the model wrote it",
    ),
    *_columns(
        "Int64", "calls", model_calls="its own requests to models", tool_calls="its own calls of tools"
    ),
    *_TOKENS,
    *_COST,
    *_ESTIMATES,
    *_columns(
        "Float64",
        "s",
        ttft_s="time to first token of its first model call",
        queued_s="time in the queue",
        paused_s="time in which a person was waited for; no part of duration_s",
    ),
    *_columns("Int64", "calls", team_model_calls="model calls of this run and of all below it"),
    *_columns(
        "Int64", "tokens", team_total_tokens="tokens of this run and of all below it: do not sum these"
    ),
    *_columns("Float64", "USD", team_cost_usd="cost of this run and of all below it: do not sum these"),
    *_columns("Float64", "share", team_cost_known="of these model calls, those whose cost is known"),
    *_columns("category", "", error_type="the failure's type"),
    *_columns("string", "", error_fields="of an invalid answer: the fields that do not fit, and how"),
    *_columns("boolean", "", output_valid="whether the answer fits the schema; NA without one"),
    *_columns(
        "string",
        "",
        content_type="'text', or the type of a typed answer",
        partial_text="text of a cut-off answer",
    ),
    *_columns("utc", "", started_at="when the work began", finished_at="when it ended"),
    *_columns("Int64", "", attempt="its last attempt, from 1", turn="its place in its session, from 1"),
    *_columns(
        "string", "", run_id="the run", session_id="its session", parent_run_id="the run that started it"
    ),
    *_columns("category", "", kind="agent or team"),
    *_columns(
        "string",
        "",
        batch_id="the batch it belongs to",
    ),
    *_columns(
        "key",
        "",
        row_key="its row there, by the row's own key: as in the table; a list where rows share a run",
    ),
    *_columns("string", "", cell_id="the launching cell"),
    *_columns(
        "string",
        "",
        cached_from="the run whose answer it was given",
        forked_from="the run whose first steps it shares",
        response_id="a response at the provider",
    ),
    *_columns("Int64", "", forked_step="how many steps it shares; their calls are in that run's rows alone"),
    *_columns("category", "", mode_requested="where it was to live", mode_effective="where it lived"),
    *_columns("object", "", tags="dict of its tags"),
)
STEPS: Columns = (
    *_columns("Int64", "", attempt="the run's attempt, from 1", step="one model call and its tools, from 1"),
    *_columns("category", "", kind="model or tool"),
    *_columns("string", "", name="the model as provider:name, or the tool"),
    *_columns("Int64", "", try_no="tries of one request within a step, from 1; NA for tools"),
    *_columns("category", "", status="completed, error, cancelled or abandoned"),
    *_columns("utc", "", started_at="when it began"),
    *_columns("Float64", "s", duration_s="how long it took", ttft_s="time to first token"),
    *_TOKENS,
    *_columns("Float64", "USD", cost_usd="its cost"),
    *_ESTIMATES,
    *_columns("category", "", usage_source="reported, estimated or missing; NA for tools"),
    *_columns(
        "category", "", finish_reason="why the model stopped", server_finish_reason="its server's own word"
    ),
    *_columns(
        "string",
        "",
        tool_call_id="the call",
        arguments="JSON as the model wrote it",
        result="what the model was told",
    ),
    *_columns("category", "", error_type="the failure's type"),
    *_columns(
        "string",
        "",
        error="what it failed with",
        fallback_reason="why this model was asked: what became of the one before it",
        run_id="the run",
    ),
    *_columns("category", "", agent_name="the run's agent"),
    *_columns("string", "", parent_run_id="the run that started it"),
)
MESSAGES: Columns = (
    *_columns("Int64", "", turn="the run's place in its session", seq="order within the run, from 0"),
    *_columns("category", "", role="system, user, assistant or tool"),
    *_columns(
        "string", "", content="the text", name="a tool's name", tool_call_id="the call that it answers"
    ),
    *_columns("object", "", tool_requests="list of the calls asked for: tool_call_id, name, arguments"),
    *_columns("string", "", reasoning="the model's reasoning, where it was given"),
    *_columns("Int64", "files", files="files that went with it"),
    *_columns("Int64", "", attempt="the run's attempt, from 1"),
    *_columns("category", "", agent_name="the run's agent"),
    *_columns("string", "", run_id="the run", session_id="its session"),
)

FAMILY: Columns = (
    *_columns("string", "", run_id="the run", parent_run_id="the run that started it"),
    *_columns("category", "", agent_name="its agent"),
    *_columns("status", "", status="where it stands"),
    *_columns(
        "utc",
        "",
        created_at="when it was launched",
        started_at="when its work began",
        finished_at="when it ended",
    ),
    *_columns("Float64", "s", paused_s="time in which a person was waited for"),
)
COMPARISON: Columns = (
    *_columns("string", "", prompt="what was asked"),
    *_columns("category", "", contender="the agent or model that was asked, by its name in the call"),
    *_columns("Int64", "", repeat="which time, from 1"),
    *_columns("status", "", status="how the run ended"),
    *_columns("category", "", stop_reason="why it stopped; max_output_tokens: the answer is cut"),
    *_columns("object", "", answer="the answer: text or the typed value"),
    *_columns("string", "", error="what it failed with"),
    *_columns(
        "Float64",
        "s",
        duration_s="time of the work",
        ttft_s="time to first token",
        queued_s="time in the queue",
        paused_s="time in which a person was waited for; no part of duration_s",
    ),
    *(column for column in _TOKENS if column.name in ("input_tokens", "output_tokens", "total_tokens")),
    *_columns("Float64", "USD", cost_usd="the cost of the calls whose cost is known; NA: of none"),
    *_columns("Int64", "calls", model_calls="requests to models", tool_calls="calls of tools"),
    *_columns("category", "", provider="who serves the model", model="the model"),
    *_columns("string", "", run_id="the run"),
)
DIFFERENCE: Columns = (
    *_columns("Int64", "", step="the step, from 1; 0 is the run as a whole"),
    *_columns(
        "category",
        "",
        kind="prompt, model, status, answer, text, tool call, tool result, tokens, cost_usd, duration_s",
    ),
    *_columns("object", "", a="of the first run; None: it has none", b="of the second run"),
    *_columns("boolean", "", same="whether they are equal"),
)
STALE: Columns = (
    *_columns("string", "", run_id="the run", label="its label"),
    *_columns("category", "", agent_name="its agent", state="stale, unknown or fresh"),
    *_columns(
        "string",
        "",
        changed="what has changed since: prompt, instructions, model, settings, schema, tools, members, session",
        unknown="what cannot be looked at again",
        session_id="its session",
    ),
    *_columns("utc", "", created_at="when it was launched"),
)

WORKERS: Columns = (
    *_columns("string", "", worker="its id", host="the machine that it is on"),
    *_columns("Int64", "", pid="its process there"),
    *_columns(
        "category", "", state="working, draining (it takes no more runs) or gone (dead, frozen or cut off)"
    ),
    *_columns("Int64", "", running="runs at work"),
    *_columns("object", "", serves="the agents that it takes runs of, as module:name"),
    *_columns("utc", "", began_at="since when it works", beat_at="when it was last heard of"),
)

TABLES: dict[str, Columns] = {
    "runs": RUNS,
    "by_model": BY_MODEL,
    "by_member": BY_MEMBER,
    "by_session": BY_SESSION,
    "by_agent": BY_AGENT,
    "by_tool": BY_TOOL,
    "by_score": BY_SCORE,
    "scores": SCORES,
    "steps": STEPS,
    "messages": MESSAGES,
    "compare": COMPARISON,
    "diff": DIFFERENCE,
    "stale": STALE,
    "workers": WORKERS,
}


def text_of(columns: Sequence[Column]) -> str:
    """Put a table of columns in words: one line each, as the docstrings and the docs show it."""
    width = max(len(column.name) for column in columns)
    lines = [
        f"{column.name:<{width}}  {_NAMES.get(column.dtype, column.dtype):<20} "
        f"{column.meaning}{f' ({column.unit})' if column.unit else ''}"
        for column in columns
    ]
    return "\n".join(lines)


_NAMES = {"utc": "datetime64[us, UTC]", "status": "category", "key": "of the keys"}


def documented(columns: Columns) -> Callable[[F], F]:
    """Append the table of columns to a function's docstring."""

    def append(function: F) -> F:
        indented = "\n".join("    " + line for line in text_of(columns).splitlines())
        function.__doc__ = f"{(function.__doc__ or '').rstrip()}\n\n    Columns:\n\n{indented}\n    "
        return function

    return append
