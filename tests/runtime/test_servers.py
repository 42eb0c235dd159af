"""How many requests a server takes at a time: what its row says, and what is learned of one that interrupts."""

from __future__ import annotations

import asyncio

import pytest

from nbagent.errors import EarlyEndError
from nbagent.models import OpenAIChat
from nbagent.runtime.scheduling import server_limits
from nbagent.runtime.scheduling.concurrency import ConcurrencyLimiter
from nbagent.runtime.scheduling.server_limits import FEW, Server
from tests.runtime.test_concurrency import Calls, Named

LONG_S = 1000.0  # a stream that began long ago


def at(url: str, model_id: str = "m", provider: str = "llama-cpp") -> OpenAIChat:
    """Return a model of the server at `url`."""
    return OpenAIChat(id=model_id, provider=provider, base_url=url, api_key="k")


def test_one_at_a_time_where_the_row_says_so():
    """Calls of all models of such a server go one after the other; those of other servers do not wait for them."""

    async def work():
        calls = Calls(ConcurrencyLimiter())
        await calls.start("one", at("http://127.0.0.1:1/v1"))
        await calls.start("other model", at("http://127.0.0.1:1/v1", "m2"))
        await calls.start("same model", at("http://127.0.0.1:1/v1"))
        await calls.start("other server", at("http://127.0.0.1:2/v1"))
        await calls.start("other provider", Named("a"))
        assert calls.went == ["one", "other server", "other provider"]
        for name in ("one", "other model", "same model"):
            await calls.end(name)
        assert calls.went[3:] == ["other model", "same model"]
        await calls.end("other server", "other provider")

    asyncio.run(work())


def test_an_interrupting_server_is_found_out():
    """Streams that end early when a later request comes are free to try again, and soon go one at a time."""
    server = Server()
    for _ in range(FEW):
        server.begin()
        assert server.takes_another
        assert server.interrupted(LONG_S) is not None
    server.held = 1
    assert not server.takes_another


def test_a_stream_that_ends_early_by_itself_is_none_of_it():
    """Without a later request an early end counts as a failed try."""
    server = Server()
    server.begin()
    assert server.interrupted(0.0) is None
    assert Server().interrupted(LONG_S) is None


def test_a_server_that_takes_several_keeps_them(monkeypatch):
    """One stream that outlives a later request shows that the server takes both: early ends are its own then."""
    monkeypatch.setattr(server_limits, "OUTLIVED_S", -1.0)
    server = Server()
    first = server.begin()
    server.begin()
    server.answered(first)
    assert [server.interrupted(LONG_S) for _ in range(FEW)] == [None] * FEW
    assert server.takes_another


@pytest.mark.parametrize("lasted_s", [0.0, LONG_S])
def test_what_the_slots_say(lasted_s):
    """The slots hear of early ends; any other failure is the run's own."""
    slots, model = ConcurrencyLimiter(), at("http://127.0.0.1:1/v1", provider="openai-chat")

    async def work():
        async with slots.slot(model, None), slots.slot(model, None):
            early = slots.limited(model, EarlyEndError("x"), lasted_s)
            assert (early is None) == (lasted_s == 0.0)
            assert slots.limited(model, OSError("x"), lasted_s) is None

    asyncio.run(work())
