"""HTTP requests to providers: one aiohttp session for each event loop, shared by all models.

Used by `stream.py` on the background thread. aiohttp is imported at the first request, in a thread of its
own, and so are the certificates read: both take a while, in which the loop must go on. Cookies are not kept:
what one key was given is none of another's business.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
import platform
import ssl
import sys
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from nbagent.core import other_origin, remember, remember_url
from nbagent.models.providers import is_loopback
from nbagent.models.transport.background_tasks import drain
from nbagent.models.transport.error_table import BadHeaderError
from nbagent.models.transport.errors import RedirectedError, RequestTarget

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientTimeout

_MAX_CONNECTIONS = 10_000  # how many runs may stream at once is the runtime's decision, not the pool's
_KEEPALIVE_S = 4.0  # servers often close idle connections after 5 s
_TASKS_S = 0.5
_MOST_REDIRECTS = 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TO_GET = frozenset({301, 302, 303})  # what was posted is asked for there, as browsers do
_HEADERS = {
    "accept": "text/event-stream",
    "accept-encoding": "gzip, deflate",
    "content-type": "application/json",
    "user-agent": "nbagent",
}
# where certificates are on Linux, for a Python that was built elsewhere and knows no place
_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class _Server:
    """What every request to one base URL has in common."""

    url: str  # without user, password and query
    query: str
    headers: Mapping[str, str]
    options: Mapping[str, Any]  # of aiohttp: the proxy, the certificates


@dataclass(slots=True, eq=False)
class _Client:
    """One event loop's session, and the servers it has met."""

    session: ClientSession
    servers: dict[str, _Server] = field(default_factory=dict)


_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Client] = weakref.WeakKeyDictionary()


async def send(
    target: RequestTarget, path: str, body: bytes | None, idle_timeout_s: float | None
) -> ClientResponse:
    """Post `body` to `path` below the base URL, or get it without one; return the response, its body to come.

    A redirect is followed to the same server only: elsewhere it would carry the key, or what was asked.

    Raises:
        RedirectedError: the answer sends us to another server.
        BadHeaderError: a header, such as the key's, holds what no header can.
        Exception: as aiohttp raises it.
    """
    client = await _client()
    server = client.servers.get(target.base_url) or await _meet(client, target.base_url)
    headers = {**_HEADERS, **target.headers, **server.headers}
    for value in target.headers.values():
        if not (value.isascii() and value.isprintable()):
            raise BadHeaderError
    method, url = ("GET" if body is None else "POST"), _address(server, path)
    redirects = 0
    while True:
        response = await client.session.request(
            method,
            url,
            data=body or None,
            headers=headers,
            timeout=_timeout(idle_timeout_s),
            allow_redirects=False,
            **server.options,
        )
        location = response.headers.get("location") if response.status in _REDIRECTS else None
        if location is None or redirects == _MOST_REDIRECTS:
            return response
        redirects += 1
        response.release()
        if (elsewhere := other_origin(url, location)) is not None:
            raise RedirectedError(elsewhere)
        url = urljoin(url, location)
        if response.status in _TO_GET:
            method, body = "GET", None


async def connect(base_url: str) -> None:
    """Do what the first request to that base URL would wait for: imports, certificates."""
    client = await _client()
    if base_url not in client.servers:
        await _meet(client, base_url)


async def close_connections() -> None:
    """Close the running loop's session, after its background tasks; for the end of the thread."""
    await drain(_TASKS_S)
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.session.close()


def basic_authorization(credentials: str) -> str:
    """Return the header's value for `user:password` as an address holds it; it is kept out of messages."""
    pair = credentials if ":" in credentials else f"{credentials}:"
    encoded = base64.b64encode(unquote(pair).encode()).decode()
    remember(encoded)
    return f"Basic {encoded}"


async def _client() -> _Client:
    loop = asyncio.get_running_loop()
    found = _clients.get(loop)
    if found is None:
        if "aiohttp" not in sys.modules:
            await asyncio.to_thread(importlib.import_module, "aiohttp")
        found = _clients.get(loop) or _clients.setdefault(loop, _Client(_new_session()))
    return found


def _new_session() -> ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # `stream.py` does it, in bounded pieces
    )


async def _meet(client: _Client, base_url: str) -> _Server:
    parts = urlsplit(base_url)
    # a name and password in an address are sent as basic authorization, its query with each request
    user, _, host = parts.netloc.rpartition("@")
    headers = {"authorization": basic_authorization(user)} if user else {}
    options: dict[str, Any] = {}
    if parts.scheme == "https":
        places = os.environ.get("SSL_CERT_FILE") or None, os.environ.get("SSL_CERT_DIR") or None
        options["ssl"] = await asyncio.to_thread(_certificates, *places)
    proxy = proxy_for(parts)
    if proxy is not None:
        remember_url(proxy.geturl())
        credentials, _, proxy_host = proxy.netloc.rpartition("@")
        options["proxy"] = proxy._replace(netloc=proxy_host).geturl()
        authorized = {"proxy-authorization": basic_authorization(credentials)} if credentials else {}
        if parts.scheme == "https":
            options["proxy_headers"] = authorized or None  # they go with the request for a tunnel
        else:
            headers |= authorized
    bare = parts._replace(netloc=host, query="", fragment="").geturl()
    server = client.servers[base_url] = _Server(bare, parts.query, headers, options)
    return server


def _address(server: _Server, path: str) -> str:
    if not server.query:
        return server.url + path
    return f"{server.url}{path}{'&' if '?' in path else '?'}{server.query}"


def proxy_for(parts: SplitResult) -> SplitResult | None:
    """Return the proxy for an address, as the environment or the system has it; none for loopback."""
    host = parts.hostname or ""
    if is_loopback(parts.geturl()) or proxy_bypass(host) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy:
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


@cache
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Return the trusted certificates: of SSL_CERT_FILE or SSL_CERT_DIR, else the system's."""
    if file or folder:
        try:
            return ssl.create_default_context(cafile=file, capath=None if file else folder)
        except OSError as error:
            why = ssl.SSLError(f"the certificates in {file or folder} cannot be read: {error}")
        raise why
    if platform.system() in {"Windows", "Darwin"}:
        with suppress(ImportError):
            import truststore

            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if not (known.cafile or known.capath):
        for one in filter(os.path.isfile, _CA_FILES):
            context.load_verify_locations(one)
            break
    return context


@cache
def _timeout(idle_timeout_s: float | None) -> ClientTimeout:
    from aiohttp import ClientTimeout

    return ClientTimeout(
        total=None, connect=idle_timeout_s, sock_connect=idle_timeout_s, sock_read=idle_timeout_s
    )
