"""Anthropic's Message Batches: many requests in one, answered within a day at half the price.

Used by a batch with `mode="provider-batch"`, on the background thread: create, look now and then, read the
results, one JSON object a line in any order (https://platform.claude.com/docs/en/api/messages/batches,
2026-11-30). A line's `custom_id` says which request it answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nbagent.core import dump_json, load_json
from nbagent.errors import ModelError, ProviderRefusedError
from nbagent.models.anthropic.message_body import message_headers
from nbagent.models.protocol import ModelRequest, ReplyFinished
from nbagent.models.transport.errors import RequestTarget, error_from_error_object, error_from_reply
from nbagent.models.transport.stream import fetch_json, open_stream
from nbagent.models.wire.batches import BatchJob
from nbagent.models.wire.streamed_model import StreamedModel

_PATH = "/messages/batches"
_PATIENCE_S = 120.0  # between two bytes
# ids there have letters, digits, "-" and "_"; a row's key is hexadecimal, and "#2" after it for the second like it
_KEYS, _IDS = str.maketrans("#", "-"), str.maketrans("-", "#")
_WHY = {"canceled": "the batch was cancelled before it", "expired": "the batch ran out of time before it"}


class MessageBatches:
    """The batches of one model's provider, as a `BatchClient`."""

    most_lines, most_bytes = 100_000, 240_000_000  # of one batch; the limits are 100,000 and 256 MB

    def __init__(self, model: StreamedModel) -> None:
        self._model = model

    async def line(self, custom_id: str, request: ModelRequest) -> bytes:
        """Return one request as an element of the list that is created."""
        body = self._model.whole_body(request, await self._model.target())
        return dump_json({"custom_id": custom_id.translate(_KEYS), "params": body})

    async def submit(self, lines: Sequence[bytes], *, note: Mapping[str, str]) -> BatchJob:  # noqa: ARG002 - a batch keeps no notes
        """Create a batch of the lines; they share the version of the API that all of them can have."""
        asked = [message_headers(load_json(line)["params"]) for line in lines]
        headers = min(asked, key=lambda one: one["anthropic-version"], default={})
        return await self._job(_PATH, b'{"requests":[' + b",".join(lines) + b"]}", headers)

    async def look(self, job_id: str) -> BatchJob:
        """Return a batch as it stands now."""
        return await self._job(_at(job_id), None)

    async def cancel(self, job_id: str) -> None:
        """Have no further request answered."""
        await self._job(f"{_at(job_id)}/cancel", b"")

    async def answers(self, job: BatchJob) -> list[Mapping[str, Any]]:
        """Return the results of an ended batch."""
        target = await self._model.target()
        exchange = await open_stream(target, f"{_at(job.id)}/results", None, _PATIENCE_S)
        found: list[Mapping[str, Any]] = []
        rest: list[bytes] = []
        try:
            while block := await exchange.read():
                *whole, end = block.split(b"\n")
                for line in whole:
                    _add_line(b"".join((*rest, line)), found, target)
                    rest = []
                rest.append(end)
        finally:
            await exchange.close()
        _add_line(b"".join(rest), found, target)
        return found

    async def reply_of(self, line: Mapping[str, Any]) -> ReplyFinished:
        """Return the reply that a result holds. Raises the ModelError that it stands for."""
        target = await self._model.target()
        result = line.get("result")
        kind = result.get("type") if isinstance(result, Mapping) else None
        if isinstance(result, Mapping) and kind == "succeeded":
            reply = self._model.wire.reply(target)
            reply.take([dump_json(result.get("message"))])
            return reply.finished()
        if isinstance(result, Mapping) and kind == "errored":
            fault = result.get("error")
            inner = fault.get("error", fault) if isinstance(fault, Mapping) else fault
            raise error_from_error_object(inner or {}, target)
        raise ProviderRefusedError(
            f"the provider's batch has no answer to this row: {_WHY.get(str(kind), f'result {kind!r}')}",
            "ask the row again with batch.retry_failed()",
        )

    async def _job(self, path: str, body: bytes | None, headers: Mapping[str, str] | None = None) -> BatchJob:
        target = await self._model.target(headers or {})
        found = load_json(await fetch_json(target, path, body, _PATIENCE_S))
        try:
            ended = found.get("ended_at")
            status = str(found["processing_status"])
            return BatchJob(
                id=str(found["id"]),
                status=status,
                has_ended=status == "ended",
                created_at=_seconds(found["created_at"]),
                ended_at=_seconds(ended) if ended else None,
            )
        except (KeyError, TypeError, ValueError):
            raise error_from_reply("it is no message batch", target) from None


def _at(job_id: str) -> str:
    return f"{_PATH}/{quote(job_id, safe='')}"


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _add_line(line: bytes, found: list[Mapping[str, Any]], target: RequestTarget) -> None:
    if not line.strip():
        return
    fault: ModelError
    try:
        made = load_json(line)
        if isinstance(made, Mapping):
            found.append({**made, "custom_id": str(made.get("custom_id")).translate(_IDS)})
            return
        fault = error_from_reply("a line of its results is no JSON object", target)
    except ValueError:
        fault = error_from_reply("a line of its results is no JSON", target)
    raise fault
