"""The frames' shape: columns and dtypes as documented, also when there is nothing; filters; what is unknown is NA."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, runtime
from nbagent.errors import UnknownNameError, UnknownOptionError
from nbagent.events import ModelCall, Usage
from nbagent.frames import TABLES, summary, text_of
from nbagent.frames.filters import Filters, run_filter
from nbagent.store import Finish, Launch
from tests.provider import chat_wire
from tests.provider.server import ScriptedProvider
from tests.provider.steps import error

FRAMES = {
    "runs": nb.runs,
    "messages": nb.metrics.messages,
    "scores": nb.metrics.scores,
    "workers": nb.workers,
    **{name: getattr(nb.metrics, name) for name in TABLES if name.startswith("by_")},
}
DTYPES = {"key": "object", "utc": "datetime64[us, UTC]", "status": "category"}


def one_run(**call: Any) -> None:
    """Write one finished run with one model call, of which nothing is known but what is given."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    made = ModelCall(
        step=1,
        attempt=1,
        provider="ollama",
        request_model="llama",
        status="completed",
        started_at=now,
        duration_s=1.0,
        **call,
    )
    store = runtime.current().store
    store.submit(Launch({"run_id": "r", "session_id": "s", "label": "answer", "created_at": now}))
    end = {"status": "completed", "stop_reason": "end", "started_at": now, "finished_at": now}
    assert store.submit(Finish(run_id="r", end=end, model_calls=(made,))).result(60)


def dtypes_of(frame: pd.DataFrame) -> dict[str, str]:
    """Column to dtype, in order."""
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "one run"])
@pytest.mark.parametrize("name", FRAMES)
def test_columns_and_dtypes_are_the_documented_ones(name: str, filled: bool) -> None:  # noqa: FBT001
    """A frame has exactly its table's columns in their order and dtypes, whether or not there is a row."""
    if filled:
        one_run()
    wanted = {column.name: DTYPES.get(column.dtype, column.dtype) for column in TABLES[name]}
    assert dtypes_of(FRAMES[name]()) == wanted


def test_steps_have_the_documented_columns() -> None:
    """The steps of a run have their table's columns and dtypes."""
    one_run()
    wanted = {column.name: DTYPES.get(column.dtype, column.dtype) for column in TABLES["steps"]}
    assert dtypes_of(nb.metrics.steps("answer")) == wanted


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_documented_once(name: str) -> None:
    """Each column has a meaning, its unit stands in its name, and the docstring shows the table."""
    columns = TABLES[name]
    assert len({column.name for column in columns}) == len(columns)
    for column in columns:
        assert column.meaning, column.name
        assert (column.unit == "USD") == column.name.endswith("_usd"), column.name
        assert (column.unit == "s") == (column.name.endswith("_s") and not column.name.endswith("per_s"))
        assert (column.dtype == "utc") == column.name.endswith("_at"), column.name
    function = {"steps": nb.metrics.steps, "compare": nb.compare, "diff": nb.diff, "stale": nb.stale}.get(
        name
    ) or FRAMES[name]
    for line in text_of(columns).splitlines():
        assert line in (function.__doc__ or "")


def test_unknown_usage_and_cost_are_na_and_said_so() -> None:
    """A call without usage and price makes NA sums, with the shares that are known beside them: 0."""
    one_run()
    (row,) = nb.metrics.by_model().to_dict("records")
    assert pd.isna(row["cost_usd"])
    assert pd.isna(row["total_tokens"])
    assert pd.isna(row["output_tokens_per_s"])
    assert pd.isna(row["cache_read_rate"])
    assert (row["usage_known"], row["cost_known"]) == (0.0, 0.0)
    assert row["model_calls"] == 1


def test_a_known_zero_is_zero() -> None:
    """A count of 0 that was reported is no NA."""
    one_run(usage=Usage(input_tokens=0, output_tokens=0, total_tokens=0), cost_usd=0.0)
    (row,) = nb.metrics.by_session().to_dict("records")
    assert (row["total_tokens"], row["cost_usd"], row["usage_known"], row["cost_known"]) == (0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("since", "wanted"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, 5), datetime(2026, 1, 1, 5, tzinfo=UTC)),  # noqa: DTZ001 - the case
        (date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01 05:00", datetime(2026, 1, 1, 5, tzinfo=UTC)),
        ("2026-01-01T05:00+05:00", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_since_takes_times_dates_and_text(since: Any, wanted: datetime) -> None:
    """A time without a zone is UTC."""
    assert run_filter(Filters(since=since)).since == wanted


def test_since_takes_a_timedelta_back_from_now() -> None:
    """An hour is the last hour."""
    since = run_filter(Filters(since=timedelta(hours=1))).since
    assert since is not None
    assert timedelta(minutes=59) < datetime.now(UTC) - since < timedelta(minutes=61)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": "complete"}, "did you mean 'completed'"),
        ({"since": "yesterday"}, "since is 'yesterday'"),
        ({"tags": "x"}, "tags is 'x'"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(given: dict[str, Any], said: str) -> None:
    """A wrong status, time or tag is an error that shows the value."""
    with pytest.raises(UnknownOptionError, match=said):
        nb.runs(**given)


def test_filters_take_one_or_several_names_or_objects() -> None:
    """An agent may be given as an object, a status as an enum, sessions as a list; an empty list fits nothing."""
    one_run()
    assert run_filter(Filters(agent=Agent(name="a"))).agents == ("a",)
    assert len(nb.runs(session=["s", "t"], status=nb.RunStatus.completed)) == 1
    assert nb.runs(session=[]).empty
    assert nb.metrics.by_model(agent="nobody").empty


def test_a_tag_with_odd_letters_is_found() -> None:
    """Tags are data, whatever they hold."""
    store = runtime.current().store
    tags = {"a/b~c": "it's", 'q".x': "1"}
    store.submit(Launch({"run_id": "r", "session_id": "s", "tags": tags})).result(60)
    assert len(nb.runs(tags=tags)) == 1
    assert nb.runs(tags={"a": "it's"}).empty
    assert nb.runs()["tags"][0] == tags


def test_limit_takes_the_newest_runs_oldest_first() -> None:
    """`limit` keeps the order of the whole frame."""
    store = runtime.current().store
    for number in range(4):
        at = datetime(2026, 1, 1 + number, tzinfo=UTC)
        store.submit(Launch({"run_id": f"r{number}", "session_id": "s", "created_at": at}))
    assert list(nb.runs(limit=2)["run_id"]) == ["r2", "r3"]


def test_many_runs_take_the_other_statement_and_are_the_same() -> None:
    """More runs than are given as plain values come back all the same."""
    store = runtime.current().store
    for number in range(2_100):
        store.submit(Launch({"run_id": f"r{number:05}", "session_id": "s", "turn": 1}))
    one_run(cost_usd=0.5)
    everything = nb.runs()
    assert len(everything) == 2_101
    assert everything["cost_usd"].sum() == 0.5
    newest = nb.runs(limit=5)
    pd.testing.assert_frame_equal(
        newest.dropna(axis="columns").reset_index(drop=True),
        everything[newest.dropna(axis="columns").columns].tail(5).reset_index(drop=True),
        check_categorical=False,
    )


def test_a_run_nobody_launched_has_no_steps() -> None:
    """Asking for a run by a wrong name is an error that says so."""
    with pytest.raises(UnknownNameError, match="no run 'nobody'"):
        nb.metrics.steps("nobody")


def test_frames_of_real_runs_count_what_the_server_was_asked(provider: ScriptedProvider) -> None:
    """A retried, a failed and a plain run: as many model calls as the server saw requests, tokens as it reported."""
    provider.reply(error(503, "busy", headers={"retry-after": "0"}), chat_wire.text_reply("Hi."))
    provider.reply(error(400, "no"))
    provider.reply(chat_wire.text_reply("Again."))
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    agent = Agent(model=model, name="asker", limits=Limits(model_retries=1))
    outputs = [agent.start("One?", session_id="s").wait(60) for _ in range(3)]
    (row,) = nb.metrics.by_model().to_dict("records")
    assert row["model_calls"] == len(provider.requests) == 4
    assert (row["runs"], row["retries"], row["errors"]) == (3, 1, 2)
    assert row["total_tokens"] == sum(output.metrics.total_tokens or 0 for output in outputs)
    (session,) = nb.metrics.by_session().to_dict("records")
    metrics = agent.get_session_metrics("s")
    for name in ("model_calls", "input_tokens", "output_tokens", "total_tokens"):
        assert session[name] == row[name] == getattr(metrics, name)
    assert session["duration_s"] == pytest.approx(metrics.duration_s)
    assert list(nb.runs()["status"]) == ["completed", "error", "completed"]
    assert list(nb.metrics.messages(outputs[0])["role"]) == ["user", "assistant"]
    steps = nb.metrics.steps(outputs[0])
    assert list(steps["status"]) == ["error", "completed"]
    assert list(steps["try_no"]) == [1, 2]


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "one run"])
@pytest.mark.parametrize("by", ["model", "member", "session", "agent", "tool"])
def test_what_the_magic_shows_fits_a_screen(by: str, filled: bool) -> None:  # noqa: FBT001
    """`%agent metrics` shows keys and main columns; an unknown cost stays in sight as NA with its share."""
    if filled:
        one_run()
    frame = summary(by)
    assert len(frame.columns) <= 17
    assert ("cost_known" in frame.columns) == (by != "tool")
