"""A run as static output: HTML for saved notebooks and viewers, plain text for the rest. Pure.

The text/plain form is the same from launch to end and from one execution of a notebook to the next: no id, no
status, no time. nbval compares it and ignores the later updates of an output, so a form that told the status
would differ between the committed notebook (written at the end) and a fresh one (read at the launch). What
varies is in the HTML, which nbval compares too: cells that launch carry the tag `nbval-ignore-output`, cells
that wait show results of their own.

The HTML is complete and needs no script. It reads well where styles are taken out, as GitHub does; where they
are kept it has the card's look, in styles of its elements alone, whose colours fit light and dark pages. Front
ends set mathematics between dollar signs in what is shown: the classes of `UNTOUCHED` keep them away from
prices. Everything is escaped, but for `row["html"]`, which `markdown.py` has sanitised.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from html import escape

from nbagent.core import printable
from nbagent.panel.card.data import DEMO_BANNER, TEXT_LIMIT, CardRow
from nbagent.panel.table.row import CACHED

FIRST_LINE = "nbagent run"
HTML_TEXT_LIMIT = TEXT_LIMIT  # as much as the live card holds
UNTOUCHED = "tex2jax_ignore mathjax_ignore"
EDGES = {
    "completed": "#2e9e5b",
    "error": "#d64545",
    "timeout": "#d64545",
    "interrupted": "#d64545",
    "running": "#2f7fd6",
    "paused": "#c98a00",
}
# JupyterLab breaks the words of a <pre>, and everything else takes its page's fonts
_WRAP = "white-space: pre-wrap; word-break: normal; overflow-wrap: break-word"
_UNBROKEN = 60
LINE = 'style="margin: 4px 0"'


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
    banner = DEMO_BANNER if row["banner"] else ""  # what it says to type depends on the keys that are set
    return {**row, "banner": banner, "run_id": "", "took": "", "facts": [], "reason": reason, "code": code}


def answer_text(row: CardRow, text: str) -> str:
    """Return a finished run as text without times: names, status, error, answer."""
    row = timeless(row)
    return printable(
        "\n".join(part for part in (plain_of(row), _status(row), *row["error"], text.strip()) if part)
    )


def html_of(row: CardRow, text: str, *, key: str = "") -> str:
    """Return a run as a block of HTML without script; `key` lets a live widget hide it."""
    names = [f"<strong>{escape(row['title'])}</strong>"]
    names += [escape(part) for part in (_status(row), row["agent"], row["model"]) if part]
    facts = _facts_line(row)
    parts = [
        f"<p {LINE}>{' · '.join(names)}</p>",
        f"<p {LINE}><small>{escape(facts)}</small></p>" if facts else "",
        _banner(row["banner"]),
        _lines([escape(row["waiting"])] if row["waiting"] and not row["approvals"] else []),
        *(
            _lines([f"{escape(_waiter(one))}: <code>{escape(one['call'])}</code>"])
            for one in row["approvals"]
        ),
        _lines(
            [f"runs without asking: <code>{escape(', '.join(row['always']))}</code>"] if row["always"] else []
        ),
        *(_lines([f"note: {escape(notice)}"]) for notice in row["notices"]),
        _lines(
            [f"<strong>{escape(line)}</strong>" for line in row["error"][:1]]
            + list(map(escape, row["error"][1:]))
        ),
        _members(row),
        _tree(row["tree"]["kids"]) if row["form"] == "tree" else _table(row),
        _text(row, text),
        _lines([escape(call) for call in row["calls"]] + ([escape(row["called"])] if row["called"] else [])),
        _way_back(row),
    ]
    return block("".join(parts), key=key, edge=EDGES.get(row["status"], "#808080"))


def block(inner: str, *, key: str, edge: str = "#808080") -> str:
    """Return HTML as a block that looks like a card where styles are kept."""
    look = (
        f"border: 1px solid rgba(128, 128, 128, 0.35); border-left: 4px solid {edge}; border-radius: 4px; "
        "padding: 4px 12px; max-width: 960px; word-break: normal; overflow-wrap: break-word"
    )
    return f'<div class="nbagent-snapshot {escape(key)} {UNTOUCHED}" style="{look}">{inner}</div>'


def _lines(lines: list[str]) -> str:
    """Return lines of HTML as a paragraph."""
    return f"<p {LINE}>{'<br>'.join(lines)}</p>" if lines else ""


def _banner(text: str) -> str:
    """Return the demo's mark; what is to be typed stands as code."""
    mark, *lines = text.split("\n")
    return _lines(
        [f"<em>{escape(mark)}</em>", *(f"<code>{escape(line)}</code>" for line in lines)] if mark else []
    )


def _way_back(row: CardRow) -> str:
    """Return the line that names the run and says how it is opened again, once its card is a part of a file."""
    run_id, code = row["run_id"], row["code"]
    parts = [f"run {_code(run_id)}"] if run_id and run_id not in code else []
    if code:
        parts.append(f"answer: {_code(code)}")
    if run_id:
        name = run_id if run_id in code else row["title"]
        parts.append(f"open: {_code(f'%agent show {shlex.quote(name)}')}")
    return f"<p {LINE}><small>{' · '.join(parts)}</small></p>" if parts else ""


def _code(text: str) -> str:
    """Return what can be copied as it is; a line ends before it, not at an id's hyphens."""
    return (
        f'<code style="white-space: nowrap">{escape(text)}</code>'
        if len(text) < _UNBROKEN
        else f"<code>{escape(text)}</code>"
    )


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
    return _lines(lines)


def _text(row: CardRow, text: str) -> str:
    """Return the answer: laid out where it is whole, else as it came, its line ends kept without styles too."""
    if row["html"] and not row["form"]:
        # what was laid out is sanitised and holds no attributes: a style is put on each block of code
        return re.sub(r"<(pre|td|th)>", _styled, str(row["html"]))
    if not text.strip():
        return ""
    cut = text if len(text) <= HTML_TEXT_LIMIT else text[:HTML_TEXT_LIMIT] + "\n[the rest is in the record]"
    if row["form"]:
        block = f'<pre style="{_WRAP}">{escape(cut)}</pre>'
        return f"<details><summary>raw answer</summary>{block}</details>"
    lines = escape(cut.strip("\n")).replace("\r\n", "\n").replace("\n", "<br>")
    return f'<p style="margin: 4px 0; {_WRAP}">{lines}</p>'


def _styled(tag: re.Match[str]) -> str:
    return f'<{tag[1]} style="{_WRAP if tag[1] == "pre" else "text-align: left"}">'


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
