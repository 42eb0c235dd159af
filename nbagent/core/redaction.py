"""What must never be seen or kept: keys, passwords and tokens, wherever they were given. Any thread.

A value is known as secret once a model, a server or a tool was given it (`remember`), or as it stands in a
variable of the environment that is named like one. Whatever becomes a message, a row or what a model reads
goes through `mask`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

MASK = "[secret]"
_SHORT = 8  # characters; a shorter one is a word such as "on" or "true"
_NAMED = re.compile(
    r"(^|[_\W])(api_?key|key|token|secret|passw(or)?d|pwd|auth|authorization|credentials?|pat|sig|signature)([_\W]|$)",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*\Z")
_SCHEME_MOST = 32  # characters before "://" that are looked at
_AFTER_SCHEME = re.compile(
    r"://[^\s'\"<>]+"
)  # begins with a literal: found in linear time, however long the text is
_PLACES = ("/", "~", "http:", "https:")  # a variable such as SSH_AUTH_SOCK says where something is
_MOST = 1000
_known: dict[str, None] = {}  # the latest last


def is_secret_name(name: str) -> bool:
    """Say whether what goes by this name (a variable, a header, a field) is likely to be a key or a password."""
    return _NAMED.search(_CAMEL.sub("_", name)) is not None


def remember(*values: str | None) -> None:
    """Keep these values out of whatever is masked from now on; short ones are words."""
    for value in values:
        if value and len(value) >= _SHORT and value not in _known:
            _known[value] = None
            while len(_known) > _MOST:
                del _known[next(iter(_known))]


def remember_url(url: str) -> None:
    """Keep what of an address may be secret: the password and the values of the query."""
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    remember(
        user, unquote(user), password, unquote(password), *(value for _, value in parse_qsl(parts.query))
    )
    remember(*(one.partition("=")[2] for one in parts.query.split("&")))


def remember_named(values: Mapping[str, object]) -> None:
    """Keep the texts that stand, at any depth, under a name like a key's."""
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Mapping):
                remember_named(one)
        if isinstance(value, str) and is_secret_name(str(name)):
            remember(value, value.rpartition(" ")[2])


def known_secrets() -> list[str]:
    """Return the secret values, the longest first: those that were given, and those of the environment."""
    named = (value.strip() for name, value in os.environ.items() if is_secret_name(name))
    long = (value for value in named if len(value) >= _SHORT and not value.startswith(_PLACES))
    return sorted({*_known, *long}, key=len, reverse=True)


def mask(text: str, more: Iterable[str] = ()) -> str:
    """Return `text` without any secret value that is known."""
    for value in (*known_secrets(), *more):
        if value in text:
            text = text.replace(value, MASK)
    return text


def masked_url(url: str) -> str:
    """Return an address without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def masked_urls(text: str) -> str:
    """Return `text` with each address in it as `masked_url` has it, where it holds what is none of a reader's business."""
    parts, done = [], 0
    for found in _AFTER_SCHEME.finditer(text):
        scheme = _SCHEME.search(text[max(done, found.start() - _SCHEME_MOST) : found.start()])
        if scheme is not None and {"@", "?"} & set(found[0]):
            parts += [text[done : found.start() - len(scheme[0])], masked_url(scheme[0] + found[0])]
            done = found.end()
    return "".join((*parts, text[done:]))


def masked_fields(data: object) -> object:
    """Return plain data with the values masked that stand under a name like a key's, at any depth."""
    if isinstance(data, Mapping):
        return {
            name: MASK if isinstance(value, str) and is_secret_name(str(name)) else masked_fields(value)
            for name, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [masked_fields(one) for one in data]
    return mask(data) if isinstance(data, str) else data
