"""Where the value of each option comes from.

Precedence: flag > `%config` > environment (`NBAGENT_*`) > `[tool.nbagent]` in the nearest pyproject.toml >
default. Called by everything that needs a default (agent, runtime, store, magics), on any thread; `kernel.py`
hands `%config` values over with `configure`. Environment, folder and file are looked at when a value is asked
for, so a change shows at the next launch; a launch and its run look at folders and file once (`one_look`).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from nbagent.errors import ConfigurationError, UnknownOptionError, did_you_mean
from nbagent.settings.options import OPTIONS, Option, parse_value
from nbagent.settings.server_url import ServerUrl

Origin = Literal["flag", "%config", "environment", "pyproject.toml", "default"]


_VARIABLES = {option.name: option.env for option in OPTIONS.values()}

_configured: dict[str, Any] = {}
_looked: contextvars.ContextVar[dict[Any, Any] | None] = contextvars.ContextVar("nbagent_look", default=None)
config: Mapping[str, Any] = MappingProxyType(_configured)  # what `%config` has set, for reading


@contextlib.contextmanager
def one_look() -> Iterator[None]:
    """Look at folders and pyproject.toml once while this lasts, and in the context of what is launched meanwhile.

    `%config` and the environment are looked at as ever.
    """
    token = _looked.set({})
    try:
        yield
    finally:
        _looked.reset(token)


def get(name: str, flag: object = None, *, start: Path | None = None) -> Any:
    """Return the value of option `name` in its own type; `flag` wins where it is not None.

    `start` is the folder from which pyproject.toml is looked for, the current one by default. Raises
    UnknownOptionError for an unknown name, and for a value that does not fit, naming where it came from.
    """
    return _resolve(_option(name), flag, _project_table(start))[0]


def values(
    flags: Mapping[str, object] | None = None,
    *,
    names: Iterable[str] | None = None,
    start: Path | None = None,
) -> dict[str, Any]:
    """Return the values of the options `names` (by default of every one): `get` for all with one look at the files."""
    given = flags or {}
    for name in given:
        _option(name)
    table = _project_table(start)
    wanted = OPTIONS if names is None else names
    return {name: _resolve(_option(name), given.get(name), table)[0] for name in wanted}


def source_of(name: str, flag: object = None, *, start: Path | None = None) -> Origin:
    """Say where the value that `get` returns comes from."""
    return _resolve(_option(name), flag, _project_table(start))[1]


def configure(name: str, value: object) -> None:
    """Set option `name` as `%config` does, checked at once; None takes the setting back."""
    option = _option(name)
    if value is None:
        _configured.pop(name, None)
    else:
        _configured[name] = parse_value(option, value, f"%config NBAgent.{name}")


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder upwards that holds pyproject.toml, .git or .nbagent, else `start` itself."""
    begin = _folder(start)
    for folder in (begin, *begin.parents):
        if any((folder / mark).exists() for mark in ("pyproject.toml", ".git", ".nbagent")):
            return folder
    return begin


def store_folder(start: Path | None = None) -> Path:
    """Return the folder of the project that what belongs to a record on a server is kept in; it need not exist."""
    return project_root(start) / ".nbagent"


def store_path(start: Path | None = None, *, flag: str | Path | None = None) -> Path:
    """Return the absolute path of the record's DuckDB file, whether or not it is in use; see `store_place`."""
    found = store_place(start, flag=flag)
    return found if isinstance(found, Path) else store_folder(start) / "runs.duckdb"


def store_place(start: Path | None = None, *, flag: str | Path | None = None) -> Path | ServerUrl:
    """Return where the record is: the absolute path of its DuckDB file, which need not exist, or a server's address.

    Nothing is created or opened.

    A relative path in pyproject.toml starts at that file, any other at the current folder. A folder stands
    for `runs.duckdb` in it.
    """
    table = _project_table(start)
    path, where = _resolve(OPTIONS["store"], flag, table)
    looked = _looked.get()
    if looked is None:
        return _store_path(path, where, table, start)
    asked = ("store", path, where, None if start is None else str(start), os.getcwd())  # noqa: PTH109 - as below
    if asked not in looked:
        looked[asked] = _store_path(path, where, table, start)
    found: Path | ServerUrl = looked[asked]
    return found


def _store_path(
    path: str | Path | ServerUrl | None, where: Origin, table: _ProjectTable, start: Path | None
) -> Path | ServerUrl:
    if isinstance(path, ServerUrl):
        return path
    if path is None:
        return project_root(start) / ".nbagent" / "runs.duckdb"
    base = table.path.parent if where == "pyproject.toml" and table.path else _folder(start)
    full = _normal(base, path)
    return full / "runs.duckdb" if _is_folder(full) else full


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # in another user's folder: whoever opens it is told
        return False


@functools.lru_cache(maxsize=16)
def _normal(base: Path, path: Path) -> Path:
    return Path(os.path.normpath(base / path))


@dataclass(frozen=True, slots=True)
class _ProjectTable:
    """The `[tool.nbagent]` table and its file; empty without a file."""

    path: Path | None
    values: Mapping[str, Any]


def _option(name: str) -> Option:
    try:
        return OPTIONS[name]
    except KeyError:
        raise UnknownOptionError(
            f"no option {name!r}{did_you_mean(name, OPTIONS)}", f"options: {', '.join(OPTIONS)}"
        ) from None


def _resolve(option: Option, flag: object, table: _ProjectTable) -> tuple[Any, Origin]:
    if flag is not None:
        return parse_value(option, flag, f"the flag for {option.name!r}"), "flag"
    if option.name in _configured:
        return _configured[option.name], "%config"
    if text := os.environ.get(_VARIABLES[option.name]):
        return parse_value(option, text, f"the environment variable {option.env}"), "environment"
    if option.name in table.values:
        source = f"{option.name!r} of [tool.nbagent] in {table.path}"
        return parse_value(option, table.values[option.name], source), "pyproject.toml"
    return option.default, "default"


def _folder(start: Path | None) -> Path:
    return Path(os.path.abspath(start)) if start is not None else Path.cwd()  # noqa: PTH100 - resolve() would follow links


def _project_table(start: Path | None) -> _ProjectTable:
    """Find and read the nearest pyproject.toml; a file is parsed again only when it has changed."""
    begin = os.getcwd() if start is None else os.path.abspath(start)  # noqa: PTH100, PTH109 - as below
    looked = _looked.get()
    if looked is None:
        return _find_table(begin)
    if begin not in looked:
        looked[begin] = _find_table(begin)
    found: _ProjectTable = looked[begin]
    return found


def _find_table(begin: str) -> _ProjectTable:
    while True:
        path = os.path.join(begin, "pyproject.toml")  # noqa: PTH118 - pathlib here would triple the cost of every look
        try:
            seen = os.stat(path)  # noqa: PTH116 - the same
        except OSError:
            parent = os.path.dirname(begin)  # noqa: PTH120 - the same
            if parent == begin:
                return _ProjectTable(None, {})
            begin = parent
            continue
        return _read_table(path, seen.st_mtime_ns, seen.st_size)


@functools.lru_cache(maxsize=16)
def _read_table(path: str, _mtime_ns: int, _size: int) -> _ProjectTable:
    file = Path(path)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}", "repair the file, or remove it"
        ) from error
    tool = document.get("tool")
    table = tool.get("nbagent", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UnknownOptionError(
            f"'nbagent' of [tool] in {path} is {table!r}", "make it a table: [tool.nbagent]"
        )
    for name in table:
        if name not in OPTIONS:
            raise UnknownOptionError(
                f"no option {name!r}{did_you_mean(name, OPTIONS)}, found in [tool.nbagent] in {path}",
                f"options: {', '.join(OPTIONS)}",
            )
    return _ProjectTable(file, MappingProxyType(table))
