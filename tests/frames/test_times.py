"""Times that a person gives: without a zone they are local, everywhere; what filters show and `clear` takes agree."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import nbagent as nb
from nbagent import runtime
from nbagent.errors import UnknownOptionError
from nbagent.frames.times import moment_of
from nbagent.maintenance import to_clear
from nbagent.store import Finish, Launch

ZONES = ("Asia/Tokyo", "America/Los_Angeles", "UTC")
NOON = datetime(2026, 11, 21, 12, 0, 0)  # noqa: DTZ001 - as a person writes it


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """The machine's time zone."""
    yield from _in_zone(request.param, monkeypatch)


@pytest.fixture
def los_angeles(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """A machine whose clock is set back on 2026-11-01 at 2:00 and was set forward on 2026-03-08 at 2:00."""
    yield from _in_zone("America/Los_Angeles", monkeypatch)


def _in_zone(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield ZoneInfo(name)
    time.tzset()


def launched(**at: datetime) -> None:
    """Write a run that has ended for each name, launched then."""
    store = runtime.current().store
    for name, moment in at.items():
        row = {"run_id": name, "session_id": name, "agent_name": "guide", "created_at": moment}
        store.submit(Launch(row))
        end = {"status": "completed", "stop_reason": "end", "started_at": moment, "finished_at": moment}
        store.submit(Finish(run_id=name, attempt=1, end=end))
    assert store.flush(10)


def shown(since: Any) -> list[str]:
    return list(nb.runs(since=since)["run_id"])


GIVEN: dict[str, Callable[[datetime], Any]] = {
    "naive": lambda at: at.replace(tzinfo=None),
    "text": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "iso-text": lambda at: f"{at:%Y-%m-%dT%H:%M}",
    "pandas": lambda at: pd.Timestamp(at.replace(tzinfo=None)),
    "numpy": lambda at: np.datetime64(at.replace(tzinfo=None), "ns"),
    "aware": lambda at: at,
    "utc": lambda at: at.astimezone(UTC),
    "zulu-text": lambda at: f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    "elsewhere": lambda at: at.astimezone(timezone(timedelta(hours=5, minutes=45))),
    "pandas-aware": pd.Timestamp,
}


@pytest.mark.parametrize("way", GIVEN)
def test_filters_and_clear_take_the_same_rows(zone: ZoneInfo, way: str) -> None:
    """Whatever zone the machine is in and however one moment is written, what is not shown since it is what goes."""
    noon = NOON.replace(tzinfo=zone)
    second = timedelta(seconds=1)
    launched(before=noon - second, at=noon, after=noon + second)
    given = GIVEN[way](noon)
    assert shown(given) == ["at", "after"]
    assert nb.metrics.by_agent(since=given)["runs"].tolist() == [2]
    assert len(to_clear(older_than=given)) == 1
    assert nb.clear_runs(older_than=given) == 1
    assert list(nb.runs()["run_id"]) == ["at", "after"]


@pytest.mark.parametrize("given", [date(2026, 11, 21), "2026-11-21", pd.Timestamp("2026-11-21")], ids=repr)
def test_a_date_begins_at_local_midnight(zone: ZoneInfo, given: Any) -> None:
    """A day is the person's, also where UTC has another one."""
    midnight = datetime(2026, 11, 21, tzinfo=zone)
    launched(yesterday=midnight - timedelta(seconds=1), today=midnight)
    assert shown(given) == ["today"]
    assert nb.clear_runs(older_than=given) == 1
    assert shown(None) == ["today"]


@pytest.mark.parametrize(
    "given", [timedelta(hours=1), "1h", "60m", np.timedelta64(1, "h"), pd.Timedelta("1h")], ids=repr
)
def test_a_span_counts_back_from_now(zone: ZoneInfo, given: Any) -> None:
    """Spans mean the same in filters and in `clear`."""
    now = datetime.now(UTC)
    launched(old=now - timedelta(hours=2), new=now - timedelta(minutes=1))
    assert shown(given) == ["new"]
    assert nb.clear_runs(older_than=given) == 1
    assert shown(None) == ["new"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 11, 1, 1, 30, fold=1), datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),  # noqa: DTZ001
        (
            pd.Timestamp(year=2026, month=11, day=1, hour=1, minute=30, fold=1),
            datetime(2026, 11, 1, 9, 30, tzinfo=UTC),
        ),
        ("2026-11-01 01:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01 02:00", datetime(2026, 11, 1, 10, 0, tzinfo=UTC)),
        ("2026-03-08 03:00", datetime(2026, 3, 8, 10, 0, tzinfo=UTC)),
        ("2026-03-08", datetime(2026, 3, 8, 8, 0, tzinfo=UTC)),
        (date(2026, 3, 9), datetime(2026, 3, 9, 7, 0, tzinfo=UTC)),
    ],
)
def test_days_on_which_clocks_are_set(los_angeles: ZoneInfo, given: Any, meant: datetime) -> None:
    """Of an hour that clocks show twice the first is meant, `fold=1` the second; a day begins at its own midnight."""
    assert moment_of(given, "since") == meant
    launched(before=meant - timedelta(seconds=1), at=meant)
    assert shown(given) == ["at"]
    assert nb.clear_runs(older_than=given) == 1
    assert shown(None) == ["at"]


@pytest.mark.parametrize(
    "given", ["soon", 5, pd.NaT, np.datetime64("NaT", "s"), timedelta.max, "2026-13-01", ["1h"]], ids=repr
)
@pytest.mark.parametrize(
    "ask",
    [lambda at: nb.runs(since=at), lambda at: nb.clear_runs(older_than=at)],
    ids=["since", "older_than"],
)
def test_what_is_no_time_is_refused(given: Any, ask: Callable[[Any], Any]) -> None:
    """Nothing is shown or deleted by a time that nobody can mean."""
    with pytest.raises(UnknownOptionError, match=r"(since|older_than) is .*\ngive a span"):
        ask(given)


@pytest.mark.parametrize("end", [datetime(1, 1, 1), date.min, date.max], ids=repr)  # noqa: DTZ001
def test_the_ends_of_the_calendar_are_times(zone: ZoneInfo, end: date) -> None:
    """All or nothing is a wish like any other."""
    launched(one=datetime(2026, 11, 21, 9, 0, tzinfo=UTC))
    assert len(shown(end)) == (1 if end.year == 1 else 0)
    assert len(to_clear(older_than=end)) == (0 if end.year == 1 else 1)


def test_clearing_says_what_span_goes_before_it_does(
    zone: ZoneInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many runs, launched from when to when on the person's own clock; a dry run deletes none of them."""
    noon = NOON.replace(tzinfo=zone)
    launched(first=noon, last=noon + timedelta(hours=3), kept=noon + timedelta(hours=4))
    limit = NOON + timedelta(hours=4)
    offset = f"{noon:%z}"[:3] + ":00"
    said = (
        f"2 runs to delete (2 completed), launched 2026-11-21 12:00 {offset} to 2026-11-21 15:00 {offset}\n"
    )
    assert nb.clear_runs(older_than=limit, dry_run=True) == 2
    assert len(nb.runs()) == 3
    assert nb.clear_runs(older_than=limit) == 2
    assert capsys.readouterr().out == said * 2


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("table", ["runs", "model_calls"])
def test_text_files_hold_offsets(zone: ZoneInfo, tmp_path: Path, form: str, table: str) -> None:
    """Read by another program in another zone, a time is the same moment."""
    output = nb.Agent(model="demo:assistant").run("Hello")
    path = tmp_path / f"file.{form}"
    assert nb.export_runs(path, table=table, since="1h") == 1
    first = path.read_text().splitlines()
    row = next(csv.DictReader(first)) if form == "csv" else json.loads(first[0])
    assert datetime.fromisoformat(row["started_at"]) == output.model_calls[0].started_at or table == "runs"
    times = [name for name in row if name.endswith("_at") and row[name]]
    assert "started_at" in times
    assert all(row[name].endswith("+00:00") for name in times)


def test_parquet_columns_have_a_zone(zone: ZoneInfo, tmp_path: Path) -> None:
    """pandas, polars and DuckDB read UTC timestamps with their zone, whatever the machine's."""
    output = nb.Agent(model="demo:assistant").run("Hello")
    path = tmp_path / "runs.parquet"
    nb.export_runs(path)
    import duckdb

    kinds = dict(duckdb.sql(f"select column_name, column_type from (describe from '{path}')").fetchall())  # noqa: S608
    assert {kinds[name] for name in ("created_at", "started_at", "finished_at")} == {
        "TIMESTAMP WITH TIME ZONE"
    }
    found = duckdb.sql(f"select epoch_us(created_at) from '{path}'").fetchall()  # noqa: S608
    created_at = output.created_at
    assert created_at is not None
    assert found == [(round(created_at.timestamp() * 1_000_000),)]
