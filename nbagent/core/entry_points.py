"""What other packages bring, by entry points: found by name, loaded when first wanted, told where it is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbagent.core.redaction import mask
from nbagent.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def find_entry_point(group: str, name: str) -> EntryPoint | None:
    """Return the first entry point of that name, without loading it."""
    from importlib.metadata import entry_points

    return next(iter(entry_points(group=group, name=name)), None)


def entry_point_names(group: str) -> list[str]:
    """Return the names that installed packages bring in a group."""
    from importlib.metadata import entry_points

    return [entry.name for entry in entry_points(group=group)]


def load_entry_point(entry: EntryPoint, otherwise: str = "") -> Any:
    """Import what an entry point names, and return it.

    Raises:
        ConfigurationError: as `broken_entry_point` says it; whatever the package's code raised.
    """
    try:
        return entry.load()
    except Exception as error:  # the border to another package's code
        raise broken_entry_point(entry, f"{type(error).__name__}: {error}", otherwise) from error


def broken_entry_point(entry: EntryPoint, why: str, otherwise: str = "") -> ConfigurationError:
    """Return an error that names the entry point and its package; `otherwise` is what else can be done."""
    package = entry.dist.name if entry.dist is not None else None
    of_package = f" of package {package!r}" if package else ""
    return ConfigurationError(
        f"the entry point {entry.name!r} ({entry.group}: {entry.value}){of_package} cannot be used: {mask(why)}",
        f"update or uninstall {package or 'the package that brings it'}{otherwise}",
    )
