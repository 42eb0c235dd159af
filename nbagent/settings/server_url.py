"""The address of a record on a Postgres server, which is never shown with a password. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
SCHEMA = "nbagent"  # where the address names none
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRET = frozenset({"password", "sslpassword"})


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """Where a record on Postgres is. `dsn` is for libpq alone; a person sees `str()`, which has no password."""

    dsn: str = field(repr=False)
    schema: str
    shown: str

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return repr(self.shown)

    def without_secrets(self, text: str) -> str:
        """Return a server's or library's message without what must not be shown."""
        parts = urlsplit(self.dsn)
        found = {parts.password or "", *(value for name, value in parse_qsl(parts.query) if name in _SECRET)}
        for secret in sorted(filter(None, found), key=len, reverse=True):
            text = text.replace(secret, "...")
        return text.replace(self.dsn, self.shown)


def is_server_url(value: object) -> bool:
    """Whether a place of a record is the address of a server, no file."""
    scheme, found, _ = str(value).partition("://") if isinstance(value, str | ServerUrl) else ("", "", "")
    return isinstance(value, ServerUrl) or (bool(found) and scheme.lower() in SCHEMES)


def server_url(text: str) -> ServerUrl:
    """Read an address as `postgresql://user@host/database?schema=name`. Raises ValueError, without the address in it."""
    parts = urlsplit(text.strip())
    options = parse_qsl(parts.query, keep_blank_values=True)
    schema = next((value for name, value in reversed(options) if name == "schema"), SCHEMA)
    if not _NAME.fullmatch(schema):
        raise ValueError(f"a schema's name is small letters, digits and _, not {schema!r}")
    rest = [(name, value) for name, value in options if name != "schema"]
    user, at, host = parts.netloc.rpartition("@")
    open_user = user.partition(":")[0] + at if at else ""
    shown = [(name, value) for name, value in options if name not in _SECRET]
    return ServerUrl(
        dsn=urlunsplit(("postgresql", parts.netloc, parts.path or "/", urlencode(rest), "")),
        schema=schema,
        shown=urlunsplit(("postgresql", open_user + host, parts.path, urlencode(shown, safe="/"), "")),
    )
