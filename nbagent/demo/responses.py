"""The Responses endpoints of the demo server, on its event loop.

Create (whole, streamed, in the background), retrieve (also as a stream from a sequence number on),
cancel, delete, and the list of input items.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nbagent.demo import wire
from nbagent.demo.faults import RETRY_AFTER_S, Faults, reply_to
from nbagent.demo.jobs import Job, Jobs
from nbagent.demo.personas import Persona, find_persona
from nbagent.demo.reading import read_limit
from nbagent.demo.request import BadRequestError, Reply, Request
from nbagent.demo.response_plan import Item, Plan
from nbagent.demo.responses_reading import read_input, read_request
from nbagent.demo.tokens import cut_tokens, prompt_tokens, reply_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstage:
    """What the endpoints share: counts, faults, kept responses, the pace, the wait in the queue."""

    stats: wire.Stats
    faults: Faults
    jobs: Jobs
    speed: float
    queued_s: float


class CreateResponse:
    """POST /v1/responses as an ASGI application."""

    def __init__(self, backstage: Backstage) -> None:
        self._back = backstage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        stats = self._back.stats
        stats.requests += 1
        stats.active += 1
        try:
            body = await wire.read_json(scope, receive)
            async with wire.ClientWatch(receive) as watch:
                await self._answer(body, send, watch)
            stats.disconnected += watch.gone
        except BadRequestError as error:
            await wire.send_json(send, wire.error_body(error), status=error.status)
        finally:
            stats.active -= 1

    async def _answer(self, body: dict[str, Any], send: Send, watch: wire.ClientWatch) -> None:
        persona = find_persona(body.get("model"))
        items, messages = read_input(body, self._back.jobs)
        request = read_request(body, messages)
        fault = self._back.faults.next_fault(request) if persona.name == "flaky" else None
        if fault == "rate_limit":
            await wire.send_rate_limit(send, RETRY_AFTER_S)
            return
        plan = make_plan(body, persona, request, self._back)
        job = Job(plan=plan, stream=bool(body.get("stream")), items=items, messages=messages)
        if plan.background or body.get("store") is not False:
            self._back.jobs.add(job)
        try:
            await self._send(job, send, drop=fault == "drop")
        finally:
            if watch.gone and not plan.background:
                self._back.jobs.discard(plan.response_id)

    async def _send(self, job: Job, send: Send, *, drop: bool) -> None:
        """Send the reply; where it is to be dropped, half of it: the server then closes the connection."""
        if job.stream:
            await wire.start_events(send)
            events: Iterable[tuple[float, bytes]] = job.events()
            if drop:
                self._back.stats.dropped += 1
                events = islice(job.events(), sum(1 for _ in job.events()) // 2)
            await wire.send_timed(send, events, job.begun, alive=lambda: not job.cancelled)
        else:
            if not job.plan.background:
                await asyncio.sleep(job.plan.ends_s)
            if drop:
                self._back.stats.dropped += 1
                await wire.send_half_json(send, job.response())
            else:
                await wire.send_json(send, job.response())
        if job.stream and not drop:
            await wire.end_body(send)
        self._back.stats.completed += not drop


class RetrieveResponse:
    """GET and DELETE /v1/responses/{id} as an ASGI application."""

    def __init__(self, backstage: Backstage) -> None:
        self._back = backstage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        http = HttpRequest(scope, receive)
        jobs = self._back.jobs
        try:
            job = jobs.find(http.path_params["response_id"])
            if scope["method"] == "DELETE":
                jobs.discard(job.plan.response_id)
                gone = {"id": job.plan.response_id, "object": "response", "deleted": True}
                await wire.send_json(send, gone)
            elif http.query_params.get("stream") == "true":
                jobs.check_resumable(job)
                after = _read_number(http, "starting_after", -1)
                async with wire.ClientWatch(receive):
                    await wire.start_events(send)
                    await wire.send_timed(send, job.events(after), job.begun, alive=lambda: not job.cancelled)
                    await wire.end_body(send)
            else:
                await wire.send_json(send, job.response())
        except BadRequestError as error:
            await wire.send_json(send, wire.error_body(error), status=error.status)


async def cancel_response(request: HttpRequest) -> Response:
    """POST /v1/responses/{id}/cancel: a background response that has not ended ends here."""
    job = _backstage(request).jobs.find(request.path_params["response_id"])
    if not job.plan.background:
        raise BadRequestError("Only a response created with background=true can be cancelled.", param="id")
    job.cancel()
    return Response(orjson.dumps(job.response()), media_type="application/json")


async def list_input_items(request: HttpRequest) -> Response:
    """GET /v1/responses/{id}/input_items, newest first unless asked otherwise."""
    job = _backstage(request).jobs.find(request.path_params["response_id"])
    items = [_with_id(item, job.plan.response_id, index) for index, item in enumerate(job.items)]
    if request.query_params.get("order") != "asc":
        items.reverse()
    limit = _read_number(request, "limit", 20)
    after = request.query_params.get("after")
    start = next((i + 1 for i, item in enumerate(items) if item["id"] == after), 0)
    page = items[start : start + limit]
    found = {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(items),
    }
    return Response(orjson.dumps(found), media_type="application/json")


def _backstage(request: HttpRequest) -> Backstage:
    backstage = request.app.state.backstage
    assert isinstance(backstage, Backstage)
    return backstage


def _read_number(request: HttpRequest, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    try:
        return int(given)
    except ValueError:
        raise BadRequestError(f"{name!r} must be a whole number, not {given!r}", param=name) from None


def _with_id(item: Item, response_id: str, index: int) -> Item:
    prefix = {"function_call": "fc", "function_call_output": "fco"}.get(str(item.get("type")), "msg")
    made: Item = {"id": f"{prefix}_{response_id.removeprefix('resp_')}i{index:02x}", "type": "message"} | item
    if made["type"] == "message" and isinstance(made.get("content"), str):
        part = "output_text" if made.get("role") == "assistant" else "input_text"
        made["content"] = [{"type": part, "text": made["content"]}]
    return made | {"status": "completed"}


def make_plan(body: dict[str, Any], persona: Persona, request: Request, back: Backstage) -> Plan:
    """Answer a request and plan how the reply is sent."""
    reply = reply_to(request, persona)
    limit = read_limit(body.get("max_output_tokens"), "max_output_tokens")
    cut = False
    if limit is not None and not reply.tool_calls:
        text, cut = cut_tokens(reply.text, limit)
        reply = Reply(text=text)
    return Plan(
        response_id=f"resp_{uuid.uuid4().hex}",
        created_at=int(time.time()),
        echo=_echo(body),
        persona=persona,
        reply=reply,
        usage=_usage(request, reply),
        outcome="failed" if persona.name == "failing" else "incomplete" if cut else "completed",
        background=bool(body.get("background")),
        reasons=bool((body.get("reasoning") or {}).get("effort") not in (None, "none")),
        queued_s=back.queued_s,
        speed=back.speed,
    )


def _usage(request: Request, reply: Reply) -> dict[str, Any]:
    asked, said = prompt_tokens(request), reply_tokens(reply)
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + said,
    }


def _echo(body: dict[str, Any]) -> dict[str, Any]:
    """Repeat the request's settings, as the real API does, with its defaults."""
    defaults: dict[str, Any] = {
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
    return {key: default if body.get(key) is None else body[key] for key, default in defaults.items()}
