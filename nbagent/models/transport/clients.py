"""One SDK client for each server, key and event loop, shared by all runs, so that connections are reused.

Used by `exchange.py` on the background thread. `openai` is imported here at the first request, in a thread of
its own: importing it and reading the certificates takes most of a second, in which the loop must go on.
"""

from __future__ import annotations

import asyncio
import base64
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from nbagent.core import cut_error_body, redirected_to, remember
from nbagent.models.providers import is_loopback
from nbagent.models.transport.background_tasks import drain
from nbagent.models.transport.errors import RedirectedError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_MAX_CONNECTIONS = 10_000  # how many runs may stream at once is the runtime's decision, not the pool's
_ERRANDS_S = 0.5
_KEEPALIVE_S = 4.0  # servers often close idle connections after 5 s


@dataclass(slots=True, eq=False)
class Connection:
    """The SDK's client for one server and key, the HTTP client below it, and what `sending.py` remembers of both."""

    sdk: AsyncOpenAI
    http: Any
    prepared: dict[Any, Any] = field(default_factory=dict)


_Clients = dict[tuple[str, str], "asyncio.Task[Connection]"]  # by base URL and key
_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = weakref.WeakKeyDictionary()


async def connection_to(base_url: str, key: str) -> Connection:
    """Return the running loop's way to that server with that key, made at its first use."""
    loop = asyncio.get_running_loop()
    of_loop = _clients.get(loop)
    if of_loop is None:
        of_loop = _clients[loop] = {}
    task = of_loop.get((base_url, key))
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        task = of_loop[base_url, key] = loop.create_task(asyncio.to_thread(_connect, base_url, key))
    if task.done():
        return task.result()
    # a run that is cancelled meanwhile must not take the client from the others
    return await asyncio.shield(task)


async def close_connections() -> None:
    """Close the running loop's clients, after what still has to be said; for the end of the background thread."""
    await drain(_ERRANDS_S)
    of_loop = _clients.pop(asyncio.get_running_loop(), {})
    for task in of_loop.values():
        for connection in await asyncio.gather(task, return_exceptions=True):
            if not isinstance(connection, BaseException):
                await connection.sdk.close()


def _connect(base_url: str, key: str) -> Connection:
    import openai

    http = _http_client(openai, base_url)
    parts = urlsplit(base_url)
    # as HTTP clients do: a name and password in an address are sent as basic authorization, its query with each request
    user, _, host = parts.netloc.rpartition("@")
    pair = base64.b64encode(unquote(user if ":" in user else f"{user}:").encode()).decode()
    remember(pair)
    return Connection(
        openai.AsyncOpenAI(
            base_url=urlunsplit((parts.scheme, host, parts.path, "", "")),
            default_headers={"Authorization": f"Basic {pair}"} if user else None,
            default_query=dict(parse_qsl(parts.query, keep_blank_values=True)) or None,
            api_key=key,
            max_retries=0,  # each attempt is a row of the loop's
            http_client=http,
        ),
        http,
    )


def _http_client(openai: Any, base_url: str) -> Any:
    limits = type(openai.DEFAULT_CONNECTION_LIMITS)(
        max_connections=_MAX_CONNECTIONS, max_keepalive_connections=100, keepalive_expiry=_KEEPALIVE_S
    )
    # a proxy named in the environment cannot reach this machine's own servers
    options = {"limits": limits, "trust_env": not is_loopback(base_url)}
    try:
        http = openai.DefaultAioHttpClient(**options)
    except RuntimeError:  # aiohttp is not installed
        http = openai.DefaultAsyncHttpxClient(**options)
    http.event_hooks = {"response": [_guard]}
    return http


async def _guard(response: Any) -> None:
    """Look at an answer before its body is read or a redirect is followed."""
    there = redirected_to(response)
    if there is not None:
        raise RedirectedError(there)
    cut_error_body(response)
