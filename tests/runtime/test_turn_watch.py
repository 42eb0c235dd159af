"""When a waiting run reads the record and how often it tries the claim, as a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nbagent.runtime.scheduling.turn_watch import LONGEST_PAUSE_S, LOOK_EVERY_S, SHORTEST_PAUSE_S, TurnWatch
from nbagent.store import ClaimNote, UnfinishedRun

T0 = 100.0


def ahead(*turns: int) -> tuple[UnfinishedRun, ...]:
    """Runs of another kernel with these turns."""
    return tuple(
        UnfinishedRun(
            run_id=f"r{turn}", label=None, turn=turn, owner="host boot 1 2", paused=False,
            last_seen=datetime(2026, 1, 1, tzinfo=UTC), queued=True,
        )
        for turn in turns
    )  # fmt: skip


def note(turn: int, state: Any) -> ClaimNote:
    """What the run of this turn has left."""
    return ClaimNote(run_id=f"r{turn}", turn=turn, state=state)


@pytest.mark.parametrize(
    ("known", "said", "seen"),
    [
        ((5,), note(5, "over"), "news"),  # what was before it is over
        ((5, 6), note(5, "over"), "none"),  # the next one's turn
        ((5, 6), note(6, "over"), "news"),
        ((5,), note(9, "over"), "news"),
        ((5,), note(3, "over"), "none"),
        ((5,), note(5, "working"), "news"),  # nobody has the claim, and it is not over: its process is gone
        ((5,), note(5, "paused"), "news"),
        ((5,), note(3, "working"), "none"),  # of one that was swept already
        ((5,), ClaimNote(run_id="r", state="over"), "none"),  # that had no turn
    ],
)
def test_the_record_is_read_when_there_may_be_news(
    known: tuple[int, ...], said: ClaimNote, seen: str
) -> None:
    """By what is known to be before the run, and what the last holder of the claim said."""
    watch = TurnWatch(T0)
    assert watch.may_look(T0)
    watch.looked(ahead(*known), T0)
    watch.saw(said, T0 + 0.1)
    assert watch.may_look(T0 + 0.1) is (seen == "news")
    assert watch.may_look(T0 + LOOK_EVERY_S)  # for what leaves no note


def test_a_note_that_has_gone_is_news() -> None:
    """Who had the claim last saw nobody wait; a session without any note is none."""
    watch = TurnWatch(T0)
    watch.looked(ahead(5), T0)
    assert not watch.may_look(T0 + 0.1)
    watch.saw(note(5, "working"), T0 + 0.2)
    watch.saw(None, T0 + 0.3)
    assert watch.may_look(T0 + 0.3)


def test_the_claim_is_tried_less_often_while_nothing_happens() -> None:
    """From 10 ms to a quarter of a second, a twentieth of the wait between; and often again after a change."""
    watch = TurnWatch(T0)
    pauses = [watch.pause_s(T0 + waited) for waited in (0, 0.1, 1, 4, 100)]
    assert pauses == pytest.approx([SHORTEST_PAUSE_S, SHORTEST_PAUSE_S, 0.05, 0.2, LONGEST_PAUSE_S])
    watch.saw(note(5, "working"), T0 + 100)
    assert watch.pause_s(T0 + 100) == SHORTEST_PAUSE_S
    watch.looked(ahead(5), T0 + 200)
    assert watch.pause_s(T0 + 200) == SHORTEST_PAUSE_S
    watch.looked(ahead(5), T0 + 300)  # no news
    assert watch.pause_s(T0 + 300) == LONGEST_PAUSE_S
