"""A run as static output: HTML for saved notebooks and viewers, plain text for the rest. Pure.

The text/plain form is the same from launch to end and from one execution of a notebook to the next: no id, no
status, no time. nbval compares it and ignores the later updates of an output, so a form that told the status
would differ between the committed notebook (written at the end) and a fresh one (read at the launch). What
varies is in the HTML, which nbval compares too: cells that launch carry the tag `nbval-ignore-output`, cells
that wait show results of their own. The HTML reads well without styles, as GitHub shows it. Everything is
escaped.
"""

from __future__ import annotations

import hashlib
from html import escape

from nbagent.core import printable
from nbagent.panel.card.data import CardRow
from nbagent.panel.table.row import CACHED

FIRST_LINE = "nbagent run"
HTML_TEXT_LIMIT = 20_000


def key_of(run_id: str) -> str:
    """Return a CSS class for a run: how the live widget finds the snapshot that it stands in for."""
    return "nbagent-of-" + hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def plain_of(row: CardRow) -> str:
    """Return what never changes of a run, under a constant first line."""
    known = [("agent", row["agent"]), ("model", row["model"])]
    named = ", ".join(f"{name} {value!r}" for name, value in known if value)
    return f"{FIRST_LINE}\n{row['title']}" + (f": {named}" if named else "")


def line_of(row: CardRow) -> str:
    """Return a run in one line, for a terminal."""
    model = f" on {row['model']}" if row["model"] else ""
    return printable(
        f"nbagent run {row['title']!r}{model}: {row['status']}; get it with {row['code'].removesuffix('.content')}"
    )


def terminal_text(row: CardRow, text: str) -> str:
    """Return a run as a terminal shows it: status, text, error, cost."""
    waits = [f"{_waiter(one)}: {one['call']}" for one in row["approvals"]]
    parts = [f"{row['title']}: {_status(row)}", *waits, *row["error"], text.strip(), _facts_line(row)]
    return printable("\n".join(part for part in parts if part))


def timeless(row: CardRow) -> CardRow:
    """Return a row without what differs between two executions of a notebook: times, and an id to get it by.

    Also what it cost, and whether the answer came from an earlier run: with a cache the second execution pays
    nothing.
    """
    reason = row["reason"].removesuffix(CACHED).removesuffix(", ")
    code = "" if row["run_id"] in row["code"] else row["code"]
    return {**row, "took": "", "facts": [], "reason": reason, "code": code}


def answer_text(row: CardRow, text: str) -> str:
    """Return a finished run as text without times: names, status, error, answer."""
    row = timeless(row)
    return printable(
        "\n".join(part for part in (plain_of(row), _status(row), *row["error"], text.strip()) if part)
    )


def html_of(row: CardRow, text: str, *, key: str = "") -> str:
    """Return a run as a block of HTML without script; `key` lets a live widget hide it."""
    head = " · ".join(
        escape(part) for part in (_status(row), row["agent"], row["model"], _facts_line(row)) if part
    )
    parts = [
        f"<p><strong>{escape(row['title'])}</strong> · {head}</p>",
        f"<p><em>{escape(row['banner'])}</em></p>" if row["banner"] else "",
        *(f"<p>{escape(_waiter(one))}: <code>{escape(one['call'])}</code></p>" for one in row["approvals"]),
        *(f"<p>note: {escape(notice)}</p>" for notice in row["notices"]),
        "<p>" + "<br>".join(escape(line) for line in row["error"]) + "</p>" if row["error"] else "",
        _members(row),
        _tree(row["tree"]["kids"]) if row["form"] == "tree" else _table(row),
        _text(row, text),
        f"<p><code>{escape(row['code'])}</code></p>" if row["code"] else "",
    ]
    return f'<div class="nbagent-snapshot {escape(key)}">' + "".join(parts) + "</div>"


def _status(row: CardRow) -> str:
    return f"{row['status']} ({row['reason']})" if row["reason"] else str(row["status"])


def _waiter(approval: CardRow) -> str:
    return f"{approval['by']} waits for approval" if approval["by"] else "waits for approval"


def _facts_line(row: CardRow) -> str:
    took = [f"took {row['took']}"] if row["took"] else []
    return " · ".join([*took, *(f"{name} {value}" for name, value in row["facts"])])


def _members(row: CardRow) -> str:
    """Return the runs under it, a line each, indented by their depth."""
    lines = []
    for one in row["members"]:
        parts = [f"<strong>{escape(one['name'])}</strong>", escape(one["status"]), escape(one["tokens"])]
        lines.append("&emsp;" * one["depth"] + " · ".join(filter(None, parts)))
    return f"<p>{'<br>'.join(lines)}</p>" if lines else ""


def _text(row: CardRow, text: str) -> str:
    if not text.strip():
        return ""
    cut = text if len(text) <= HTML_TEXT_LIMIT else text[:HTML_TEXT_LIMIT] + "\n[the rest is in the store]"
    block = f'<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{escape(cut)}</pre>'
    return f"<details><summary>raw answer</summary>{block}</details>" if row["form"] else block


def _tree(nodes: list[CardRow]) -> str:
    """Return a structured answer in its own shape, as nested lists."""
    items = []
    for node in nodes:
        name = f"{escape(node['name'])}: " if node["name"] else ""
        inner = _tree(node["kids"]) if "kids" in node else escape(node["text"])
        items.append(f"<li>{name}{inner}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _table(row: CardRow) -> str:
    table = row["table"]
    if not table:
        return ""
    # Jupyter's own style sets every cell flush right
    ways = ["right" if numeric else "left" for numeric in table["numeric"]]

    def line(tag: str, cells: list[str]) -> str:
        aligned = zip(ways, cells, strict=True)
        return (
            "<tr>"
            + "".join(f'<{tag} style="text-align: {way}">{escape(cell)}</{tag}>' for way, cell in aligned)
            + "</tr>"
        )

    head = line("th", table["columns"])
    body = "".join(line("td", cells) for cells in table["cells"])
    more = f"<p>{escape(row['more'])}</p>" if row["more"] else ""
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{more}"
