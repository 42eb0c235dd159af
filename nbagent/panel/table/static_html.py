"""The table of runs as static output: HTML for saved notebooks and viewers, text for a terminal. Pure.

The plain form is one constant line: nbval compares it, and all else differs from one execution to the next.
The HTML has no script, and everything in it is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from nbagent.core import format_seconds, format_usd, one_line, printable
from nbagent.panel.table.row import COLUMNS, TableRow
from nbagent.run import FINISHED

FIRST_LINE = "nbagent runs"
SHOWN = 50
TERMINAL_SHOWN = 30
_AT = {name: number for number, name in enumerate(COLUMNS)}
_SAYS_CHARS = 60


def html_of(lines: Sequence[TableRow], total: int, *, key: str) -> str:
    """Return the newest runs as an HTML table; `key` lets the live widget hide it."""
    shown = ordered(lines)[:SHOWN]
    head = "".join(f'<th style="text-align: left">{name}</th>' for name in _HEAD)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align: left">{escape(cell)}</td>' for cell in _cells(line))
        + "</tr>"
        for line in shown
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if shown else ""
    return (
        f'<div class="nbagent-snapshot {escape(key)}"><p><strong>runs</strong> · '
        f"{escape(totals_of(lines, total, len(shown)))}</p>{table}</div>"
    )


def terminal_text(lines: Sequence[TableRow], total: int) -> str:
    """Return the newest runs as a text table."""
    shown = ordered(lines)[:TERMINAL_SHOWN]
    rows = [_HEAD, *(tuple(_cells(line)) for line in shown)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD) - 1)]
    text = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    return printable(
        "\n".join([f"{FIRST_LINE}: {totals_of(lines, total, len(shown))}", *(text if shown else [])])
    )


def ordered(lines: Sequence[TableRow]) -> list[TableRow]:
    """Return the lines as the table shows them at first: what is unfinished, then the newest."""
    return sorted(lines, key=lambda line: (line[_AT["status"]] in FINISHED, -(line[_AT["created_ms"]] or 0)))


def totals_of(lines: Sequence[TableRow], total: int, shown: int) -> str:
    """Return how many runs there are, how many go on, and what they cost as far as it is known."""
    if not lines:
        return "none yet; launch one with %%agent_bg"
    running = sum(line[_AT["status"]] not in FINISHED for line in lines)
    called = [line for line in lines if line[_AT["priced"]] is not None]
    costs = [line[_AT["cost"]] for line in called if line[_AT["cost"]] is not None]
    tokens = [line[_AT["tokens"]] for line in lines if line[_AT["tokens"]] is not None]
    known = f" (cost known for {len(costs):,} of {len(called):,})" if len(costs) < len(called) else ""
    parts = [
        f"{running:,} running" if running else "",
        f"{max(total, len(lines)):,} run{'' if max(total, len(lines)) == 1 else 's'}",
        f"{sum(tokens):,} tokens" if tokens else "",
        f"{format_usd(sum(costs))}{known}" if costs else "",
        f"the newest {shown} are shown" if shown < max(total, len(lines)) else "",
    ]
    return " · ".join(filter(None, parts))


_HEAD = ("status", "run", "model", "tokens", "cost", "time", "launched", "answer")


def _cells(line: TableRow) -> list[str]:
    def at(name: str) -> Any:
        return line[_AT[name]]

    took = None if at("began_ms") is None or at("ended_ms") is None else at("ended_ms") - at("began_ms")
    unknown = "?" if at("status") in FINISHED else ""
    says = at("error") or at("says") or at("prompt")
    return [
        f"{at('status')} ({at('reason')})" if at("reason") else at("status"),
        at("title"),
        at("model"),
        unknown if at("tokens") is None else f"{at('tokens'):,}",
        format_usd(at("cost")) or unknown,
        "" if took is None else format_seconds(took / 1000),
        ""
        if at("created_ms") is None
        else f"{datetime.fromtimestamp(at('created_ms') / 1000, UTC):%Y-%m-%d %H:%M} UTC",
        one_line(says, _SAYS_CHARS),
    ]
