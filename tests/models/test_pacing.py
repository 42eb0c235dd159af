"""Many fast streams are read in fewer, larger pieces; nobody waits who needs not."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest

from nbagent.models import ReplyFinished, TextPiece, close_connections, pacing
from nbagent.models.exchange import open_exchange
from nbagent.models.faults import Target
from nbagent.models.pacing import Rest
from tests.models.asking import chat, request
from tests.provider.chat_wire import begun, end, text, text_reply
from tests.provider.steps import Gate, Silence, Wait

LONG_S = 60.0  # a rest that no test would outlast
MANY = 24
WORDS = [f" word{n}" for n in range(60)]


@pytest.fixture
def _long_rests(monkeypatch):
    """Rests of a minute with any two streams: whoever rests shows, and no clock has a part in it."""
    monkeypatch.setattr(pacing, "LONGEST_S", LONG_S)
    monkeypatch.setattr(pacing, "PER_STREAM_S", LONG_S)


@contextmanager
def resting(count, response=None):
    """The rests of `count` exchanges that are open at once."""
    rests = [Rest(response) for _ in range(count)]
    try:
        yield rests
    finally:
        for rest in rests:
            rest.over()


@asynccontextmanager
async def open_response():
    """A response over a real socket, of the shape that the SDK's has with aiohttp."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    connection = SimpleNamespace(transport=transport)
    inner = SimpleNamespace(_aiohttp_response=SimpleNamespace(connection=connection))
    try:
        yield SimpleNamespace(stream=SimpleNamespace(_stream=inner))
    finally:
        transport.close()
        theirs.close()


async def rests_now(rest):
    """True where the exchange rests; the rest is cut short."""
    task = asyncio.ensure_future(rest.take())
    await asyncio.sleep(0)
    resting_now = not task.done()
    task.cancel()
    await asyncio.wait([task])
    return resting_now


@pytest.mark.parametrize(
    ("streams", "waited_s", "rests"),
    [(1, 0.0, False), (2, 0.0, False), (MANY, 0.0, True), (MANY, pacing.LONGEST_S, False), (1000, 0.03, False)],
)  # fmt: skip
def test_who_rests(streams, waited_s, rests):
    """One stream never rests, nor does one of many whose pieces are slow."""

    async def run():
        async with open_response() as response:
            with resting(streams, response) as (rest, *_):
                rest.waited_s = waited_s
                return await rests_now(rest)

    assert asyncio.run(run()) is rests


def test_a_rest_that_gathered_nothing_is_not_repeated():
    """However fast the first piece came: one piece for a rest is no gain, and the next ones are timed again."""

    async def run():
        async with open_response() as response:
            with resting(MANY, response) as (rest, *_):
                was = [await rests_now(rest)]
                for pieces, waited_s in ((3, 0.0), (1, 0.0), (1, 1.0), (1, 0.0)):
                    rest.pieces, rest.waited_s = pieces, waited_s
                    was.append(await rests_now(rest))
                return was

    assert asyncio.run(run()) == [True, True, False, False, True]


def test_without_its_socket_nothing_rests():
    """Where the socket cannot be found, every piece is read as it comes: a rest would only hold it up."""

    async def run():
        with resting(MANY) as (rest, *_):
            return await rests_now(rest)

    assert asyncio.run(run()) is False


def test_rests_are_bounded_and_end_together():
    """No rest is longer than the longest, however many streams run; those that begin together end together."""

    async def run():
        now = asyncio.get_running_loop().time
        async with AsyncExitStack() as opened:
            rests = []
            for _ in range(MANY * 2):
                response = await opened.enter_async_context(open_response())
                rests += opened.enter_context(resting(1, response))
            began = now()
            ended = []

            async def one(rest):
                await rest.take()
                ended.append(now() - began)

            await asyncio.gather(*map(one, rests))
        return ended

    ended = asyncio.run(run())
    assert pacing.LONGEST_S <= 0.05
    assert min(ended) >= pacing.LONGEST_S - 0.011
    assert max(ended) < pacing.LONGEST_S + 0.1  # what the loop itself takes on a busy machine


def test_an_exchange_that_is_over_counts_no_more():
    """Closed twice, it is taken from the count once."""
    before = pacing._streaming
    with resting(3) as rests:
        rests[0].over()
        assert pacing._streaming == before + 2
    assert pacing._streaming == before


async def _texts(model, pieces):
    """The text of one question; `pieces` gets how many pieces it came in."""
    seen = [event async for event in model.stream(request())]
    assert isinstance(seen[-1], ReplyFinished)
    texts = [event.text for event in seen if isinstance(event, TextPiece)]
    assert "".join(texts) == seen[-1].text
    pieces.append(len(texts))
    return seen[-1].text


@pytest.mark.parametrize("transport", ["with aiohttp", "without aiohttp"])
def test_many_fast_streams_give_the_same_text(provider, monkeypatch, transport):
    """Every stream has its whole text; with aiohttp in fewer pieces than were sent, without it at no time's cost."""
    if transport == "without aiohttp":
        monkeypatch.setattr("openai.DefaultAioHttpClient", _missing)
        monkeypatch.setattr(pacing, "LONGEST_S", LONG_S)
        monkeypatch.setattr(pacing, "PER_STREAM_S", LONG_S)
    provider.otherwise(text_reply(*WORDS))
    pieces = []

    async def run():
        texts = await asyncio.gather(*(_texts(chat(provider), pieces) for _ in range(MANY)))
        texts += await asyncio.gather(*(_texts(chat(provider), pieces) for _ in range(MANY)))
        await close_connections()
        return texts

    assert asyncio.run(run()) == ["".join(WORDS)] * MANY * 2
    assert transport == "without aiohttp" or sum(pieces) < len(pieces) * len(WORDS)


def _missing(**_options):
    raise RuntimeError  # as the SDK says that aiohttp is not installed


@pytest.mark.usefixtures("_long_rests")
def test_the_first_text_never_waits(provider):
    """Of many streams each shows its first text at once, whatever came before it."""
    provider.otherwise((*begun(), *text("Par"), Silence()))

    async def run():
        async with asyncio.timeout(LONG_S / 4):
            with resting(MANY):
                async with aclosing(chat(provider).stream(request(idle_timeout_s=LONG_S))) as events:
                    await anext(events)
                    first = await anext(events)
        await close_connections()
        return first

    assert asyncio.run(run()) == TextPiece("Par")


@pytest.mark.usefixtures("_long_rests")
def test_cancel_during_a_rest(provider):
    """Cancelling a run that rests is prompt, and the server sees the connection close."""
    gate = Gate()
    provider.reply((*begun(), *text("Par"), Wait(gate), *text("is"), *end()))
    rested = asyncio.Event()

    async def run():
        async def consume():
            async with aclosing(chat(provider).stream(request(idle_timeout_s=LONG_S))) as events:
                async for event in events:
                    if isinstance(event, TextPiece):
                        rested.set()  # what comes next is the rest: it would last a minute

        with resting(MANY):
            task = asyncio.create_task(consume())
            await rested.wait()
            (sent,) = provider.requests
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            took = time.monotonic() - began
            assert await asyncio.to_thread(sent.disconnected.wait, 5)
        await close_connections()
        return took, sent.disconnected_at - began

    took, closed_after = asyncio.run(run())
    assert took < 0.1
    assert closed_after < 0.1


def _target(provider):
    return Target(provider="test", model="scripted", base_url=provider.base_url)


@pytest.mark.usefixtures("_long_rests")
def test_the_socket_rests_too_and_is_read_again(provider):
    """While an exchange rests its socket is not read; however the rest ends, reading goes on."""
    gate = Gate()
    provider.reply((*text("Par"), Wait(gate), *text("is")))

    async def run():
        exchange = await open_exchange(_target(provider), "/chat/completions", b"{}", 5.0)
        try:
            assert await exchange.read()
            transport = exchange._rest._socket()
            was = [transport.is_reading()]
            with resting(MANY):
                rest = asyncio.ensure_future(exchange.rest(3))
                await asyncio.sleep(0)
                was.append(transport.is_reading())
                rest.cancel()
                await asyncio.wait([rest])
            was.append(transport.is_reading())
            gate.open()
            assert b"is" in await exchange.read()
            while await exchange.read():
                pass
            # the connection may be another exchange's by now
            assert exchange._rest._socket() is None
        finally:
            await exchange.close()
            await close_connections()
        return was

    assert asyncio.run(run()) == [True, False, True]
