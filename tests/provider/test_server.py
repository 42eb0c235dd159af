"""The scripted provider itself, seen by a plain socket: what it does is what a script says."""

from __future__ import annotations

import socket

import pytest

from tests.provider.chat_wire import text_reply
from tests.provider.steps import Drop, DropAt, Gate, Raw, Silence, Wait, answer


def ask(provider, body: bytes = b"{}") -> socket.socket:
    """Send a request; return the connection."""
    connection = socket.create_connection(("127.0.0.1", provider.port), timeout=60)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Test: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the end of the body or the connection."""
    got = b""
    while not got.endswith(b"0\r\n\r\n"):
        block = connection.recv(65536)
        if not block:
            break
        got += block
    return got


def test_scripts_in_order_then_otherwise(provider):
    """Scripts answer in the order given, then the standing one; every request is logged."""
    provider.reply(answer(429, {"a": 1}, {"retry-after": "3"}), text_reply("Paris"))
    provider.otherwise(lambda request: answer(200, f"{len(request.raw_body)} bytes"))
    replies = []
    for _ in range(3):
        with ask(provider, b'{"n": 1}') as connection:
            replies.append(read_all(connection))
    assert replies[0].startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 3" in replies[0]
    assert b"Paris" in replies[1]
    assert b"8 bytes" in replies[2]
    assert provider.bodies == [{"n": 1}] * 3
    assert provider.requests[0].headers["x-test"] == "1"
    assert all(request.answered.wait(60) for request in provider.requests)


def test_gates(provider):
    """A script waits at a gate until the test opens it."""
    gate = Gate()
    provider.reply((Raw(b"before"), Wait(gate), Raw(b"after")))
    with ask(provider) as connection:
        assert gate.reached.wait(60)
        got = connection.recv(65536)
        while b"before" not in got:
            got += connection.recv(65536)
        assert b"after" not in got
        gate.open()
        assert b"after" in read_all(connection)


@pytest.mark.parametrize("reset", [True, False])
def test_dropped_connections(provider, reset):
    """A dropped connection ends without the end of the body."""
    provider.reply((Raw(b"some text"), Drop(reset=reset)))
    with ask(provider) as connection:
        try:
            assert not read_all(connection).endswith(b"0\r\n\r\n")
        except ConnectionResetError:
            assert reset


def test_dropped_at_a_byte(provider):
    """A connection can be cut after exactly so many bytes of the body."""
    provider.reply((DropAt(7), Raw(b"four"), Raw(b"more than that")))
    with ask(provider) as connection:
        got = read_all(connection)
    assert got.endswith(b"4\r\nfour\r\n3\r\nmor\r\n")


def test_disconnection_is_seen(provider):
    """A client that goes is logged, with the time."""
    provider.reply((Silence(),))
    with ask(provider):
        (request,) = provider.wait_for_requests(1)
        assert not request.disconnected.is_set()
    assert provider.disconnected.wait(60)
    assert request.disconnected.is_set()
    assert request.disconnected_at >= request.received_at


def test_waiting_for_requests_fails_in_time(provider):
    """A test that waits for a request that never comes fails, and says how many came."""
    with pytest.raises(AssertionError, match="0 of 1 requests"):
        provider.wait_for_requests(1, timeout=0.05)
