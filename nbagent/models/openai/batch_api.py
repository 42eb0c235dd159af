"""OpenAI's Batch API: a file of requests, answered within a day at half the price.

Used by a batch with `mode="provider-batch"`, on the background thread: upload, create, look now and then,
read the files of answers and of errors. A line's `custom_id` says which request it answers. Files and batches
are asked for through OpenAI's SDK, which is imported here and nowhere else, at the first of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from nbagent.core import cut_error_body, dump_json, load_json, redirected_to
from nbagent.errors import ModelError, ProviderRefusedError
from nbagent.models.protocol import ModelRequest, ReplyFinished
from nbagent.models.providers import is_loopback
from nbagent.models.transport.client import basic_authorization
from nbagent.models.transport.errors import (
    RedirectedError,
    RequestTarget,
    error_from_exception,
    error_from_reply,
    error_from_status,
)
from nbagent.models.wire.batches import BatchJob
from nbagent.models.wire.streamed_model import StreamedModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_WINDOW = "24h"


class OpenAIBatches:
    """The batches of one model's provider, as a `BatchClient`."""

    most_lines, most_bytes = 50_000, 190_000_000  # of one file; the limits are 50,000 and 200 MB

    def __init__(self, model: StreamedModel) -> None:
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
        data = b"".join(lines)

        async def create(sdk: Any) -> Any:
            file = await sdk.files.create(file=("rows.jsonl", data), purpose="batch")
            return await sdk.batches.create(
                input_file_id=file.id,
                endpoint=f"/v1{self._model.wire.path}",
                completion_window=_WINDOW,
                metadata=dict(note),
            )

        return _job(await self._ask(create))

    async def look(self, job_id: str) -> BatchJob:
        """Return a job as it stands now."""
        return _job(await self._ask(lambda sdk: sdk.batches.retrieve(job_id)))

    async def cancel(self, job_id: str) -> None:
        """Have no further line answered."""
        await self._ask(lambda sdk: sdk.batches.cancel(job_id))

    async def answers(self, job: BatchJob) -> list[Mapping[str, Any]]:
        """Return the lines of a job's files, answers and errors."""

        async def read(sdk: Any) -> list[bytes]:
            return [(await sdk.files.content(file_id)).content for file_id in job.files]

        contents = await self._ask(read)
        return [load_json(line) for content in contents for line in content.splitlines() if line.strip()]

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

    async def _ask(self, ask: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
        target = await self._model.target()
        sdk = await asyncio.to_thread(_sdk_for, target)
        try:
            return await ask(sdk)
        except Exception as error:  # noqa: BLE001 - the border to the SDK; whatever it raises has a fault
            fault = _fault_of(error, target)
        finally:
            await sdk.close()
        raise fault


def _sdk_for(target: RequestTarget) -> AsyncOpenAI:
    """Return a client for one call. It imports the SDK and reads certificates: call it off the loop."""
    import openai

    parts = urlsplit(target.base_url)
    user, _, host = parts.netloc.rpartition("@")
    headers = {**target.headers, **({"authorization": basic_authorization(user)} if user else {})}

    async def authorize(request: Any) -> None:
        request.headers.pop("authorization", None)  # the SDK's own
        request.headers.update(headers)

    # a proxy named in the environment cannot reach this machine's own servers
    http: Any = openai.DefaultAioHttpClient(trust_env=not is_loopback(target.base_url))
    http.event_hooks = {"request": [authorize], "response": [_guard]}
    return openai.AsyncOpenAI(
        base_url=parts._replace(netloc=host, query="", fragment="").geturl(),
        default_query=dict(parse_qsl(parts.query, keep_blank_values=True)) or None,
        api_key=target.key,
        max_retries=0,  # the batch looks again itself
        http_client=http,
    )


async def _guard(response: Any) -> None:
    """Look at an answer before its body is read or a redirect is followed."""
    there = redirected_to(response)
    if there is not None:
        raise RedirectedError(there)
    cut_error_body(response)


def _fault_of(error: Exception, target: RequestTarget) -> ModelError:
    import openai

    if isinstance(error, openai.APIStatusError):
        body = error.body if error.body is not None else ""
        return error_from_status(error.status_code, error.response.headers, body, target)
    return error_from_exception(error, target, None)


def _job(found: Any) -> BatchJob:
    problems = [one.message for one in (found.errors.data or ())] if found.errors is not None else []
    ended = (found.completed_at, found.failed_at, found.expired_at, found.cancelled_at)
    return BatchJob(
        id=found.id,
        status=found.status,
        has_ended=found.status in _ENDED,
        files=tuple(name for name in (found.output_file_id, found.error_file_id) if name),
        problem="; ".join(problems[:3]) or None,
        created_at=found.created_at,
        ended_at=next((at for at in ended if at), None),
    )
