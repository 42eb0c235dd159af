"""A whole answer's Markdown as safe HTML. Pure; the libraries are imported at the first use.

The one place where model output becomes markup: markdown-it-py writes no raw HTML, and nh3 (ammonia) then
keeps only the tags listed here, without styles (but for the side that a table's column is flush with and the
colours of code), classes, ids, pictures or addresses other than http, https and mailto.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from nbagent.panel.card import code_colours, maths

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LIMIT = 60_000  # a longer text stays plain: laying it out would hold the page up
TAGS = frozenset(
    "p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code span em strong s a table thead tbody tr th td".split()
)


_SIDE = re.compile(r"text-align: ?(left|center|right)(?:;|$)")


def lay_out(row: dict[str, Any], text: str) -> None:
    """Put a row's answer in `html` where it is whole and no table or tree: what was cut off stays as it came."""
    if row["status"] == "completed" and not row["form"]:
        row["html"] = html_of(text)


def html_of(text: str) -> str | None:
    """Return Markdown as sanitised HTML; None for what stays plain: nothing, or a very long text."""
    if not text.strip() or len(text) > LIMIT:
        return None
    import nh3

    return nh3.clean(
        _parser().render(text),
        tags=set(TAGS | maths.TAGS),
        attributes={
            "a": {"href"},
            "th": {"style"},
            "td": {"style"},
            "span": {"style"},
            **{tag: set(maths.ATTRIBUTES) for tag in maths.TAGS},
            "mtd": {"style"},
        },
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """Return what an attribute may hold; of styles nothing but the side of a column and the colours of code."""
    if attribute != "style":
        return value
    if tag == "span":
        return value if value in code_colours.STYLES else None
    side = _SIDE.match(value)
    return f"text-align:{side[1]}" if side else None


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # deep nesting is bounded by the preset; what follows a picture's address is never fetched
    options = {"html": False, "highlight": code_colours.coloured}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("image")
    maths.add_maths(parser)
    return parser
