"""The options a person can set, as one table, and what their values must be. A new option is an entry of the table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbagent.errors import UnknownOptionError
from nbagent.settings.server_url import ServerUrl, is_server_url, server_url


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
PRICE_PARTS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")

_TABLE = (
    Option(
        name="model",
        type=str,
        default=None,
        optional=True,
        doc='The model, as "provider:name"; several with commas, the next for when one cannot answer.',
    ),
    Option(name="instructions", type=str, default="", doc="What an agent is told before every prompt."),
    Option(
        name="store",
        type=Path,
        default=None,
        optional=True,
        doc="The DuckDB file of the record, or postgresql://...; without it .nbagent/runs.duckdb in the project's folder.",
    ),
    Option(
        name="store_mode",
        type=str,
        default="private",
        choices=("private", "group"),
        doc="Who may use a record that is made from now on: private is its maker alone (0600), group its group (0660).",
    ),
    Option(
        name="mirror_messages",
        type=str,
        default="ask",
        choices=("ask", "keep"),
        doc="Messages of a record on Postgres: asked of the server for each query that names them, or kept in the mirror here.",
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
        name="max_message_bytes",
        type=int,
        default=16_000_000,
        optional=True,
        minimum=1000,
        doc="Bytes of one JSON body or event that a provider or an MCP server may send.",
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
        doc="What a launch does while its session has an unfinished run, in this kernel or in another.",
    ),
    Option(
        name="on_approval",
        type=str,
        default="wait",
        choices=("wait", "deny", "fail"),
        doc="What becomes of a tool call that needs a person's approval: wait for it, deny it, or fail the run; once "
        "approval_timeout is over, at once where there is none.",
    ),
    Option(
        name="approval_timeout",
        type=float,
        default=None,
        optional=True,
        minimum=0.001,
        doc="Seconds that a tool call waits for a person's approval; with on_approval wait the run then ends as timeout.",
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
        name="history_tokens",
        type=int,
        default=None,
        optional=True,
        minimum=0,
        doc="Tokens of its session's earlier runs that a run's model is shown, by an estimate (one for each four "
        "bytes): the latest runs that fit whole; none is all.",
    ),
    Option(
        name="on",
        type=str,
        default="kernel",
        choices=("kernel", "workers"),
        doc="Where a launch is worked on: in this kernel, or by workers of the record (on Postgres), which outlive it.",
    ),
    Option(
        name="traces",
        type=str,
        default="off",
        choices=("off", "on"),
        doc="Whether runs make OpenTelemetry spans, exported through your own set-up.",
    ),
    Option(
        name="remembered_bytes",
        type=int,
        default=64_000_000,
        minimum=0,
        doc="Memory for finished runs, about; the latest ones that fit are at hand, the others are read from the store again.",
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


def parse_value(option: Option, raw: object, source: str) -> Any:
    """Return `raw` in the option's type; `source` says in a message where it came from."""
    if option.optional and isinstance(raw, str) and raw.strip().lower() == "none":
        return None
    try:
        value = _typed(option, raw)
    except (ValueError, TypeError, OverflowError) as error:
        if is_server_url(raw):  # which may hold a password
            raise UnknownOptionError(
                f"{source} has an address that cannot be read: {error}",
                f"{option.name} takes {option.expected}",
            ) from None
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
        if not isinstance(raw, str if option.type is str else str | Path | ServerUrl):
            raise TypeError
        if option.choices and raw not in option.choices:
            raise ValueError
        if option.type is Path and is_server_url(raw):
            return server_url(str(raw)) if isinstance(raw, str) else raw
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
