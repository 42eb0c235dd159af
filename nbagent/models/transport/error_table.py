"""What can go wrong at a provider or on the way to it, as two tables: by HTTP status, and by exception.

Read by `errors.py`. A row is the class of the error and its two sentences; the names in braces are filled in
there.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from functools import cache

from nbagent.core import BadCompressionError
from nbagent.errors import (
    ContentFilterError,
    ContextExceededError,
    ModelError,
    OutOfQuotaError,
    ProviderOverloadedError,
    ProviderProtocolError,
    ProviderRefusedError,
    ProviderSilentError,
    ProviderUnreachableError,
)


class BadHeaderError(ValueError):
    """A header's value holds characters that no header can have."""


@dataclass(frozen=True, slots=True)
class ErrorTemplate:
    """The error's class, what happened, what to do; `sent` is False where nothing left this machine."""

    kind: type[ModelError]
    what: str
    todo: str
    sent: bool = True


_LATER = "try again later"
STATUS_FAULTS: dict[int, ErrorTemplate] = {
    400: ErrorTemplate(
        ProviderRefusedError,
        "provider {provider!r} refused the request for model {model!r} ({status}): {detail}",
        "change what the message names: a setting, the tools, the schema, or the length of the prompt",
    ),
    401: ErrorTemplate(
        ProviderRefusedError,
        "provider {provider!r} refused the key in {key_source} ({status}): {detail}",
        'set {key_source} to a valid key for {base_url}, or use model="demo:assistant"',
    ),
    402: ErrorTemplate(
        OutOfQuotaError,
        "provider {provider!r} wants to be paid first ({status}): {detail}",
        "top up the account that the key in {key_source} belongs to",
    ),
    403: ErrorTemplate(
        ProviderRefusedError,
        "provider {provider!r} does not let this key use model {model!r} ({status}): {detail}",
        "use another model, or a key with access to this one",
    ),
    404: ErrorTemplate(
        ProviderRefusedError,
        "provider {provider!r} has no model {model!r} at {base_url} ({status}): {detail}",
        "check the model's name, and that the base URL is right (most end in /v1)",
    ),
    405: ErrorTemplate(
        ProviderRefusedError,
        "{base_url} takes no {api} requests ({status}): {detail}",
        "check base_url (most end in /v1){other_api}",
    ),
    408: ErrorTemplate(
        ProviderOverloadedError, "provider {provider!r} gave up waiting ({status}): {detail}", _LATER
    ),
    409: ErrorTemplate(
        ProviderOverloadedError, "provider {provider!r} has a conflict ({status}): {detail}", _LATER
    ),
    413: ErrorTemplate(
        ProviderRefusedError,
        "the request is too large for provider {provider!r} ({status}): {detail}",
        "send less: a shorter prompt, fewer or smaller files, a new session",
    ),
    422: ErrorTemplate(
        ProviderRefusedError,
        "provider {provider!r} cannot read the request for model {model!r} ({status}): {detail}",
        "change what the message names: a setting, the tools, or the schema",
    ),
    425: ErrorTemplate(
        ProviderOverloadedError, "provider {provider!r} is not ready yet ({status}): {detail}", _LATER
    ),
    429: ErrorTemplate(
        ProviderOverloadedError,
        "provider {provider!r} limits how much model {model!r} may be asked ({status}): {detail}",
        "try again later, or run fewer at a time",
    ),
    503: ErrorTemplate(
        ProviderOverloadedError, "provider {provider!r} is overloaded ({status}): {detail}", _LATER
    ),
    529: ErrorTemplate(
        ProviderOverloadedError, "provider {provider!r} is overloaded ({status}): {detail}", _LATER
    ),
}
OTHER_4XX = ErrorTemplate(
    ProviderRefusedError,
    "provider {provider!r} refused the request for model {model!r} ({status}): {detail}",
    "change what the message names",
)
OTHER_5XX = ErrorTemplate(
    ProviderOverloadedError, "provider {provider!r} failed ({status}): {detail}", _LATER
)
OTHER_STATUS = ErrorTemplate(
    ProviderProtocolError,
    "{base_url} answered {status} to a request: {detail}",
    "check base_url (most end in /v1)",
)
NO_MONEY = ErrorTemplate(
    OutOfQuotaError,
    "the account at provider {provider!r} has no quota left ({status}): {detail}",
    "check the plan and billing of the account that the key in {key_source} belongs to",
)
NO_MONEY_IN_REPLY = ErrorTemplate(
    OutOfQuotaError,
    "the account at provider {provider!r} has no quota left, it says in its reply: {detail}",
    "check the plan and billing of the account that the key in {key_source} belongs to",
)
NO_PAGE = ErrorTemplate(
    ProviderRefusedError,
    "nothing answers {api} requests at {base_url} ({status}): {detail}",
    "check base_url (most end in /v1), and the model's name {model!r}{other_api}",
)
NO_DESCRIPTORS = ErrorTemplate(
    ProviderUnreachableError,
    "no connection to {base_url}: this process has no file descriptors left",
    "allow it more (ulimit -n before the kernel starts), or run fewer at a time: a lower max_concurrency",
    sent=False,
)
REFUSED_IN_REPLY = ErrorTemplate(
    ProviderRefusedError,
    "provider {provider!r} refused the request for model {model!r} in its reply: {detail}",
    "change what the message names",
)
TOO_LONG = ErrorTemplate(
    ContextExceededError,
    "what was sent is larger than the context of model {model!r} at provider {provider!r}: {detail}",
    "show it less of the conversation with history_runs= or history_tokens=, send a shorter prompt or smaller files, or ask a model with a larger context",
)
FILTERED = ErrorTemplate(
    ContentFilterError,
    "the content filter of provider {provider!r} stopped the request for model {model!r}: {detail}",
    "say it otherwise; what is filtered is set at the provider, not here",
)
LIMITED_IN_REPLY = ErrorTemplate(
    ProviderOverloadedError,
    "provider {provider!r} limits how much model {model!r} may be asked, it says in its reply: {detail}",
    "try again later, or run fewer at a time",
)
OVERLOADED_IN_REPLY = ErrorTemplate(
    ProviderOverloadedError, "provider {provider!r} is overloaded, it says in its reply: {detail}", _LATER
)
FAILED_IN_REPLY = ErrorTemplate(
    ProviderOverloadedError, "provider {provider!r} failed in its reply: {detail}", _LATER
)

_UNANSWERED = ErrorTemplate(
    ProviderUnreachableError,
    "no server answers at {base_url}",
    "start it, or check base_url{url_variable}",
    sent=False,
)
_DROPPED = ErrorTemplate(
    ProviderUnreachableError,
    "provider {provider!r} dropped the connection before its reply was whole (model {model!r})",
    "try again; a proxy or the server itself may have cut it",
)

_UNKNOWN_HOST = ErrorTemplate(
    ProviderUnreachableError,
    "the host of {base_url} is not known: {detail}",
    "check base_url{url_variable} for a typing error, and that this machine is online",
    sent=False,
)
_INSECURE = ErrorTemplate(
    ProviderUnreachableError,
    "no secure connection to {base_url}: {detail}",
    "check base_url{url_variable} (http or https?), the proxy, and the certificates of this machine",
    sent=False,
)
_NO_ADDRESS = ErrorTemplate(
    ProviderRefusedError,
    "{base_url!r} is no address that can be asked",
    "check base_url{url_variable}: it starts with http:// or https://",
)
_BAD_HTTP = ErrorTemplate(
    ProviderProtocolError,
    "{base_url} does not speak HTTP as it should: {detail}",
    "check base_url{url_variable}",
)
_SILENT = ErrorTemplate(
    ProviderSilentError,
    "provider {provider!r} sent nothing for {idle} (model {model!r})",
    "try again, or allow a longer silence with idle_timeout_s",
)
_NOT_CONNECTED = ErrorTemplate(
    ProviderSilentError,
    "no connection to {base_url} within {idle}",
    "check base_url{url_variable}, the network and the proxy",
    sent=False,
)
_BAD_KEY = ErrorTemplate(
    ProviderRefusedError,
    "the key in {key_source} holds characters that no key has",
    "set it again: a quotation mark or an accent may have come with it",
)
UNEXPECTED = ErrorTemplate(
    ProviderProtocolError,
    "asking provider {provider!r} failed in an unexpected way: {detail}",
    "report this, with the versions of nbagent and aiohttp",
)


@cache
def transport_faults() -> tuple[tuple[tuple[type[BaseException], ...], ErrorTemplate], ...]:
    """Return the rows for exceptions; the first with a class of the exception or of a cause decides."""
    import aiohttp  # loaded by now

    return (
        ((socket.gaierror, aiohttp.ClientConnectorDNSError), _UNKNOWN_HOST),
        ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError), _INSECURE),
        ((ConnectionRefusedError,), _UNANSWERED),
        ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError), _NO_ADDRESS),
        ((aiohttp.ServerDisconnectedError, ConnectionResetError, aiohttp.ClientPayloadError), _DROPPED),
        ((aiohttp.ClientResponseError, BadCompressionError), _BAD_HTTP),
        ((aiohttp.SocketTimeoutError,), _SILENT),
        ((aiohttp.ConnectionTimeoutError, TimeoutError), _NOT_CONNECTED),
        ((aiohttp.ClientConnectorError,), _UNANSWERED),
        ((aiohttp.ClientError, OSError), _DROPPED),
        ((BadHeaderError,), _BAD_KEY),
    )
