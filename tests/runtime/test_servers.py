"""How many requests a server takes at a time: what its row says, and what is learned of one that interrupts."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from nbagent.errors import EarlyEndError, OutOfReachError
from nbagent.models import OpenAIChat
from nbagent.runtime.limits.limiter import ConcurrencyLimiter, RunGate
from nbagent.runtime.limits.server_limits import FEW, OUTLIVED_S, Server
from tests.runtime.test_limiter import Calls, Named


def at(url: str, model_id: str = "m", provider: str = "llama-cpp-python") -> OpenAIChat:
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
    for at_s in range(FEW):
        earlier = server.begin(at_s)
        server.begin(at_s)
        assert server.takes_another
        assert server.interrupted(earlier) is not None
    server.held = 1
    assert not server.takes_another


def test_a_stream_that_ends_early_by_itself_is_none_of_it():
    """Without a later request an early end counts as a failed try."""
    server = Server()
    first = server.begin(0.0)
    assert server.interrupted(first) is None


def test_a_server_that_takes_several_keeps_them():
    """One stream that outlives a later request shows that the server takes both: early ends are its own then."""
    server = Server()
    first = server.begin(0.0)
    server.begin(1.0)
    server.answered(first, 1.1 + OUTLIVED_S)
    assert [server.interrupted(first) for _ in range(FEW)] == [None] * FEW
    assert server.takes_another


@pytest.mark.parametrize("later", [0, 1, 2])
def test_what_the_slots_say(later):
    """A gate hears of early ends; any other failure is the run's own."""
    slots, model = ConcurrencyLimiter(), at("http://127.0.0.1:1/v1", provider="openai-chat")
    gates = [RunGate(slots, lambda _place: None) for _ in range(1 + later)]

    async def work():
        async with contextlib.AsyncExitStack() as held:
            for gate in gates:
                await held.enter_async_context(gate.slot(model, None))
            assert (gates[0].limited(EarlyEndError("x")) is None) == (later == 0)
            assert gates[0].limited(OutOfReachError("x")) is None

    asyncio.run(work())
