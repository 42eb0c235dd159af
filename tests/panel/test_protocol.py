"""The numbered messages of a card: whoever hears them all, or loads late, has the truth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbagent.panel.protocol import NumberedChannel

row_texts = st.tuples(st.integers(0, 2), st.text(alphabet="ab\U0001f600", max_size=6))


@given(st.lists(st.tuples(row_texts, st.booleans()), max_size=20))
def test_whoever_hears_every_message_or_loads_late_has_the_state(steps):
    """A front end that applies each message has the feed's state, and so has one that begins with the state."""
    feed = NumberedChannel({"n": 0}, "")
    have = dict(feed.state)
    for (number, text), reload in steps:
        message = feed.next({"n": number}, text, now_s=0.0)
        if message is not None and "append" in message:
            assert message["seq"] == have["seq"] + 1
            have = {
                "seq": message["seq"],
                "row": message.get("row", have["row"]),
                "text": have["text"] + message["append"],
            }
        elif message is not None or reload:
            have = dict(feed.state)
        assert have == feed.state
        assert (have["row"], have["text"]) == ({"n": number}, text)


def test_nothing_changed_is_no_message():
    """A card whose run stands still sends nothing, but once more the whole a second after its last change."""
    feed = NumberedChannel({"n": 0}, "")
    assert feed.next({"n": 0}, "", 0.0) is None
    assert not feed.resend_due(10.0)
    assert feed.next({"n": 0}, "a", 10.0) == {"seq": 1, "append": "a"}
    assert not feed.resend_due(10.5)
    assert not feed.settled
    assert feed.resend_due(11.1)
    assert feed.settled
    assert not feed.resend_due(20.0)
