"""The five-socket Jupyter protocol, kept simple for tests: one thread, every message kept, woken waits.

`Wire` owns the sockets of one kernel. Its thread is the only one that touches them: it polls shell, control
and output, appends what arrives to one list, and sends what `send` queued. (jupyter_client's asyncio client
sends past the event loop's back and can miss a wake-up; its blocking client cannot read two channels at once.)
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message from the kernel, as it arrived."""

    channel: str  # "shell", "control", "iopub"
    type: str
    msg_id: str
    parent_id: str
    content: Mapping[str, Any]
    metadata: Mapping[str, Any]
    buffers: Sequence[bytes]


class Wire:
    """Sockets to one kernel; survives the kernel's restart, because the ports stay."""

    def __init__(self) -> None:
        """Make a wire that is not connected yet."""
        self._changed = threading.Condition()
        self._messages: list[Message] = []
        self._replied: set[str] = set()
        self._idle: set[str] = set()
        self._outgoing: queue.SimpleQueue[tuple[str, dict[str, Any], list[bytes]]] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._client: BlockingKernelClient | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    def open(self, client: BlockingKernelClient) -> None:
        """Take over a client whose channels were started, and begin to listen."""
        self._client = client
        self._thread = threading.Thread(target=self._serve, name="kernel-wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close the sockets; safe to call twice."""
        if self._closing:
            return
        self._closing = True
        self._wake_writer.send(b".")
        if self._thread is not None:
            self._thread.join()
        if self._client is not None:
            self._client.stop_channels()
            self._client.context.term()
        self._wake_reader.close()
        self._wake_writer.close()

    def send(
        self,
        channel: str,
        msg_type: str,
        content: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> str:
        """Queue one message and return its id; replies carry it as `parent_id`."""
        if self._client is None or self._closing:
            msg = "the wire is not open; start the kernel first"
            raise RuntimeError(msg)
        message = self._client.session.msg(msg_type, dict(content), metadata=dict(metadata or {}))
        self._outgoing.put((channel, message, list(buffers)))
        self._wake_writer.send(b".")
        return str(message["header"]["msg_id"])

    def messages(self) -> list[Message]:
        """Return every message so far, oldest first."""
        with self._changed:
            return list(self._messages)

    def is_replied(self, msg_id: str) -> bool:
        """Say whether a shell request was replied to."""
        with self._changed:
            return msg_id in self._replied

    def is_complete(self, msg_id: str) -> bool:
        """Say whether a shell request was replied to and the output channel has gone idle for it."""
        with self._changed:
            return msg_id in self._replied and msg_id in self._idle

    def wait_for(self, predicate: Callable[[], object], timeout_s: float) -> bool:
        """Wait until the predicate holds; it is asked again at each message. Return whether it held in time."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: bool(predicate()), timeout_s))

    def _serve(self) -> None:
        assert self._client is not None
        channels = {
            "shell": self._client.shell_channel.socket,
            "control": self._client.control_channel.socket,
            "iopub": self._client.iopub_channel.socket,
        }
        names = {sock: name for name, sock in channels.items()}
        poller = zmq.Poller()
        for sock in names:
            poller.register(sock, zmq.POLLIN)
        poller.register(self._wake_reader, zmq.POLLIN)
        while not self._closing:
            for ready, _ in poller.poll():
                if ready in names:
                    self._receive(names[ready], ready)
                else:
                    self._wake_reader.recv(4096)
                    self._flush(channels)

    def _flush(self, channels: Mapping[str, zmq.Socket[bytes]]) -> None:
        assert self._client is not None
        while not self._outgoing.empty():
            channel, message, buffers = self._outgoing.get()
            self._client.session.send(channels[channel], message, buffers=buffers)

    def _receive(self, channel: str, sock: zmq.Socket[bytes]) -> None:
        assert self._client is not None
        arrived: list[Message] = []
        while True:
            _, raw = self._client.session.recv(sock, mode=zmq.NOBLOCK)
            if raw is None:
                break
            arrived.append(_message(channel, raw))
        with self._changed:
            for message in arrived:
                self._messages.append(message)
                if message.channel == "shell":
                    self._replied.add(message.parent_id)
                if message.type == "status" and message.content["execution_state"] == "idle":
                    self._idle.add(message.parent_id)
            self._changed.notify_all()


def _message(channel: str, raw: Mapping[str, Any]) -> Message:
    return Message(
        channel=channel,
        type=raw["header"]["msg_type"],
        msg_id=raw["header"]["msg_id"],
        parent_id=raw["parent_header"].get("msg_id", ""),
        content=raw["content"],
        metadata=raw["metadata"],
        buffers=tuple(bytes(b) for b in raw["buffers"]),
    )
