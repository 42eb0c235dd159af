"""Folds from a kernel's messages to what a front end shows: a cell's outputs, the widgets' states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.harness.kernel_channels import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecError:
    """What a failed cell shows."""

    ename: str
    evalue: str
    traceback: tuple[str, ...]

    def __str__(self) -> str:
        """Return the error as one line."""
        return f"{self.ename}: {self.evalue}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """A cell's outputs as a notebook would hold them at the moment of asking; later updates are not in it."""

    status: str  # "ok", "error", "aborted"; "running" while it is not done
    execution_count: int | None
    outputs: tuple[Mapping[str, Any], ...]

    def _stream(self, name: str) -> str:
        return "".join(o["text"] for o in self.outputs if o["output_type"] == "stream" and o["name"] == name)

    @property
    def stdout(self) -> str:
        """All text printed, also by threads that the cell started."""
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        """All text on the error stream."""
        return self._stream("stderr")

    @property
    def text(self) -> str | None:
        """The `text/plain` of the cell's value, None without one."""
        values = [o["data"]["text/plain"] for o in self.outputs if o["output_type"] == "execute_result"]
        return str(values[-1]) if values else None

    @property
    def displays(self) -> tuple[Mapping[str, Any], ...]:
        """The mimebundles of displayed things, in order, as last updated."""
        return tuple(o["data"] for o in self.outputs if o["output_type"] == "display_data")

    @property
    def error(self) -> ExecError | None:
        """The error that the cell shows, None for a cell that did not fail."""
        for output in self.outputs:
            if output["output_type"] == "error":
                lines = tuple(output["traceback"])
                return ExecError(ename=output["ename"], evalue=output["evalue"], traceback=lines)
        return None


@dataclass(slots=True, kw_only=True)
class Comm:
    """A comm as the front end sees it: a widget's merged state, and the custom messages that it was sent."""

    comm_id: str
    target: str
    state: dict[str, Any] = field(default_factory=dict)
    received: list[Any] = field(default_factory=list)
    closed: bool = False


def exec_result(messages: Iterable[Message], msg_id: str) -> ExecResult:
    """Fold the messages of one cell (and updates of its displays from anywhere) to its outputs."""
    outputs: list[dict[str, Any]] = []
    status, count, clear_at_next = "running", None, False
    for message in messages:
        if message.type == "update_display_data":
            _update_display(outputs, message)
        if message.parent_id != msg_id:
            continue
        if message.type == "execute_reply":
            status, count = message.content["status"], message.content.get("execution_count")
        elif message.type == "clear_output":
            clear_at_next = bool(message.content["wait"])
            if not clear_at_next:
                outputs.clear()
        elif message.type in ("stream", "display_data", "execute_result", "error"):
            if clear_at_next:
                outputs.clear()
                clear_at_next = False
            _append(outputs, message)
    return ExecResult(status=status, execution_count=count, outputs=tuple(outputs))


def _append(outputs: list[dict[str, Any]], message: Message) -> None:
    content = {"output_type": message.type, **message.content}
    last = outputs[-1] if outputs else {}
    if message.type == "stream" and (last.get("output_type"), last.get("name")) == (
        "stream",
        content["name"],
    ):
        last["text"] += content["text"]
    else:
        outputs.append(content)


def _update_display(outputs: Iterable[dict[str, Any]], message: Message) -> None:
    display_id = message.content.get("transient", {}).get("display_id")
    for output in outputs:
        if display_id is not None and output.get("transient", {}).get("display_id") == display_id:
            output["data"] = message.content["data"]


def comms_of(messages: Iterable[Message]) -> dict[str, Comm]:
    """Fold comm messages to the comms, by id: states merged, custom messages listed in order."""
    comms: dict[str, Comm] = {}
    for message in messages:
        if message.type == "comm_open":
            comm_id, target = message.content["comm_id"], message.content["target_name"]
            comms[comm_id] = Comm(comm_id=comm_id, target=target)
            _merge_state(comms[comm_id], message)
        elif message.type == "comm_msg" and (comm := comms.get(message.content["comm_id"])):
            if message.content["data"].get("method") == "custom":
                comm.received.append(message.content["data"]["content"])
            else:
                _merge_state(comm, message)
        elif message.type == "comm_close" and (comm := comms.get(message.content["comm_id"])):
            comm.closed = True
    return comms


def _merge_state(comm: Comm, message: Message) -> None:
    data = message.content["data"]
    comm.state.update(data.get("state", {}))
    for path, buffer in zip(data.get("buffer_paths", ()), message.buffers, strict=False):
        target: Any = comm.state
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = buffer
