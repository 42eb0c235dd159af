"""Whatever goes wrong between us and a provider, as one ModelError that says what happened and what to do.

Used by the wire formats on the background thread. Four ways in: an HTTP status, an exception of aiohttp or of
the socket below it, an error object inside a reply, and a reply that is no reply. Of an exception and its
causes the first row of the table that has one of their classes decides. A key never gets into a message.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from nbagent.core import MessageTooLargeError, how_to_set, masked_url, masked_urls, message_limit
from nbagent.errors import ModelError, ProviderProtocolError, ProviderRefusedError
from nbagent.models.transport.content_filters import filtered_for, is_filtered
from nbagent.models.transport.context_errors import is_context_exceeded
from nbagent.models.transport.error_body import (
    detail_of,
    error_field,
    named_parameter,
    redact,
    retry_after_s,
    shown_line,
    status_in,
    title_of,
)
from nbagent.models.transport.error_table import (
    FAILED_IN_REPLY,
    FILTERED,
    LIMITED_IN_REPLY,
    NO_DESCRIPTORS,
    NO_MONEY,
    NO_MONEY_IN_REPLY,
    NO_PAGE,
    OTHER_4XX,
    OTHER_5XX,
    OTHER_STATUS,
    OVERLOADED_IN_REPLY,
    REFUSED_IN_REPLY,
    STATUS_FAULTS,
    TOO_LONG,
    UNEXPECTED,
    ErrorTemplate,
    transport_faults,
)

NOTHING_SENT = "nothing was sent"  # a note on errors of requests that never left this machine
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
# in the type or code of an error object: what would fail again
_REFUSING = (
    "authentication", "bad_request", "badrequest", "image", "invalid", "not_found", "permission", "unsupported",
)  # fmt: skip
_REFUSING_SENTENCES = (
    "does not exist", "not found", "not supported", "unauthorized", "api key",
)  # fmt: skip
_LIMITING = ("rate_limit", "rate limit", "ratelimit", "too many requests", "throttl")
_FILTERING = frozenset({400, 403, 422, 451})  # statuses of a request that a filter may have stopped
_NO_CONTEXT = frozenset(
    {401, 402, 403, 404, 405, 408, 429}
)  # statuses that say something else, whatever their words


class RedirectedError(Exception):
    """An answer sends us to another server, which its text names."""


@dataclass(frozen=True, slots=True)
class Api:
    """A wire format as messages name it; `otherwise` is what to try where a server does not speak it."""

    name: str
    otherwise: str = ""


CHAT_COMPLETIONS = Api("Chat Completions")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTarget:
    """Who is asked: what requests carry (`base_url`, `headers`), and the values that messages name.

    `key` is here only to be cut out of what is shown. `sends_finish_reason` is False for a server whose
    streams end without one, `reasoning_tag` the tag of its own around reasoning, as its row says.
    """

    provider: str
    model: str
    base_url: str
    key_variable: str | None = None
    url_variable: str | None = None
    key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # their names in lower case
    api: Api = CHAT_COMPLETIONS
    sends_finish_reason: bool = True
    reasoning_tag: str | None = None

    @property
    def shown_url(self) -> str:
        """The address for messages: without user, password, query and key."""
        return redact(masked_url(self.base_url), self.key)


def error_from_status(
    status: int, headers: Mapping[str, str], body: Any, target: RequestTarget
) -> ModelError:
    """Return the error for an HTTP answer of `status`; `body` is JSON data or text."""
    detail = detail_of(body, target.key)
    row = STATUS_FAULTS.get(status) or (
        OTHER_5XX if status >= 500 else OTHER_4XX if status >= 400 else OTHER_STATUS  # noqa: PLR2004 - HTTP's classes
    )
    code = str(error_field(body, "code") or error_field(body, "type") or "")
    if status in _FILTERING and is_filtered(body):
        row, detail = FILTERED, f"{detail}{filtered_for(body)}"
    elif status >= 400 and status not in _NO_CONTEXT and is_context_exceeded(body):  # noqa: PLR2004 - HTTP's classes
        row = TOO_LONG
    elif status == 429 and "insufficient_quota" in code:  # noqa: PLR2004
        row = NO_MONEY
    elif status == 404 and "model" not in f"{detail} {code}".lower():  # noqa: PLR2004
        row = NO_PAGE
    elif status == 500 and re.match(r"\d+ validation error", detail):  # noqa: PLR2004 - FastAPI behind a catch-all
        row = STATUS_FAULTS[422]
    param = error_field(body, "param") or named_parameter(body)
    return _build(
        row,
        target,
        detail=detail,
        status=status,
        retry_after_s=retry_after_s(headers),
        param=param if isinstance(param, str) else None,
    )


def error_from_error_object(error: Any, target: RequestTarget) -> ModelError:
    """Return the error for an error object inside a reply that began with HTTP 200."""
    status = status_in(error)
    if status is not None:
        return error_from_status(status, {}, {"error": error}, target)
    kind = f"{error_field(error, 'type') or ''} {error_field(error, 'code') or ''}".lower()
    detail = detail_of(error, target.key)
    if is_filtered(error):
        return _build(FILTERED, target, detail=f"{detail}{filtered_for(error)}")
    if is_context_exceeded(error):
        return _build(TOO_LONG, target, detail=detail)
    if "insufficient_quota" in kind:
        return _build(NO_MONEY_IN_REPLY, target, detail=detail)
    named = bool(kind.strip())
    kind = kind if named else detail.lower()
    if any(word in kind for word in (_REFUSING if named else _REFUSING_SENTENCES)):
        return _build(REFUSED_IN_REPLY, target, detail=detail)
    # as the HTTP statuses that mean the same, so that whoever paces calls slows them down
    if any(word in kind for word in _LIMITING):
        return _build(LIMITED_IN_REPLY, target, detail=detail, status=429)
    if "overloaded" in kind:
        return _build(OVERLOADED_IN_REPLY, target, detail=detail, status=529)
    return _build(FAILED_IN_REPLY, target, detail=detail)


def error_from_exception(
    error: BaseException, target: RequestTarget, idle_timeout_s: float | None
) -> ModelError:
    """Return the error for an exception that aiohttp, a socket or our own client raised."""
    if isinstance(error, ModelError):
        return error
    sent_on = next((cause for cause in _causes(error) if isinstance(cause, RedirectedError)), None)
    if sent_on is not None:
        return error_from_redirect(str(sent_on), target)
    return _build(_transport_fault(error), target, detail=_root_detail(error, target), idle_s=idle_timeout_s)


def error_from_reply(why: str, target: RequestTarget) -> ProviderProtocolError:
    """Return the error for a reply that breaks the wire format; `why`: `its stream ended early`."""
    return ProviderProtocolError(
        redact(
            f"provider {target.provider!r} broke off its reply for model {target.model!r}: {why}", target.key
        ),
        f"try again; if it happens each time, the server does not speak the {target.api.name} API as it should",
    )


def error_from_size(error: MessageTooLargeError, target: RequestTarget) -> ProviderProtocolError:
    """Return the error for a message that is too large to be read."""
    return ProviderProtocolError(
        f"provider {target.provider!r} sent one message of {error} (model {target.model!r}): max_message_bytes is "
        f"{message_limit():,}",
        f"if that is what it should send, raise the limit: {how_to_set('max_message_bytes')}",
    )


def error_from_redirect(there: str, target: RequestTarget) -> ProviderRefusedError:
    """Return the error for an answer that sends us to another server, which is not asked."""
    return ProviderRefusedError(
        redact(
            f"{target.shown_url} sends requests on to {there}, another server: it was not asked", target.key
        ),
        "if it is the one you mean, give its address as base_url",
    )


def error_from_body(block: bytes, content_type: str, target: RequestTarget) -> ProviderProtocolError:
    """Return the error for a reply that is neither a stream nor JSON: a web page, most often."""
    start = block.lstrip()[:1000].decode("utf-8", "replace")
    if is_ollamas_own(block):
        what = f"{target.shown_url} answers in Ollama's own protocol, not in the {target.api.name} API"
        todo = "set base_url to the address of its OpenAI-compatible API: it ends in /v1, as http://localhost:11434/v1"
    elif start.startswith("<") or "html" in content_type:
        what = f"{target.shown_url} answered with a web page instead of a model's reply{title_of(start)}"
        todo = "check base_url: it is the API's address (most end in /v1), not a website, and behind no login page"
    elif not start:
        what = f"{target.shown_url} answered with an empty reply"
        todo = "check base_url, and that the server there is an OpenAI-compatible one"
    else:
        shown = shown_line(start, 80)
        what = (
            f"{target.shown_url} answered with {content_type or 'data'!r} that is no model's reply: {shown!r}"
        )
        todo = "check base_url, and that the server there is an OpenAI-compatible one"
    return ProviderProtocolError(redact(what, target.key), todo)


def is_ollamas_own(block: bytes) -> bool:
    """True where a body begins with a line of Ollama's own API: JSON with `done` in it."""
    line = block.lstrip().partition(b"\n")[0]
    if b'"done"' not in line:
        return False
    try:
        found = orjson.loads(line)
    except ValueError:
        return False
    return (
        isinstance(found, dict)
        and isinstance(found.get("done"), bool)
        and bool({"message", "response"} & found.keys())
    )


def _build(
    row: ErrorTemplate,
    target: RequestTarget,
    *,
    detail: str,
    status: int | None = None,
    idle_s: float | None = None,
    retry_after_s: float | None = None,
    param: str | None = None,
) -> ModelError:
    values = {
        "provider": target.provider,
        "model": target.model,
        "base_url": target.shown_url,
        "key_source": target.key_variable or "api_key",
        "url_variable": f" / {target.url_variable}" if target.url_variable else "",
        "detail": detail,
        "status": status,
        "api": target.api.name,
        "other_api": target.api.otherwise,
        "idle": f"{idle_s:g} s" if idle_s is not None else "too long",
    }
    error = row.kind(
        row.what.format_map(values),
        row.todo.format_map(values),
        status_code=status,
        retry_after_s=retry_after_s,
        param=param,
    )
    if not row.sent:
        error.add_note(NOTHING_SENT)
    return error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        os_error = getattr(at, "os_error", None)  # aiohttp keeps the socket's own error there
        if isinstance(os_error, BaseException) and id(os_error) not in seen:
            seen.add(id(os_error))
            yield os_error
        at = at.__cause__ or at.__context__


def _transport_fault(error: BaseException) -> ErrorTemplate:
    causes = list(_causes(error))
    if any(isinstance(cause, OSError) and cause.errno in _NO_DESCRIPTORS for cause in causes):
        return NO_DESCRIPTORS
    faults = transport_faults()
    return next(
        (fault for kinds, fault in faults if any(isinstance(cause, kinds) for cause in causes)), UNEXPECTED
    )


def _root_detail(error: BaseException, target: RequestTarget) -> str:
    *_, root = _causes(error)
    text = shown_line(masked_urls(str(root)), 160)
    return redact(f"{type(root).__name__}: {text}" if text else type(root).__name__, target.key)
