"""The options a person can set, as one table, and where each value comes from.

Precedence: flag > `%config` > environment (`NBAGENT_*`) > `[tool.nbagent]` in the nearest pyproject.toml >
default. Called by everything that needs a default (agent, runtime, store, magics), on any thread; `kernel.py`
hands `%config` values over with `configure`. Environment, folder and file are looked at when a value is asked
for, so a change shows at the next launch.
"""

from __future__ import annotations

import functools
import json
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from nbagent.errors import ConfigurationError, UnknownOptionError, close_match

Origin = Literal["flag", "%config", "environment", "pyproject.toml", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: its `type`, what it is without being set, and the smallest value it takes.

    `optional` options take None, written `none` where only text can be written: no limit, or not set.
    """

    name: str
    type: type[str | int | float | Path | dict[str, Any]]
    default: Any
    doc: str
    optional: bool = False
    minimum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def env(self) -> str:
        """The environment variable of this option."""
        return f"NBAGENT_{self.name.upper()}"

    @property
    def expected(self) -> str:
        """What a value must be, in words for a message."""
        words = "one of " + ", ".join(map(repr, self.choices)) if self.choices else _WORDS[self.type]
        if self.minimum is not None:
            words += f" of at least {self.minimum:g}"
        return f"{words}, or none" if self.optional else words


_WORDS: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    dict: 'a table such as {"provider:model": {"input": 0.5, "output": 1.5}}, US dollars per million tokens',
}
PRICE_PARTS = ("input", "output", "cache_read", "cache_write")

_TABLE = (
    Option(name="model", type=str, default=None, optional=True, doc='The model, as "provider:name".'),
    Option(name="instructions", type=str, default="", doc="What an agent is told before every prompt."),
    Option(
        name="store",
        type=Path,
        default=None,
        optional=True,
        doc="The DuckDB file of the record; without it .nbagent/runs.duckdb in the project's folder.",
    ),
    Option(
        name="timeout",
        type=float,
        default=600.0,
        optional=True,
        minimum=0.001,
        doc="Seconds a run may work; waiting in the queue does not count.",
    ),
    Option(
        name="idle_timeout",
        type=float,
        default=120.0,
        optional=True,
        minimum=0.001,
        doc="Seconds of silence from a provider that end a model call.",
    ),
    Option(
        name="queue_timeout",
        type=float,
        default=None,
        optional=True,
        minimum=0.001,
        doc="Seconds a launched run may wait for its turn.",
    ),
    Option(
        name="tool_timeout",
        type=float,
        default=None,
        optional=True,
        minimum=0.001,
        doc="Seconds one call of a tool may take; @tool(timeout=) wins.",
    ),
    Option(name="max_concurrency", type=int, default=64, minimum=1, doc="Model calls under way at a time."),
    Option(
        name="max_concurrency_per_model",
        type=int,
        default=None,
        optional=True,
        minimum=1,
        doc="Model calls under way at a time for each model.",
    ),
    Option(
        name="requests_per_minute",
        type=int,
        default=None,
        optional=True,
        minimum=1,
        doc="Requests to each model in any minute; more wait.",
    ),
    Option(
        name="tokens_per_minute",
        type=int,
        default=None,
        optional=True,
        minimum=1,
        doc="Tokens of each model in any minute; more wait.",
    ),
    Option(
        name="max_steps", type=int, default=20, minimum=1, doc="Model calls a run may make, retries apart."
    ),
    Option(
        name="max_output_tokens",
        type=int,
        default=None,
        optional=True,
        minimum=1,
        doc="Tokens one answer may have.",
    ),
    Option(
        name="max_total_tokens",
        type=int,
        default=None,
        optional=True,
        minimum=1,
        doc="Tokens of input and output a whole run may use.",
    ),
    Option(
        name="max_cost",
        type=float,
        default=None,
        optional=True,
        minimum=0,
        doc="Dollars a whole run may cost.",
    ),
    Option(
        name="prices",
        type=dict,
        default={},
        doc=f'US dollars per million tokens by "provider:model", each a table of {", ".join(PRICE_PARTS)}.',
    ),
    Option(
        name="max_context_bytes",
        type=int,
        default=20_000_000,
        optional=True,
        minimum=1,
        doc="Bytes of files, tables and texts that may go with one prompt.",
    ),
    Option(
        name="output_retries",
        type=int,
        default=1,
        minimum=0,
        doc="Times an answer that does not fit its schema is sent back.",
    ),
    Option(
        name="model_retries",
        type=int,
        default=3,
        minimum=0,
        doc="Times a model call is tried again after a fault that may pass.",
    ),
    Option(
        name="cache",
        type=str,
        default="off",
        choices=("off", "use", "refresh", "replay"),
        doc="Whether a run is given the newest earlier answer to the same: off asks, use asks only where there is none, "
        "refresh asks and replaces it, replay never asks.",
    ),
    Option(
        name="on_busy",
        type=str,
        default="queue",
        choices=("queue", "reject", "parallel", "cancel"),
        doc="What a launch does while its session has an unfinished run.",
    ),
    Option(
        name="history_runs",
        type=int,
        default=None,
        optional=True,
        minimum=0,
        doc="Earlier runs of its session that a run's model is shown, the latest ones; none is all.",
    ),
    Option(
        name="traces",
        type=str,
        default="off",
        choices=("off", "on"),
        doc="Whether runs make OpenTelemetry spans, exported through your own set-up.",
    ),
    Option(
        name="refresh_s",
        type=float,
        default=0.1,
        minimum=0.02,
        doc="Seconds between two refreshes of a run card or the panel.",
    ),
)

OPTIONS: Mapping[str, Option] = MappingProxyType({option.name: option for option in _TABLE})
_VARIABLES = {option.name: option.env for option in _TABLE}

_configured: dict[str, Any] = {}
config: Mapping[str, Any] = MappingProxyType(_configured)  # what `%config` has set, for reading


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


def origin(name: str, flag: object = None, *, start: Path | None = None) -> Origin:
    """Say where the value that `get` returns comes from."""
    return _resolve(_option(name), flag, _project_table(start))[1]


def configure(name: str, value: object) -> None:
    """Set option `name` as `%config` does, checked at once; None takes the setting back."""
    option = _option(name)
    if value is None:
        _configured.pop(name, None)
    else:
        _configured[name] = _convert(option, value, f"%config NBAgent.{name}")


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder upwards that holds pyproject.toml, .git or .nbagent, else `start` itself."""
    begin = _folder(start)
    for folder in (begin, *begin.parents):
        if any((folder / mark).exists() for mark in ("pyproject.toml", ".git", ".nbagent")):
            return folder
    return begin


def store_path(start: Path | None = None, *, flag: str | Path | None = None) -> Path:
    """Return the absolute path of the record's DuckDB file; it need not exist, and nothing is created.

    A relative path in pyproject.toml starts at that file, any other at the current folder. A folder stands
    for `runs.duckdb` in it.
    """
    table = _project_table(start)
    path, where = _resolve(OPTIONS["store"], flag, table)
    if path is None:
        return project_root(start) / ".nbagent" / "runs.duckdb"
    base = table.path.parent if where == "pyproject.toml" and table.path else _folder(start)
    full = _normal(base, path)
    return full / "runs.duckdb" if full.is_dir() else full


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
            f"no option {name!r}{close_match(name, OPTIONS)}", f"options: {', '.join(OPTIONS)}"
        ) from None


def _resolve(option: Option, flag: object, table: _ProjectTable) -> tuple[Any, Origin]:
    if flag is not None:
        return _convert(option, flag, f"the flag for {option.name!r}"), "flag"
    if option.name in _configured:
        return _configured[option.name], "%config"
    if text := os.environ.get(_VARIABLES[option.name]):
        return _convert(option, text, f"the environment variable {option.env}"), "environment"
    if option.name in table.values:
        source = f"{option.name!r} of [tool.nbagent] in {table.path}"
        return _convert(option, table.values[option.name], source), "pyproject.toml"
    return option.default, "default"


def _convert(option: Option, raw: object, source: str) -> Any:
    """Return `raw` in the option's type; `source` says in a message where it came from."""
    if option.optional and isinstance(raw, str) and raw.strip().lower() == "none":
        return None
    try:
        value = _typed(option, raw)
    except (ValueError, TypeError, OverflowError):
        raise UnknownOptionError(
            f"{source} has the value {raw!r}", f"{option.name} takes {option.expected}"
        ) from None
    return value


def _typed(option: Option, raw: object) -> Any:
    if isinstance(raw, bool):  # True is an int in Python, and never meant as the number 1 here
        raise TypeError
    if option.type is dict:
        return _prices(raw)
    if option.type in {str, Path}:
        if not isinstance(raw, str if option.type is str else str | Path):
            raise TypeError
        if option.choices and raw not in option.choices:
            raise ValueError
        return Path(raw).expanduser() if option.type is Path else raw
    if not isinstance(raw, str | int | float):
        raise TypeError
    number = float(raw)
    if not math.isfinite(number) or (option.minimum is not None and number < option.minimum):
        raise ValueError
    if option.type is float:
        return number
    if number != int(number):
        raise ValueError
    return int(number)


def _prices(raw: object) -> dict[str, dict[str, float]]:
    """Return a price table as it is meant; a variable of the environment holds it as JSON."""
    if isinstance(raw, str):
        raw = json.loads(raw)
    if not isinstance(raw, Mapping):
        raise TypeError
    table: dict[str, dict[str, float]] = {}
    for model, parts in raw.items():
        named = isinstance(model, str) and all(model.partition(":"))
        if not named or not isinstance(parts, Mapping) or parts.keys() - set(PRICE_PARTS):
            raise ValueError
        if not {"input", "output"} <= parts.keys() or any(isinstance(one, bool) for one in parts.values()):
            raise ValueError
        prices = {str(part): float(price) for part, price in parts.items()}
        if not all(math.isfinite(price) and price >= 0 for price in prices.values()):
            raise ValueError
        table[str(model)] = prices
    return table


def _folder(start: Path | None) -> Path:
    return Path(os.path.abspath(start)) if start is not None else Path.cwd()  # noqa: PTH100 - resolve() would follow links


def _project_table(start: Path | None) -> _ProjectTable:
    """Find and read the nearest pyproject.toml; a file is parsed again only when it has changed."""
    begin = str(_folder(start))
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
                f"no option {name!r}{close_match(name, OPTIONS)}, found in [tool.nbagent] in {path}",
                f"options: {', '.join(OPTIONS)}",
            )
    return _ProjectTable(file, MappingProxyType(table))
