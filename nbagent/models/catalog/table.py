"""The table of providers: the rows of this folder, and those that a user or another package adds.

Read by whoever looks a provider up by name; rows are added from the main thread.
"""

from __future__ import annotations

import inspect
import os
import re
from urllib.parse import urlsplit

from nbagent.errors import ConfigurationError, did_you_mean
from nbagent.models.catalog.hosts import HOSTS
from nbagent.models.catalog.local import LOCAL
from nbagent.models.catalog.makers import MAKERS
from nbagent.models.providers import WIRE_NAMES, Provider, Wire, is_loopback

_PLACE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_rows: dict[str, Provider] = {row.name: row for row in (*MAKERS, *HOSTS, *LOCAL)}


def register_provider(row: Provider) -> None:
    """Add a provider, or replace the one of that name, for `"name:model"` strings from now on.

    Raises:
        ConfigurationError: the name is empty or holds a colon or comma, nothing says where the provider is,
        or a wire format is none.

    >>> register_provider(Provider(name="house", base_url="http://localhost:8000/v1", key_required=False))
    >>> agent = Agent(model="house:qwen3")
    """
    if not row.name or set(":,") & set(row.name) or row.name != row.name.strip():
        raise ConfigurationError(
            f"a provider cannot be named {row.name!r}",
            "take a name without colons, commas and spaces: it stands before the colon in 'provider:model'",
        )
    for wire in row.wires:
        _check_wire(wire, row)
    if isinstance(row.wires[0], str) and not (row.base_url or row.base_url_variable or row.find_base_url):
        raise ConfigurationError(
            f"the row of provider {row.name!r} does not say where it is",
            "set base_url, or base_url_variable to the name of an environment variable",
        )
    _rows[row.name] = row


def _check_wire(wire: object, row: Provider) -> None:
    """Raise a ConfigurationError for what is neither a wire format of ours nor a class that makes models."""
    if isinstance(wire, str) and (wire in WIRE_NAMES or _PLACE.fullmatch(wire)):
        return
    if not callable(wire):
        meant = did_you_mean(wire, WIRE_NAMES) if isinstance(wire, str) else ""
        raise ConfigurationError(
            f"provider {row.name!r} has an unknown wire format: {wire!r:.80}{meant}",
            f"name one of {', '.join(map(repr, WIRE_NAMES))}, or give a class of models: Class(id=..., provider=row)",
        )
    try:
        inspect.signature(wire).bind(id="", provider=row)
    except TypeError as error:
        name = wire_label(wire)
        raise ConfigurationError(
            f"the wire format {name} of provider {row.name!r} cannot be called with id= and provider=: {error}",
            f"let it take both by name: {name}(id=..., provider=row)",
        ) from None
    except ValueError:  # a callable without a signature, as some that are written in C
        pass


def wire_label(wire: Wire) -> str:
    """Return a wire format's name as it is shown: of ours its name, else that of the class."""
    return wire.rpartition(":")[2] if isinstance(wire, str) else getattr(wire, "__qualname__", repr(wire))


def provider_row(name: str) -> Provider | None:
    """Return the row of that name."""
    return _rows.get(name)


def row_at(url: str) -> Provider | None:
    """Return the row of the provider whose own host `url` names."""
    host = urlsplit(url).hostname
    if not host or is_loopback(url):
        return None
    return next((row for row in _rows.values() if _host_of(row) == host), None)


def _host_of(row: Provider) -> str | None:
    url = row.own_url(os.environ)
    return urlsplit(url).hostname if url else None


def provider_names() -> tuple[str, ...]:
    """Return all names, in the table's order."""
    return tuple(_rows)
