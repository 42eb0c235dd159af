"""Providers of other packages: entry points of the group `nbagent.models`, loaded when first named.

An entry point goes by its provider's name and gives a `Provider`, a class of models (as `Provider.wire` takes
one), or a function without arguments that returns a `Provider`. Called on any thread where a name is in no
row of the table.

    [project.entry-points."nbagent.models"]
    house = "nbagent_house:PROVIDER"
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from nbagent.core import mask
from nbagent.errors import ConfigurationError
from nbagent.models.providers import Provider, provider_names, provider_row, register_provider

GROUP = "nbagent.models"


def find_provider(name: str) -> Provider | None:
    """Return the provider's row, from the table or from an entry point; None where it is in neither.

    Raises:
        ConfigurationError: a package brings this provider, and it cannot be loaded.
    """
    row = provider_row(name)
    if row is None and name:
        for entry in entry_points(group=GROUP, name=name):
            row = _load(entry)
            break
    return row


def all_provider_names() -> tuple[str, ...]:
    """Return the names of the table, then those of entry points that have not been loaded."""
    return tuple(dict.fromkeys((*provider_names(), *(entry.name for entry in entry_points(group=GROUP)))))


def _load(entry: EntryPoint) -> Provider:
    row: object
    try:
        row = entry.load()
        if not isinstance(row, type) and not isinstance(row, Provider) and callable(row):
            row = row()
    except Exception as error:  # the border to another package's code
        raise _broken(entry, f"{type(error).__name__}: {error}") from error
    if isinstance(row, type):
        row = Provider(name=entry.name, wire=row, key_required=False)
    if not isinstance(row, Provider):
        raise _broken(entry, f"it gives no Provider but {row!r:.80}")
    if row.name != entry.name:
        raise _broken(entry, f"its provider is named {row.name!r}")
    try:
        register_provider(row)
    except ConfigurationError as error:
        raise _broken(entry, error.what) from error
    return row


def _broken(entry: EntryPoint, why: str) -> ConfigurationError:
    package = entry.dist.name if entry.dist is not None else None
    of_package = f" of package {package!r}" if package else ""
    return ConfigurationError(
        f"the entry point {entry.name!r} ({GROUP}: {entry.value}){of_package} cannot be used: {mask(why)}",
        f"update or uninstall {package or 'the package that brings it'}, "
        f"or add the provider yourself: register_provider(Provider(name={entry.name!r}, ...))",
    )
