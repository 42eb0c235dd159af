"""The decoder of server-sent events: the same payloads however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbagent.models.transport.sse import SSEDecoder


def decode(*blocks: bytes) -> list[bytes]:
    """Return all payloads of a stream that comes in these blocks."""
    decoder = SSEDecoder()
    return [payload for block in blocks for payload in decoder.feed(block)] + decoder.close()


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b'data: {"a":1}\n\n', [b'{"a":1}']),
        (b'data: {"a":1}\n\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
        (b'data:{"a":1}\r\n\r\ndata: [DONE]\r\n\r\n', [b'{"a":1}', b"[DONE]"]),
        (b"data: 1\r\rdata: 2\r\r", [b"1", b"2"]),
        (b": keep-alive\n\n: another\n\ndata: 1\n\n", [b"1"]),
        (b"event: delta\nid: 7\nretry: 10\ndata: 1\n\n", [b"1"]),
        (b"data: 1\ndata: 2\n\n", [b"1\n2"]),
        (b"data\n\n", [b""]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b"data: cut off", [b"cut off"]),
        (b"data: 1\n", [b"1"]),
        (b"database: 1\n\n", []),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_payloads(stream, payloads):
    """Each form of the format gives its payloads; the last event counts without its blank line."""
    assert decode(stream) == payloads


pieces = st.sampled_from(
    [
        "data: ",
        "data:",
        "data",
        ": hi",
        "event: x",
        '{"a":1}',
        '{"a":\n',
        "é€😀",
        "[DONE]",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        " ",
    ]
)


@given(st.lists(pieces, max_size=30), st.lists(st.integers(0, 200), max_size=12), st.booleans())
def test_any_cut_gives_the_same(parts, cuts, bom):
    """Where the bytes are cut, also inside a character or a line end, never changes the payloads."""
    whole = (b"\xef\xbb\xbf" if bom else b"") + "".join(parts).encode()
    at = sorted({min(cut, len(whole)) for cut in cuts})
    blocks = [whole[begin:end] for begin, end in zip([0, *at], [*at, len(whole)], strict=True)]
    assert decode(*blocks) == decode(whole)


@given(st.lists(pieces, max_size=30))
def test_byte_by_byte(parts):
    """One byte at a time is a cut like any other."""
    whole = "".join(parts).encode()
    assert decode(*(bytes([byte]) for byte in whole)) == decode(whole)


def test_huge_line_stays_linear():
    """A line of megabytes in small blocks is joined once, not at each block."""
    decoder = SSEDecoder()
    decoder.feed(b"data: ")
    for _ in range(20_000):
        assert decoder.feed(b"x" * 500) == []
    (payload,) = decoder.feed(b"\n\n")
    assert len(payload) == 10_000_000


@pytest.mark.parametrize(
    ("block", "payloads"),
    [
        (b'event: x\ndata: {"a": 1}\n\n', [b'{"a": 1}']),
        (b'event: x\r\ndata: {"a": 1}\r\n\r\n', [b'{"a": 1}']),
        (b"event: x\nid: 7\ndata: 1\n\n", [b"1"]),
        (b"event: x\ndata: 1\ndata: 2\n\n", [b"1\n2"]),
        (b"event: x\ndata: 1\n\nevent: y\ndata: 2\n\n", [b"1", b"2"]),
        (b"event: x\n\n", []),
        (b"event: x\ndata:1\n\n", [b"1"]),
    ],
)
def test_named_events_in_one_block(block, payloads):
    """An event with its name in one block, the Responses API's habit, is read like any other."""
    decoder = SSEDecoder()
    assert decoder.feed(block) + decoder.close() == payloads
