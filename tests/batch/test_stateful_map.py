"""Random tables, mapped over while they are edited, cancelled, retried, killed and mapped over again.

At every look at a batch: the user's columns are those given, ours have the same names and types, and each row that has
an answer has the one to its own prompt.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from nbagent.errors import UnknownOptionError
from tests.batch.review_provider import prompt_of
from tests.batch.table_mapping_process import map_over
from tests.provider.chat_wire import json_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Wait, error

ROOT = Path(__file__).resolve().parents[2]
DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NAMES = [
    "text",
    "status",
    "label",
    "answer.label",
    "answer.status",
    "content",
    "error",
    "",
    0,
    7,
    None,
    ("a", "b"),
    2.5,
]
VALUES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int64": ("int64", st.integers(-(2**63), 2**63 - 1)),
    "Int64": ("Int64", st.none() | st.integers(-9, 9)),
    "float64": ("float64", st.floats(-9, 9, width=16) | st.just(float("nan"))),
    "bool": ("bool", st.booleans()),
    "boolean": ("boolean", st.none() | st.booleans()),
    "string": ("string", st.none() | st.text("ab{}%<", max_size=3)),
    "category": ("category", st.none() | st.sampled_from("xy")),
    "datetime": ("datetime64[us, UTC]", st.none() | st.sampled_from([DAY, DAY + dt.timedelta(days=1)])),
    "lists": (object, st.none() | st.lists(st.none() | st.integers(0, 3), max_size=2)),
    "mixed": (
        object,
        st.none() | st.integers() | st.text("ab", max_size=2) | st.just(pd.NA) | st.just(pd.NaT),
    ),
    "dicts": (object, st.fixed_dictionaries({"k": st.lists(st.integers(0, 3), max_size=2)})),
}
INDEXES = {
    "range": lambda count: pd.RangeIndex(count, name="nth"),
    "doubled": lambda count: pd.Index([f"r{n // 2}" for n in range(count)], dtype=object),
    "dates": lambda count: pd.DatetimeIndex([None if n == 1 else f"2026-01-{n + 1:02}" for n in range(count)], tz="UTC"),
    "floats": lambda count: pd.Index([float("nan") if n == 2 else n / 2 for n in range(count)], dtype="float64"),
    "levels": lambda count: pd.MultiIndex.from_arrays([["a"] * count, list(range(count))], names=["k", None]),
    "categories": lambda count: pd.CategoricalIndex(["x", "y"] * count)[:count],
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A table of any index, column names and types, with what is missing in it."""
    count = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique_by=repr))
    index = INDEXES[draw(st.sampled_from(sorted(INDEXES)))](count)
    columns = {}
    for position in range(len(names)):
        dtype, values = VALUES[draw(st.sampled_from(sorted(VALUES)))]
        cells = draw(st.lists(values, min_size=count, max_size=count))
        columns[position] = pd.Series(cells, index=index, dtype=dtype)
    frame = pd.DataFrame(columns, index=index)
    frame.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    return frame


def shown(value: Any) -> str:
    """What a prompt has of a cell, told apart from how the library does it."""
    if isinstance(value, list):
        return str(value).replace("None", "null")
    return "" if not isinstance(value, dict | tuple) and pd.isna(value) else str(value)


def prompts_of(frame: pd.DataFrame) -> list[str]:
    """The prompts of a table's rows."""
    cells = [frame.iloc[:, position].tolist() for position in range(frame.shape[1])]
    rows = [[column[nth] for column in cells] for nth in range(len(frame))]
    return [
        f"{shown(label)}#{''.join(f'{shown(one)};' for one in row)}"
        for label, row in zip(frame.index, rows, strict=True)
    ]


def apart(rows: Any) -> Any:
    """The same rows, with nothing in common: a deep copy of a table has its cells' lists in common."""
    return pickle.loads(pickle.dumps(rows))  # noqa: S301


def digest(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()[:12]


def spoil(frame: pd.DataFrame, how: int) -> None:
    """Edit a table in place, cells' own lists included."""
    for column in frame.columns:
        for cell in frame[column] if frame.columns.is_unique else ():
            if isinstance(cell, list):
                cell.append("edited")
            if isinstance(cell, dict):
                cell["k"] = "edited"
    match how % 5:
        case 0:
            frame.drop(index=frame.index[:1], inplace=True)  # noqa: PD002 - what a user does
        case 1:
            frame.sort_index(axis=1, key=lambda labels: labels.map(repr), ascending=False, inplace=True)  # noqa: PD002
        case 2:
            frame.columns = [f"c{n}" for n in range(frame.shape[1])]
        case 3:
            frame.index = pd.RangeIndex(len(frame), 0, -1)
        case 4 if frame.shape[1]:
            frame.isetitem(0, ["edited"] * len(frame))


class Mapping(RuleBasedStateMachine):
    """One table of the user's, and the batches made of it."""

    looks = 0  # at a batch's frame, in all machines of this process

    def __init__(self, provider: ScriptedProvider, folder: Path) -> None:
        super().__init__()
        self.provider, self.folder = provider, folder / f"{next(COUNT)}"
        self.folder.mkdir()
        os.environ["NBAGENT_STORE"] = str(self.folder / "runs.duckdb")
        self.gate = Gate()
        self.gate.open()
        self.asked: Counter[str] = Counter()
        self.refused = 1  # every prompt whose digest it divides is refused
        self.batch: Any = None
        self.table: Any = None
        self.killed = False
        provider.otherwise(self.answer)

    def answer(self, request: Request) -> Script:
        """An answer made of the prompt alone."""
        prompt = prompt_of(request)
        self.asked[prompt] += 1
        if self.refuses(prompt):
            return error(400, "no")
        return (Wait(self.gate), *json_reply({"label": digest(prompt), "score": 1, "tags": ["a"]}))

    def refuses(self, prompt: str) -> bool:
        return self.refused > 1 and int(digest(prompt), 16) % self.refused == 0

    # -------------------------------------------------------------------- rules

    @rule(table=tables())
    def take(self, table: pd.DataFrame) -> None:
        self.finish()
        self.table, self.batch = table, None

    @precondition(lambda self: self.table is not None and self.batch is None)
    @rule(width=st.integers(1, 4), held=st.booleans(), refused=st.sampled_from([1, 1, 2]), group=st.sampled_from(["frame", "frame", "dicts"]))  # fmt: skip
    def start(self, width: int, *, held: bool, refused: int, group: str) -> None:
        """Map over the table, as it is or as records."""
        self.refused = refused
        if held:
            self.gate = Gate()
        given: Any = self.table
        if group == "dicts":
            names = list(given.columns)
            given = [dict(zip(names, row, strict=True)) for row in given.itertuples(index=False, name=None)]
        self.given = apart(given)
        self.batch = map_over(self.provider.base_url, given, max_concurrency=width)
        self.rows = given

    @precondition(lambda self: self.batch is not None)
    @rule(how=st.integers(0, 99))
    def edit(self, how: int) -> None:
        """The user goes on working with the table."""
        if isinstance(self.rows, list):
            self.rows[how % 3 :] = []
            for row in self.rows:
                row.clear()
        else:
            spoil(self.rows, how)
        self.look()

    @precondition(lambda self: self.batch is not None)
    @rule(how=st.integers(0, 99))
    def hand_out(self, how: int) -> None:
        """A frame that was handed out is the user's."""
        spoil(self.batch.to_frame(), how)
        self.look()

    @precondition(lambda self: self.batch is not None)
    @rule()
    def cancel(self) -> None:
        self.batch.cancel()
        self.look()

    @precondition(lambda self: self.batch is not None)
    @rule()
    def retry(self) -> None:
        """Ask what failed again, where it would be answered now."""
        self.finish()
        self.refused = 1
        self.batch.retry_failed()
        self.finish()
        assert set(self.batch.to_frame()[self.ours()["status"]]) <= {"completed", "cancelled", "not asked"}

    @precondition(lambda self: self.batch is not None)
    @rule()
    def map_again(self) -> None:
        """Run the cell again: what was answered is not asked again, and stands beside its rows."""
        self.finish()
        done = {digest(prompt) for prompt, row in self.answers() if row is not None}
        before = Counter(self.asked)
        self.rows = apart(self.given)
        self.batch = map_over(self.provider.base_url, self.rows)
        self.finish()
        asked = {digest(prompt) for prompt, times in self.asked.items() if times > before[prompt]}
        assert not asked & done or max(Counter(prompts_of(self.pristine())).values()) > 1

    @precondition(lambda self: self.batch is not None)
    @rule()
    def pass_on(self) -> None:
        """The frame of one batch is the table of the next."""
        self.finish()
        frame = self.batch.to_frame()
        self.table, self.batch = (
            frame.iloc[:, :3] if frame.shape[1] > 9 else frame.iloc[:, :-4],
            None,
        )

    @precondition(
        lambda self: self.table is not None and self.batch is None and not self.killed and len(self.table) > 1
    )
    @rule(after=st.integers(1, 3))
    def kill(self, after: int) -> None:
        """The kernel dies while it maps over the table; the cell is run again in another."""
        self.killed, self.refused = True, 1
        path = self.folder / "table.pickle"
        path.write_bytes(pickle.dumps(self.table))
        command = [
            sys.executable,
            "-m",
            "tests.batch.table_mapping_process",
            self.provider.base_url,
            str(path),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:  # fmt: skip
            assert process.stdout is not None
            seen = list(itertools.islice(process.stdout, after))
            process.send_signal(signal.SIGKILL)
        self.start(2, held=False, refused=1, group="frame")
        self.finish()
        assert self.batch.progress.reused >= len(seen), "what the dead kernel was given is in the store"

    @precondition(lambda self: self.table is not None and self.table.shape[1] > 1)
    @rule()
    def double_a_name(self) -> None:
        """A name of two columns is refused, and nothing is sent."""
        before = self.asked.total()
        doubled = self.table.copy()
        doubled.columns = pd.Index(["text"] * doubled.shape[1])
        with pytest.raises(UnknownOptionError, match="columns with the name 'text'"):
            map_over(self.provider.base_url, doubled)
        assert self.batch is not None or self.asked.total() == before

    # -------------------------------------------------------------------- checks

    def finish(self) -> None:
        self.gate.open()
        if self.batch is not None:
            self.batch.wait(60)
            self.look()

    def pristine(self) -> pd.DataFrame:
        """The table as it was when the batch was made."""
        if isinstance(self.given, list):
            names = list(self.given[0]) if self.given else ["row"]
            frame = pd.DataFrame({at: pd.Series([row[name] for row in self.given], dtype=object) for at, name in enumerate(names)})  # fmt: skip
            frame.columns = pd.Index(names, dtype=object, tupleize_cols=False)
            return frame
        return self.given

    def ours(self) -> dict[str, str]:
        """The names that our columns must have beside the user's."""
        taken = set(self.pristine().columns)
        names = {}
        for name in (*MEASURES, *FIELDS):
            own = name.removeprefix("field ")
            while own in taken:
                own = f"answer.{own}"
            taken.add(own)
            names[name] = own
        return names

    def answers(self) -> list[tuple[str, Any]]:
        """Each row's prompt, and its answer's label where it has one."""
        frame, names = self.batch.to_frame(), self.ours()
        labels = frame[names["field label"]]
        return [
            (prompt, None if pd.isna(label) else label)
            for prompt, label in zip(prompts_of(self.pristine()), labels, strict=True)
        ]

    def look(self) -> None:
        """The user's data and our columns are as they must be, at this moment."""
        Mapping.looks += 1
        frame, given, names = self.batch.to_frame(), self.pristine(), self.ours()
        width = given.shape[1]
        assert [repr(name) for name in frame.columns[:width]] == [repr(name) for name in given.columns]
        pd.testing.assert_index_equal(frame.index, given.index)
        for position in range(width):
            assert [repr(one) for one in frame.iloc[:, position].astype(object)] == [
                repr(one) for one in given.iloc[:, position].astype(object)
            ] or isinstance(self.given, list)
            if not isinstance(self.given, list):
                assert frame.dtypes.iloc[position] == given.dtypes.iloc[position]
        assert list(frame.columns[width:]) == [names[name] for name in (*FIELDS, *MEASURES)]
        types = [str(dtype) for dtype in frame.dtypes.iloc[width:]]
        assert types == [*FIELDS.values(), *MEASURES.values()]
        statuses = frame[names["status"]].tolist()
        for (prompt, label), status in zip(self.answers(), statuses, strict=True):
            assert label in (None, digest(prompt)), "the answer to another row"
            assert (label is None) or self.batch.to_frame() is not None
            assert status != "completed" or label == digest(prompt) or not self.batch.done()

    def teardown(self) -> None:
        self.finish()


COUNT = itertools.count()
FIELDS = {
    "field label": "string", "field score": "Float64", "field n": "Int64", "field tags": "object", "field status": "boolean",
}  # fmt: skip
MEASURES = {
    "status": "category", "stop_reason": "string", "from_earlier": "boolean", "error": "string", "error_type": "string",
    "error_fields": "string", "cost_usd": "Float64", "duration_s": "Float64", "run_id": "string",
}  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_map_holds_over_any_table(provider, tmp_path, monkeypatch):
    """Twenty random days with tables: every row's answer is its own, data and types stay."""
    monkeypatch.setenv("NBAGENT_STORE", str(tmp_path / "runs.duckdb"))
    Mapping.looks = 0
    run_state_machine_as_test(
        lambda: Mapping(provider, tmp_path),
        settings=settings(
            max_examples=int(os.environ.get("NBAGENT_MAP_EXAMPLES", "20")),
            stateful_step_count=12,
            deadline=None,
            phases=[Phase.generate],  # the steps of a failure are few enough to read; each try costs kernels
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Mapping.looks > 20
