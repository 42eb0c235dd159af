"""The table's static forms: a constant plain text, escaped HTML, a text table for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from nbagent.events import RunFinished, RunStarted
from nbagent.panel import Panel
from nbagent.panel.table import static_html
from nbagent.panel.table.row import row_of
from nbagent.run import RunLaunch, RunRecord
from nbagent.store import Store
from tests.panel.filled_store import fill

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror='alert(1)'>"


def lines(*names: str):
    made = []
    for name in names:
        record = RunRecord(
            RunLaunch(run_id=name, session_id=name, created_at=T0, label=name, model=name, prompt=name)
        )
        record.apply(RunStarted(started_at=T0))
        record.apply(RunFinished(stop_reason="error", error=name, finished_at=T0))
        made.append(row_of(record))
    return made


def test_hostile_text_is_escaped():
    """Names, models, prompts and errors are text in the saved notebook."""
    html = static_html.html_of(lines(HOSTILE), 1, key="k")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_the_html_is_bounded_and_says_what_it_leaves_out():
    """Ten thousand runs do not fill a notebook."""
    html = static_html.html_of(lines(*(f"r{n}" for n in range(300))), 10_000, key="k")
    assert len(html) < 60_000
    assert "10,000 runs" in html
    assert f"the newest {static_html.SHOWN} are shown" in html


def test_a_terminal_gets_a_text_table(capsys):
    """Without a kernel the panel prints the newest runs, what is unfinished first."""
    from nbagent import runtime

    store: Store = runtime.current().store
    fill(store, 40)
    Panel().show()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("nbagent runs: 40 runs · ")
    assert "cost known for" in printed[0]
    assert printed[1].split()[:3] == ["status", "run", "model"]
    assert len(printed) == 2 + static_html.TERMINAL_SHOWN


def test_an_empty_store_says_how_to_begin():
    """The first look is not an empty table."""
    assert repr(Panel()) == "nbagent runs: none yet; launch one with %%agent_bg"


def test_members_stand_below_their_leader_and_numbers_keep_their_units():
    """A team's members are no rows of their own among others; one whose leader is not shown stays where it is."""

    def member(name: str, parent: str | None):
        record = RunRecord(
            RunLaunch(run_id=name, session_id="s", created_at=T0, label=name, parent_run_id=parent)
        )
        record.apply(RunStarted(started_at=T0))
        record.apply(RunFinished(stop_reason="end", content=name, finished_at=T0))
        return row_of(record)

    made = [member("team", None), member("inner", "team"), member("alone", None), member("deep", "inner")]
    html = static_html.html_of([*made, member("orphan", "elsewhere")], 5, key="k")
    titles = ["team", "└\u00a0inner", "\u2003└\u00a0deep", "alone", "orphan"]
    places = [html.index(f">{title}<") for title in titles]
    assert places == sorted(places)
    assert '<td style="text-align: right; white-space: nowrap">0.00 s</td>' in html
