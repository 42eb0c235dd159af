"""The table of runs as static output: HTML for saved notebooks and viewers, text for a terminal. Pure.

The plain form is one constant line: nbval compares it, and all else differs from one execution to the next.
The HTML has no script, and everything in it is escaped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from nbagent.core import format_seconds, format_usd, one_line, printable
from nbagent.panel.card.static_html import EDGES, LINE, block
from nbagent.panel.table.row import COLUMNS, TableRow
from nbagent.run import FINISHED

FIRST_LINE = "nbagent runs"
SHOWN = 50
TERMINAL_SHOWN = 30
_AT = {name: number for number, name in enumerate(COLUMNS)}
_SAYS_CHARS = 60
_BRANCH, _INDENT = "\u2514\u00a0", "\u2003"  # before a member's name
_NONE: Mapping[str, str] = {}


def html_of(
    lines: Sequence[TableRow],
    total: int,
    *,
    key: str,
    budgets: Sequence[str] = (),
    stale: Mapping[str, str] = _NONE,
) -> str:
    """Return the newest runs as an HTML table, those of a batch as one row; `key` lets the live widget hide it.

    `stale` is why runs are, by their ids.
    """
    folded = _folded(_members_below(ordered(lines)))
    shown = [
        _of_batch(group, {}) if group[0][_AT["batch"]] else _cells(group[0], stale)
        for group in folded[:SHOWN]
    ]
    totals = totals_of(lines, total, 0 if len(shown) == len(folded) else len(shown))
    totals = " · ".join([totals, *budgets])
    more = "" if not shown else f"<p {LINE}><small>live again: <code>%agent</code></small></p>"
    return block(
        f"<p {LINE}><strong>runs</strong> · {escape(totals)}</p>{_table(shown)}{more}",
        key=key,
    )


def batch_html(lines: Sequence[TableRow], state: Mapping[str, Any], *, key: str) -> str:
    """Return one batch as a row with its counts that opens to its rows, those that failed first."""
    batch = _of_batch(lines, state)
    failed_first = sorted(ordered(lines), key=lambda line: line[_AT["status"]] == "completed")
    shown = failed_first[:SHOWN]
    left = len(lines) - len(shown)
    more = f"<p {LINE}>and {left:,} more</p>" if left > 0 else ""
    rows = f"<details><summary>{len(lines):,} runs</summary>{_table([_cells(line) for line in shown])}{more}</details>"
    name = state.get("label") or state.get("batch_id") or "batch"
    again = f"nb.get({json.dumps(name, ensure_ascii=False)}).to_frame()"
    way = f"<p {LINE}><small>batch <code>{escape(str(state.get('batch_id', '')))}</code> · rows: <code>{escape(again)}</code></small></p>"
    return block(_table([batch]) + (rows if lines else "") + way, key=key, edge=_edge(lines, state))


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a table; numbers stand flush right."""
    if not rows:
        return ""
    looks = [("right" if name in _NUMBERS else "left", _WAYS.get(name, "")) for name in _HEAD]

    def line(tag: str, cells: Sequence[str]) -> str:
        made = (
            f'<{tag} style="text-align: {side}{way}">{escape(cell)}</{tag}>'
            for (side, way), cell in zip(looks, cells, strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line("td", row) for row in rows)
    # where a page is narrower still it scrolls sideways, for no word is broken
    return f'<div style="overflow-x: auto"><table><thead>{line("th", _HEAD)}</thead><tbody>{body}</tbody></table></div>'


def _members_below(lines: Sequence[TableRow]) -> list[TableRow]:
    """Return the lines with a team's members below it, marked; those whose leader is not there stay as they are."""
    here = {line[_AT["id"]] for line in lines}
    members: dict[str, list[TableRow]] = {}
    for line in reversed(lines):  # in launch order
        if line[_AT["parent"]] in here:
            members.setdefault(line[_AT["parent"]], []).append(line)
    placed: list[TableRow] = []

    def place(line: TableRow, depth: int) -> None:
        if depth:
            at = _AT["title"]
            line = (*line[:at], _INDENT * (depth - 1) + _BRANCH + line[at], *line[at + 1 :])
        placed.append(line)
        for member in members.pop(line[_AT["id"]], ()):
            place(member, depth + 1)

    for line in lines:
        if line[_AT["parent"]] not in here:
            place(line, 0)
    return placed


def _folded(lines: Sequence[TableRow]) -> list[list[TableRow]]:
    """Return groups of lines, each alone or with the others of its batch, in the place of its first."""
    found: dict[str, list[TableRow]] = {}
    for line in lines:
        found.setdefault(line[_AT["batch"]] or line[_AT["id"]], []).append(line)
    return list(found.values())


def _of_batch(lines: Sequence[TableRow], state: Mapping[str, Any]) -> list[str]:
    """Return a batch as one row of cells: its counts, what it cost, how long it took."""

    def at(name: str) -> list[Any]:
        return [line[_AT[name]] for line in lines if line[_AT[name]] is not None]

    counts = Counter(at("status")) or Counter(
        {"completed": state.get("done") or 0, "error": state.get("failed") or 0}
    )
    open_ = sum(count for status, count in counts.items() if status not in FINISHED)
    counts["not asked"] = state.get("not_asked") or 0
    rows = state.get("total") or sum(counts.values())
    tokens, costs, began, ended = at("tokens"), at("cost"), at("began_ms"), at("ended_ms")
    title = state.get("label") or (at("title") or ["batch"])[0]
    models = list(dict.fromkeys(at("model")))
    unknown = "" if open_ else "?"
    return [
        "running" if open_ or not state.get("finished", True) else "ended",
        f"{title}: {rows:,} row{'' if rows == 1 else 's'}",
        ", ".join(models[:2]),
        f"{sum(tokens):,}" if tokens else unknown,
        (format_usd(sum(costs)) if costs else "") or (unknown if False in at("priced") else ""),
        format_seconds((max(ended) - min(began)) / 1000) if began and ended else "",
        _launched(min(at("created_ms"), default=None)),
        ", ".join(f"{count:,} {name}" for name, count in counts.most_common() if count),
    ]


def _edge(lines: Sequence[TableRow], state: Mapping[str, Any]) -> str:
    statuses = {line[_AT["status"]] for line in lines}
    if statuses - FINISHED or not state.get("finished", True):
        return EDGES["running"]
    return EDGES["error"] if statuses & {"error", "timeout", "interrupted"} else EDGES["completed"]


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
    waiting = sum(line[_AT["status"]] == "paused" for line in lines)
    running = sum(line[_AT["status"]] not in FINISHED for line in lines) - waiting
    called = [line for line in lines if line[_AT["priced"]] is not None]
    costs = [line[_AT["cost"]] for line in called if line[_AT["cost"]] is not None]
    tokens = [line[_AT["tokens"]] for line in lines if line[_AT["tokens"]] is not None]
    known = f" (cost known for {len(costs):,} of {len(called):,})" if len(costs) < len(called) else ""
    parts = [
        f"{waiting:,} {'waits' if waiting == 1 else 'wait'} for you" if waiting else "",
        f"{running:,} running" if running else "",
        f"{max(total, len(lines)):,} run{'' if max(total, len(lines)) == 1 else 's'}",
        f"{sum(tokens):,} tokens" if tokens else "",
        f"{format_usd(sum(costs))}{known}" if costs else "",
        f"the newest {shown} are shown" if 0 < shown < max(total, len(lines)) else "",
    ]
    return " · ".join(filter(None, parts))


_HEAD = ("status", "run", "model", "tokens", "cost", "time", "launched", "answer")
_NUMBERS = frozenset({"tokens", "cost", "time"})
# a number keeps its unit, a day its month; JSON, which has no place to break, pushes nothing out of sight
_WAYS = dict.fromkeys(_NUMBERS, "; white-space: nowrap") | {
    "launched": "; min-width: 6.5em",
    "answer": "; min-width: 8em; overflow-wrap: anywhere",
}


def _cells(line: TableRow, stale: Mapping[str, str] = _NONE) -> list[str]:
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
        format_usd(at("cost")) or (unknown if at("priced") is False else ""),
        "" if took is None else format_seconds(took / 1000),
        _launched(at("created_ms")),
        " · ".join(filter(None, (_why_stale(line, stale), one_line(says, _SAYS_CHARS)))),
    ]


def _why_stale(line: TableRow, stale: Mapping[str, str]) -> str:
    """Say why an ended run is stale, if it is; one at work is not called so."""
    why = stale.get(line[_AT["id"]]) if line[_AT["status"]] in FINISHED else None
    return f"stale: {why}" if why else ""


def _launched(created_ms: int | None) -> str:
    return (
        "" if created_ms is None else f"{datetime.fromtimestamp(created_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    )
