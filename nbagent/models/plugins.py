"""Providers of other packages: entry points of the group `nbagent.models`, loaded when first named.

An entry point goes by its provider's name and gives a `Provider`, a class of models (as `Provider.wire` takes
one), or a function without arguments that returns a `Provider`. Called on any thread where a name is in no
row of the table.

    [project.entry-points."nbagent.models"]
    house = "nbagent_house:PROVIDER"
"""

from __future__ import annotations

import re

from nbagent.core import broken_entry_point, entry_point_names, find_entry_point, load_entry_point
from nbagent.errors import ConfigurationError, UnknownModelError, closest
from nbagent.models.catalog.table import provider_names, provider_row, register_provider
from nbagent.models.providers import Provider

GROUP = "nbagent.models"
_NAMED = 8  # providers, in an error


def find_provider(name: str) -> Provider | None:
    """Return the provider's row, from the table or from an entry point; None where it is in neither.

    Raises:
        ConfigurationError: a package brings this provider, and it cannot be loaded.
    """
    row = provider_row(name)
    return row if row is not None or not name else _load(name)


def all_provider_names() -> tuple[str, ...]:
    """Return the names of the table, then those of entry points that have not been loaded."""
    return tuple(dict.fromkeys((*provider_names(), *entry_point_names(GROUP))))


def no_provider(name: str, *, where: str = "", model_id: str = "NAME") -> UnknownModelError:
    """Return the error for a name of no provider: the one that was meant first, else a few that are there."""
    names = all_provider_names()
    meant = _meant(name)
    if meant is not None:
        return UnknownModelError(
            f"no provider {name!r}{where} (did you mean {meant!r}?)",
            f'write "{meant}:{model_id}"; %agent models lists all {len(names)} providers',
        )
    return UnknownModelError(
        f"no provider {name!r}{where}",
        f"providers: {', '.join(names[:_NAMED])} and {len(names) - _NAMED} more, which %agent models lists; "
        "or add one with register_provider(Provider(...))",
    )


def _meant(name: str) -> str | None:
    """Return the provider with a name near that, or with that word in what it is called otherwise."""
    if near := closest(name, all_provider_names()):
        return near
    word = name.strip().lower()
    rows = ((known, provider_row(known)) for known in provider_names())
    told = (
        known
        for known, row in rows
        if row is not None and word in re.findall(r"[a-z0-9.]+", row.label.lower())
    )
    return next(told, None)


def _load(name: str) -> Provider | None:
    entry = find_entry_point(GROUP, name)
    if entry is None:
        return None
    otherwise = f", or add the provider yourself: register_provider(Provider(name={name!r}, ...))"
    row = load_entry_point(entry, otherwise)
    try:
        if not isinstance(row, type | Provider) and callable(row):
            row = row()
    except Exception as error:  # the border to another package's code
        raise broken_entry_point(entry, f"{type(error).__name__}: {error}", otherwise) from error
    if isinstance(row, type):
        row = Provider(name=name, wire=row, key_required=False)
    if not isinstance(row, Provider):
        raise broken_entry_point(entry, f"it gives no Provider but {row!r:.80}", otherwise)
    if row.name != name:
        raise broken_entry_point(entry, f"its provider is named {row.name!r}", otherwise)
    try:
        register_provider(row)
    except ConfigurationError as error:
        raise broken_entry_point(entry, error.what, otherwise) from error
    return row
