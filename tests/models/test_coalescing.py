"""Many fast streams are read in fewer, larger pieces; nobody waits who needs not."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest

from nbagent.models import ReplyFinished, TextDelta, close_connections
from nbagent.models.transport import coalescing
from nbagent.models.transport.coalescing import ReadCoalescer
from nbagent.models.transport.errors import RequestTarget
from nbagent.models.transport.stream import open_stream
from tests.models.single_call import chat, request
from tests.provider.chat_wire import begun, end, text, text_reply
from tests.provider.steps import Gate, Silence, Wait

LONG_S = 600.0  # a rest that no test would outlast
MANY = 24
WORDS = [f" word{n}" for n in range(60)]


@pytest.fixture
def _long_rests(monkeypatch):
    """Rests of a minute with any two streams: whoever rests shows, and no clock has a part in it."""
    monkeypatch.setattr(coalescing, "LONGEST_S", LONG_S)
    monkeypatch.setattr(coalescing, "YOUNG_S", LONG_S)
    monkeypatch.setattr(coalescing, "PER_STREAM_S", LONG_S)


NO_SOCKET = SimpleNamespace(connection=None)  # a response whose body is through


@contextmanager
def streaming(count, response=NO_SOCKET):
    """The paces of `count` exchanges that are open at once."""
    paces = [ReadCoalescer(response) for _ in range(count)]
    try:
        yield paces
    finally:
        for pace in paces:
            pace.over()


@asynccontextmanager
async def open_response():
    """A real socket, below what has the shape of an aiohttp response; both are given."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    try:
        yield transport, SimpleNamespace(connection=SimpleNamespace(transport=transport))
    finally:
        transport.close()
        theirs.close()


@pytest.mark.parametrize(
    ("streams", "waited_s", "rests"),
    [(1, 0.0, False), (2, 0.0, False), (MANY, 0.0, True), (MANY, coalescing.LONGEST_S, False), (1000, 0.045, False)],
)  # fmt: skip
def test_who_rests(streams, waited_s, rests):
    """One stream never rests, nor does one of many whose pieces are slow."""

    async def run():
        async with open_response() as (transport, inner):
            with streaming(streams, inner) as (pace, *_):
                assert pace.rest(1, waited_s) is rests
                assert transport.is_reading() is not rests

    asyncio.run(run())


def test_a_rest_that_gathered_nothing_is_not_repeated():
    """However fast the first piece came: one piece for a rest is no gain, and the next ones are timed again."""

    async def run():
        async with open_response() as (_, inner):
            with streaming(MANY, inner) as (pace, *_):
                reads = ((1, 0.0), (3, 0.06), (1, 0.06), (1, 1.0), (1, 0.0))
                return [pace.rest(pieces, waited_s) for pieces, waited_s in reads]

    assert asyncio.run(run()) == [True, True, False, False, True]


def test_a_rest_is_longer_with_more_streams_and_later_in_a_stream():
    """Few streams or a young one rest shortly; an old one among many up to the bound, never above a fifth of its age."""
    assert coalescing.rest_for(0, 60.0) == 0
    assert coalescing.rest_for(10, 60.0) == pytest.approx(0.02)
    assert coalescing.rest_for(1000, 0.0) == coalescing.YOUNG_S
    assert coalescing.rest_for(1000, 0.5) == pytest.approx(0.1)
    assert coalescing.rest_for(1000, 60.0) == coalescing.LONGEST_S


@pytest.mark.parametrize("rest_s", [0.004, 0.015, 0.03, 0.09, 0.12, 0.2])
def test_a_rest_ends_at_a_mark_within_its_length(rest_s):
    """Never later than it may last, never after less than half of it; long ones end where others end, too."""
    ends = {coalescing.end_of_rest(1000.0 + step / 1000, rest_s) - step / 1000 for step in range(100)}
    assert max(ends) <= 1000.0 + rest_s + 1e-9
    assert min(ends) >= 1000.0 + rest_s / 2 - 1e-9
    together = {round(coalescing.end_of_rest(1000.0 + step / 1000, rest_s), 6) for step in range(100)}
    assert len(together) <= (11 if rest_s < 0.1 else 3) or rest_s < 0.02


@pytest.mark.parametrize("inner", [NO_SOCKET, SimpleNamespace(connection=SimpleNamespace(transport=None))])
def test_without_its_socket_nothing_rests(inner):
    """Where the socket is not to be found, or has been given back, every piece is read as it comes."""

    async def run():
        with streaming(MANY, inner) as (pace, *_):
            assert pace.rest(5, 0.0) is False

    asyncio.run(run())


def test_rests_are_bounded_and_end_together():
    """No rest is longer than the longest, however many streams run; one timer ends those that began together."""

    async def run():
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as opened:
            transports = []
            for _ in range(MANY * 2):
                transport, inner = await opened.enter_async_context(open_response())
                (pace,) = opened.enter_context(streaming(1, inner))
                transports.append((transport, pace))
            assert all(pace.rest(5, 0.0) for _, pace in transports)
            marks = list(coalescing._resting[loop])
            transports[0][0].close()  # what is closed in its rest troubles nobody
            over = asyncio.Event()
            loop.call_at(max(marks) + 0.001, over.set)
            now = loop.time()
            await over.wait()
            assert all(transport.is_reading() for transport, _ in transports[1:])
            assert not coalescing._resting[loop]
            return now, marks

    now, marks = asyncio.run(run())
    assert len(marks) <= 3
    assert max(marks) <= now + coalescing.YOUNG_S


def test_an_exchange_that_is_over_counts_no_more():
    """Closed twice, it is taken from the count once."""
    before = coalescing._streaming
    with streaming(3) as paces:
        paces[0].over()
        assert coalescing._streaming == before + 2
    assert coalescing._streaming == before


async def _texts(model, pieces):
    """The text of one question; `pieces` gets how many pieces it came in."""
    seen = [event async for event in model.stream(request())]
    assert isinstance(seen[-1], ReplyFinished)
    texts = [event.text for event in seen if isinstance(event, TextDelta)]
    assert "".join(texts) == seen[-1].text
    pieces.append(len(texts))
    return seen[-1].text


def test_many_fast_streams_give_the_same_text(provider):
    """Every stream has its whole text, in fewer pieces than were sent."""
    provider.otherwise(text_reply(*WORDS))
    pieces = []

    async def run():
        texts = await asyncio.gather(*(_texts(chat(provider), pieces) for _ in range(MANY)))
        texts += await asyncio.gather(*(_texts(chat(provider), pieces) for _ in range(MANY)))
        await close_connections()
        return texts

    assert asyncio.run(run()) == ["".join(WORDS)] * MANY * 2
    assert sum(pieces) < len(pieces) * len(WORDS)


@pytest.mark.usefixtures("_long_rests")
def test_the_first_text_never_waits(provider):
    """Of many streams each shows its first text at once, whatever came before it."""
    provider.otherwise((*begun(), *text("Par"), Silence()))

    async def run():
        async with asyncio.timeout(LONG_S / 4):
            with streaming(MANY):
                async with aclosing(chat(provider).stream(request(idle_timeout_s=LONG_S))) as events:
                    await anext(events)
                    first = await anext(events)
        await close_connections()
        return first

    assert asyncio.run(run()) == TextDelta("Par")


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
                    if isinstance(event, TextDelta):
                        rested.set()  # what comes next is the rest: it would outlast the test

        with streaming(MANY):
            task = asyncio.create_task(consume())
            await rested.wait()
            (sent,) = provider.requests
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(sent.disconnected.wait, 5)
        await close_connections()

    asyncio.run(run())


def test_the_socket_is_found(provider):
    """The real one rests and is read again at the mark; once its body is through it may be another exchange's."""
    gate = Gate()
    provider.reply((*text("Par"), Wait(gate), *text("is")))
    target = RequestTarget(provider="test", model="scripted", base_url=provider.base_url)

    async def run():
        exchange = await open_stream(target, "/chat/completions", b"{}", 5.0)
        try:
            blocks = [await exchange.read()]
            with streaming(MANY):
                exchange.rest(3)
                transport = exchange._pace._socket()
                assert transport is not None
                assert not transport.is_reading()
                gate.open()
                while block := await exchange.read():
                    blocks.append(block)
                assert exchange._pace._socket() is None
        finally:
            await exchange.close()
            await close_connections()
        return b"".join(blocks)

    assert asyncio.run(run()) == b"".join(step.data for step in (*text("Par"), *text("is")))
