"""A provider's own batches, in the form of OpenAI's Batch API: a file of requests, answered within a day at half the price.

Used by a batch with `mode="provider-batch"`, on the background thread: upload, create, look now and then, read the
files of answers and of errors. A line's `custom_id` says which request it answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from nbagent.core import dump_json, load_json
from nbagent.errors import ConfigurationError, ProviderRefusedError
from nbagent.models.endpoint import NO_KEY
from nbagent.models.openai.base import OpenAICompatibleModel
from nbagent.models.protocol import Model, ModelRequest, ReplyFinished
from nbagent.models.transport.clients import connection_to
from nbagent.models.transport.errors import error_from_exception, error_from_reply, error_from_status

T = TypeVar("T")

PRICE_SHARE = 0.5  # of what a request of its own costs
MOST_LINES, MOST_BYTES = 50_000, 190_000_000  # of one file; the limits are 50,000 and 200 MB
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_WINDOW = "24h"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A provider's batch as it stands. `problem` is what its file of requests was refused for."""

    id: str
    status: str
    files: tuple[str, ...]
    problem: str | None
    created_at: int
    ended_at: int | None

    @property
    def has_ended(self) -> bool:
        """True once no more answers come."""
        return self.status in _ENDED


class BatchClient:
    """The batches of one model's provider. Every method raises ModelError for what the provider or the way to it does."""

    def __init__(self, model: Model) -> None:
        if not isinstance(model, OpenAICompatibleModel):
            raise ConfigurationError(
                f"model {model.provider}:{model.id} has no batch files",
                'use mode="notebook", or an OpenAI model',
            )
        self._model = model

    async def line(self, custom_id: str, request: ModelRequest) -> bytes:
        """Return one request as a line of the file."""
        target, path = await self._model.target(), self._model.wire.path
        body = self._model.whole_body(request, target)
        return (
            dump_json({"custom_id": custom_id, "method": "POST", "url": f"/v1{path}", "body": body}) + b"\n"
        )

    async def submit(self, lines: Sequence[bytes], *, note: Mapping[str, str]) -> BatchJob:
        """Upload the lines and have them answered; `note` goes with the job."""
        sdk = await self._sdk()
        data = b"".join(lines)
        file = await self._asked(sdk.files.create(file=("rows.jsonl", data), purpose="batch"))
        return _job(
            await self._asked(
                sdk.batches.create(
                    input_file_id=file.id,
                    endpoint=f"/v1{self._model.wire.path}",
                    completion_window=_WINDOW,
                    metadata=dict(note),
                )
            )
        )

    async def look(self, job_id: str) -> BatchJob:
        """Return a job as it stands now."""
        sdk = await self._sdk()
        return _job(await self._asked(sdk.batches.retrieve(job_id)))

    async def cancel(self, job_id: str) -> None:
        """Have no further line answered."""
        sdk = await self._sdk()
        await self._asked(sdk.batches.cancel(job_id))

    async def answers(self, job: BatchJob) -> list[Mapping[str, Any]]:
        """Return the lines of a job's files, answers and errors."""
        sdk = await self._sdk()
        found: list[Mapping[str, Any]] = []
        for file_id in job.files:
            content = (await self._asked(sdk.files.content(file_id))).content
            found += [load_json(line) for line in content.splitlines() if line.strip()]
        return found

    async def reply_of(self, line: Mapping[str, Any]) -> ReplyFinished:
        """Return the reply that a line holds. Raises the ModelError that it stands for."""
        target = await self._model.target()
        response, error = line.get("response") or {}, line.get("error")
        status, body = response.get("status_code"), response.get("body")
        if error or not isinstance(body, dict):
            said = error.get("message") if isinstance(error, dict) else None
            raise ProviderRefusedError(
                f"the provider's batch has no answer to this row: {said or 'no reason given'}",
                "ask the row again with batch.retry_failed()",
            )
        if isinstance(status, int) and status >= 400:  # noqa: PLR2004 - HTTP's own line
            raise error_from_status(status, {}, body, target)
        reply = self._model.wire.reply(target)
        reply.take([dump_json(body)])
        if not reply.done and not reply.ended:
            raise error_from_reply("it is cut short", target)
        return reply.finished()

    async def _sdk(self) -> Any:
        target = await self._model.target()
        return (await connection_to(target.base_url, target.key or NO_KEY)).sdk

    async def _asked(self, asking: Awaitable[T]) -> T:
        target = await self._model.target()
        try:
            return await asking
        except Exception as error:  # noqa: BLE001 - the border to the SDK; whatever it raises has a fault
            fault = error_from_exception(error, target, None)
        raise fault


def _job(found: Any) -> BatchJob:
    problems = [one.message for one in (found.errors.data or ())] if found.errors is not None else []
    ended = (found.completed_at, found.failed_at, found.expired_at, found.cancelled_at)
    return BatchJob(
        id=found.id,
        status=found.status,
        files=tuple(name for name in (found.output_file_id, found.error_file_id) if name),
        problem="; ".join(problems[:3]) or None,
        created_at=found.created_at,
        ended_at=next((at for at in ended if at), None),
    )
