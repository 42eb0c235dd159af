"""The frames against the server's own log, for random histories that really ran; and against the outputs."""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbagent as nb
from nbagent import Run, RunStatus, runtime
from nbagent import settings as options
from nbagent.loop import model_call
from nbagent.store import Finish, Launch, session_metrics
from tests.frames import expected_counts
from tests.frames.scripted_histories import PRICES, Asked, Key, Plan, Stage, named, plays, with_members
from tests.frames.test_random_histories import rows_of
from tests.harness.waiting import PATIENCE_S, until
from tests.provider.server import ScriptedProvider

TOGETHER = 10
COUNTED = (
    "model_calls",
    "retries",
    *expected_counts.TOKENS,
    "usage_known",
    "cost_usd",
    "cost_known",
    "cache_read_rate",
)
_example = itertools.count()
pytestmark = [
    # on a busy machine a row may take longer than a launch waits for it; the frames wait for all rows
    pytest.mark.filterwarnings("ignore:.*is not recorded yet:UserWarning"),
    # a run's retry draws its jitter on the background thread while a strategy draws
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]


@pytest.fixture(autouse=True)
def _set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One model has a price; a lost connection is tried again at once."""
    importlib.import_module("aiohttp")  # takes seconds on a busy machine: no part of how long a run may take
    monkeypatch.setattr(model_call, "FIRST_PAUSE_S", 0.001)
    options.configure("prices", PRICES)
    yield
    options.configure("prices", None)


def check(provider: ScriptedProvider, several: list[tuple[Plan, ...]]) -> None:
    """Let histories run at the same time, and compare all that is said of them with what the server was asked."""
    example = f"x{next(_example)}"
    stage = Stage(named(tuple(plan for history in several for plan in history), example))
    provider.otherwise(stage.answer)
    before = len(provider.requests)
    tags = {"example": example}
    runs = [stage.launch(number, provider.base_url, tags) for number in range(len(stage.plans))]
    for number, run in enumerate(runs):
        until(lambda number=number, run=run: stage.settled(number, run), f"{run.output}")  # type: ignore[misc]
    stop_and_resume(stage, runs)
    copies = copy_answers(stage, runs, tags)
    log = stage.asked()
    assert len(log) == len(provider.requests) - before
    compare_frames(stage, log, tags, copies)
    compare_sessions(stage, tags)
    compare_outputs(stage, runs, tags)


def stop_and_resume(stage: Stage, runs: list[Run]) -> None:
    """Stop what hangs: cancelled runs are over, those whose kernel died and those that failed are resumed."""
    stage.calm = True
    for plan, run in zip(stage.plans, runs, strict=True):
        if run.done():
            continue
        if plan.stop == "cancel":
            assert run.cancel()
        else:
            live = runtime.current().live(run.run_id)
            assert live is not None
            runtime.current().thread.soon(live.stop, "kernel_died")
    for plan, run in zip(stage.plans, runs, strict=True):
        for _ in range(plan.resumes):
            if run.wait(PATIENCE_S).status in (RunStatus.interrupted, RunStatus.error):
                run.resume()
        assert run.wait(PATIENCE_S).is_final


def copy_answers(stage: Stage, runs: list[Run], tags: dict[str, str]) -> int:
    """Give some answers to runs of their own, rows and all, as a cache does; return how many."""
    store, made = runtime.current().store, 0
    for plan, run in zip(stage.plans, runs, strict=True):
        output = run.output
        for _ in range(plan.copies):
            copy = {
                "run_id": f"{run.run_id}-{made}",
                "session_id": plan.session,
                "agent_name": output.agent_name,
                "kind": "agent",
                "cached_from": run.run_id,
                "tags": tags,
            }
            store.submit(Launch(copy))
            end = {"status": "completed", "stop_reason": "end", "finished_at": output.finished_at}
            calls = {"model_calls": output.model_calls, "tool_calls": output.tool_calls}
            store.submit(Finish(run_id=copy["run_id"], end=end, **calls))
            made += 1
    return made


def counted(several: list[tuple[Key, Asked]]) -> dict[str, Any]:
    """What the server's log says of some requests."""
    row = expected_counts.of_calls([asked.call() for _, asked in several])
    return {name: row[name] for name in COUNTED}


def agree(found: dict[str, Any], wanted: dict[str, Any], what: object) -> None:
    """Assert that a row has these values."""
    for name, value in wanted.items():
        got = found[name]
        close = isinstance(value, float) and isinstance(got, float) and math.isclose(got, value, rel_tol=1e-9)
        assert close or got == value, (what, name, got, value)


def compare_frames(stage: Stage, log: list[tuple[Key, Asked]], tags: dict[str, str], copies: int) -> None:
    """Compare each frame with the log, by the key that the frame has."""
    keys: dict[str, tuple[tuple[str, ...], Callable[[Key, Asked], Any]]] = {
        "by_model": (("provider", "model"), lambda _, asked: ("openai-chat", asked.part.model)),
        "by_agent": (("agent_name",), lambda key, _: (key[0],)),
        "by_member": (
            ("team_name", "leader_name", "agent_name"),
            lambda key, _: (*stage.path(key[0]), key[0]),
        ),
    }
    cached = 0
    teams = {part.name for plan in stage.plans if plan.part.members for part in plan.part.all()}
    for name, (columns, of) in keys.items():
        frame = rows_of(getattr(nb.metrics, name)(tags=tags), columns)
        mine = [(key, asked) for key, asked in log if name != "by_member" or key[0] in teams]
        groups = expected_counts.grouped((of(key, asked), (key, asked)) for key, asked in mine)
        cached += sum(row["cached_runs"] for row in frame.values()) if name == "by_agent" else 0
        asked_somebody = {key: row for key, row in frame.items() if row["model_calls"]}
        assert asked_somebody.keys() == groups.keys(), name
        for key, several in groups.items():
            agree(frame[key], counted(several), (name, key))
            if name == "by_model":
                ends = expected_counts.endings([asked.call() for _, asked in several])
                agree(frame[key], {word: ends[word] for word in ("errors", "cancelled")}, key)
                agree(frame[key], {"runs": len({one for one, _ in several})}, key)
    tools = rows_of(nb.metrics.by_tool(tags=tags), ("tool_name",))
    assert sum(row["tool_calls"] for (tool,), row in tools.items() if tool == "_work") == stage.worked
    assert cached == copies


def compare_sessions(stage: Stage, tags: dict[str, str]) -> None:
    """Compare `by_session` with the log, and `get_session_metrics` for one of the sessions."""
    frame = rows_of(nb.metrics.by_session(tags=tags), ("session_id",))
    assert {session for (session,) in frame} == {plan.session for plan in stage.plans}
    for (session,), row in frame.items():
        log = [one for plan in stage.plans if plan.session == session for one in stage.asked(plan)]
        agree(row, counted(log), session)
    metrics = session_metrics(runtime.current().store, session)
    for name in ("model_calls", *expected_counts.TOKENS, "cost_usd", "duration_s", "queued_s"):
        assert getattr(metrics, name) == pytest.approx(row[name]), name


def compare_outputs(stage: Stage, runs: list[Run], tags: dict[str, str]) -> None:
    """Compare `nb.runs()`, each output and what is read back of it with the log."""
    frame = rows_of(nb.runs(tags=tags), ("run_id",))
    own = {key: counted([(key, one) for one in asked]) for key, asked in stage.log.items()}
    seen = set()
    for plan, run in zip(stage.plans, runs, strict=True):
        output = run.output
        whole = counted(stage.asked(plan))
        read_back = [runtime.current().stored(run.run_id)] if run is runs[-1] else []
        for metrics in (output.metrics, *(one.metrics for one in read_back)):
            names = ("model_calls", *expected_counts.TOKENS, "cost_usd")
            agree(
                {name: getattr(metrics, name) for name in names},
                {name: whole[name] for name in names},
                output,
            )
        agree(
            frame[(run.run_id,)],
            {
                "status": output.status.value,
                "team_model_calls": whole["model_calls"],
                "team_total_tokens": whole["total_tokens"],
                "team_cost_usd": whole["cost_usd"],
                "team_cost_known": whole["cost_known"],
            },
            run.run_id,
        )
        for one in with_members(output):
            key = (one.agent_name, one.prompt)
            seen.add(key)
            columns = ("model_calls", *expected_counts.TOKENS, "usage_known", "cost_usd", "cost_known")
            wanted = own.get(key, {**dict.fromkeys(columns), "model_calls": 0})
            agree(frame[(one.run_id,)], {name: wanted[name] for name in columns}, key)
    assert own.keys() <= seen


_SEVERAL = st.tuples(*(plays(letter) for letter in "pqrstuvwxy")).map(list)
_QUICK = settings(
    max_examples=100 // TOGETHER,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(300)
@given(several=_SEVERAL)
@_QUICK
def test_frames_equal_what_the_server_was_asked(
    provider: ScriptedProvider, several: list[tuple[Plan, ...]]
) -> None:
    """For 100 histories that ran, with teams in teams, retries, cancels, resumes: every frame has the server's count."""
    check(provider, several)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@given(several=_SEVERAL)
@settings(_QUICK, max_examples=1000 // TOGETHER)
def test_frames_equal_what_the_server_was_asked_a_thousand_times(
    provider: ScriptedProvider, several: list[tuple[Plan, ...]]
) -> None:
    """The same for 1,000 histories."""
    check(provider, several)
