"""The demo server: routes, and running uvicorn on a loopback socket.

Called by `__main__.py` in the demo's own process; starlette and uvicorn are imported only there.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import Server

from nbagent.demo import wire
from nbagent.demo.chat import ChatEndpoint
from nbagent.demo.faults import Faults
from nbagent.demo.jobs import Jobs
from nbagent.demo.personas import PERSONAS, find_persona
from nbagent.demo.request import BadRequestError
from nbagent.demo.responses import (
    Backstage,
    CreateResponse,
    RetrieveResponse,
    cancel_response,
    list_input_items,
)

_BACKLOG: Final = 4096
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_STARTED: Final = 1_735_689_600  # the models' "created", a fixed moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the server runs.

    `speed` multiplies the pace, `token` is the one key accepted (None: any). Responses are kept for
    `keep_s` seconds, can be streamed again for `resume_s`, and wait for `queued_s` in the background.
    """

    port: int = 0
    token: str | None = None
    speed: float = 1.0
    keep_s: float = 3600.0
    resume_s: float = 300.0
    queued_s: float = 0.2


def listen(port: int) -> socket.socket:
    """Listen on a port of 127.0.0.1; 0 lets the system choose one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener


def build_app(options: ServerOptions) -> ASGIApp:
    """Make the application."""
    stats = wire.Stats()
    faults = Faults()
    backstage = Backstage(
        stats=stats,
        faults=faults,
        jobs=Jobs(keep_s=options.keep_s, resume_s=options.resume_s),
        speed=options.speed,
        queued_s=options.queued_s,
    )
    one = "/v1/responses/{response_id}"

    async def show_stats(_: HttpRequest) -> Response:
        return _json(stats.to_dict())

    app = Starlette(
        routes=[
            Route("/v1/chat/completions", ChatEndpoint(stats, faults, options.speed), methods=["POST"]),
            Route("/v1/responses", CreateResponse(backstage), methods=["POST"]),
            Route(one, RetrieveResponse(backstage), methods=["GET", "DELETE"]),
            Route(f"{one}/cancel", cancel_response, methods=["POST"]),
            Route(f"{one}/input_items", list_input_items),
            Route("/v1/models", _list_models),
            Route("/v1/models/{model:path}", _show_model),
            Route("/demo/stats", show_stats),
        ],
        exception_handlers={HTTPException: _refuse, BadRequestError: _refuse},
    )
    app.state.backstage = backstage
    return _Guarded(app, options.token)


def serve(options: ServerOptions, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until stopped; `on_ready` is called once requests are answered."""
    config = Config(
        build_app(options),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        backlog=_BACKLOG,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    _AnnouncedServer(config, on_ready).run(sockets=[listener])


class _AnnouncedServer(Server):
    def __init__(self, config: Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()


class _Guarded:
    """Lets only requests through that name this machine as their host, and carry the token where there is one.

    A page in a browser can have its own host's name lead here, and then reads whatever answers: by that name nobody
    is answered.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._refusal(dict(scope["headers"])) if scope["type"] == "http" else None
        if error is not None:
            await wire.send_json(send, wire.error_body(error), status=error.status)
            return
        await self._app(scope, receive, send)

    def _refusal(self, headers: dict[bytes, bytes]) -> BadRequestError | None:
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in _HOSTS:
            return BadRequestError(f"no host {name!r} here", status=421, code="misdirected_request")
        given = headers.get(b"authorization", b"")
        if self._expected is not None and not secrets.compare_digest(given, self._expected):
            return BadRequestError("Incorrect API key provided", status=401, code="invalid_api_key")
        return None


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def _model_card(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": "nbagent-demo"}


async def _list_models(_: HttpRequest) -> Response:
    return _json({"object": "list", "data": [_model_card(name) for name in PERSONAS]})


async def _show_model(request: HttpRequest) -> Response:
    return _json(_model_card(find_persona(request.path_params["model"]).name))


async def _refuse(request: HttpRequest, error: Exception) -> Response:
    """Write any error in OpenAI's form, unknown addresses included."""
    if isinstance(error, HTTPException):
        said = f"{request.method} {request.url.path}: {error.detail}"
        error = BadRequestError(said, status=error.status_code, code="unknown_url")
    assert isinstance(error, BadRequestError)
    return _json(wire.error_body(error), error.status)
