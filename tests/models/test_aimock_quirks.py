"""What the mock server aimock was found to do otherwise than the Responses API (tests/soak/test_aimock.py), scripted."""

from __future__ import annotations

import pytest

from nbagent.models import Notice, ReplyStarted, ResponseAttached, TextDelta
from tests.models.single_call import reply_of, responses, stream
from tests.provider import responses_wire as wire
from tests.provider.steps import Head, Raw, error

ZEROS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def bare(*steps):
    """Return the steps without sequence numbers, as it sends them."""
    return tuple(steps)


def test_no_sequence_numbers(provider):
    """Its events are not numbered: the reply is read all the same."""
    provider.reply(bare(*wire.begun(), *wire.text("Par", "is"), wire.end("completed", wire.message("Paris"))))
    events = stream(responses(provider))
    assert events[0] == ReplyStarted()
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Paris"


@pytest.mark.parametrize(("status", "reason"), [("incomplete", "length"), ("completed", "stop")])
def test_the_last_event_is_always_called_completed(provider, status, reason):
    """Its last event is response.completed, whatever the response's status, which is believed; details are left out."""
    ending = wire.event("response.completed", response=wire.response(status, wire.message("Par")))
    provider.reply(bare(*wire.begun(), *wire.text("Par"), ending))
    finished = reply_of(responses(provider))
    assert (finished.text, finished.finish_reason) == ("Par", reason)


def test_a_last_response_without_its_status(provider):
    """Where the status is left out, the event's name says how it ended."""
    whole = wire.response("completed", wire.message("Par")) | {"status": None}
    provider.reply(bare(*wire.text("Par"), wire.event("response.incomplete", response=whole)))
    assert reply_of(responses(provider)).finish_reason == "length"


def test_zeros_are_no_counts(provider):
    """Tokens that it did not count are zeros: they are missing, for no reply takes no tokens."""
    provider.reply(wire.text_reply("Paris", usage=ZEROS))
    finished = reply_of(responses(provider))
    assert (finished.usage.total_tokens, finished.usage_source) == (None, "missing")


def test_usage_without_details(provider):
    """Counts without their details are counts; what is cached and what was thought is unknown, not zero."""
    provider.reply(wire.text_reply("Paris", usage={"input_tokens": 3, "output_tokens": 2}))
    usage = reply_of(responses(provider)).usage
    assert (usage.total_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == (5, None, None)


def test_background_is_taken_and_not_echoed(provider):
    """Its responses say nothing of background: the run is in the notebook, said once."""
    plain = {name: value for name, value in wire.response("in_progress").items() if name != "background"}
    done = {**plain, "status": "completed", "output": [wire.message("Paris")]}
    provider.reply(bare(wire.event("response.created", response=plain), *wire.text("Paris"), wire.event("response.completed", response=done)))  # fmt: skip
    events = stream(responses(provider, background=True))
    assert [type(event) for event in events].count(Notice) == 1
    assert not any(isinstance(event, ResponseAttached) for event in events)
    assert len(provider.requests) == 1


def test_items_of_tools_at_the_provider(provider):
    """An item of a search at the provider stands between the answer's items and is kept in its place."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    provider.reply(
        bare(wire.created(), *wire.text("Found."), wire.end("completed", search, wire.message("Found.")))
    )
    kept = reply_of(responses(provider)).provider_items
    assert [made["item"]["type"] for made in kept] == ["web_search_call", "message"]


def test_an_error_without_a_param(provider):
    """Its errors hold a message and a type, its limit a Retry-After."""
    provider.reply(error(429, "slow down", type="rate_limit_error", headers={"retry-after": "7"}))
    with pytest.raises(Exception, match="slow down") as raised:
        stream(responses(provider))
    assert raised.value.retry_after_s == 7.0


def test_event_names_and_data_apart(provider):
    """Name and data of an event may come in different reads."""
    whole = b"".join(step.data for step in bare(*wire.begun(), *wire.text("Paris"), wire.end()))
    at = whole.index(b"data:", 200)
    provider.reply((Head(), Raw(whole[:at]), Raw(whole[at:])))
    assert reply_of(responses(provider)).text == "Paris"
