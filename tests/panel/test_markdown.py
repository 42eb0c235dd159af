"""Markdown as safe HTML: whatever a model writes, only a few harmless tags come out."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbagent.panel.card import code_colours, maths
from nbagent.panel.card.markdown import LIMIT, html_of
from nbagent.panel.card.markdown import TAGS as OWN_TAGS

TAGS = OWN_TAGS | maths.TAGS
ATTRIBUTES = {"href", "rel", "target", "style"} | maths.ATTRIBUTES

SIDES = {"text-align:left", "text-align:center", "text-align:right", *code_colours.STYLES}
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://elsewhere/pixel.png)",
    "[click](javascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](JaVaScRiPt&colon;alert(1))",
    "<svg onload=alert(1)><animate onbegin=alert(1)></svg>",
    "<style>*{display:none}</style>",
    "<div style='position:fixed;inset:0' id=main class=jp-Toolbar>over everything</div>",
    "<a href='vbscript:x' onmouseover='alert(1)'>x</a>",
    "<iframe src='//elsewhere'></iframe><form action='//elsewhere'><input name=x></form>",
    "```html\n<script>alert(1)</script>\n```",
    "```python\nx = '<img src=x onerror=alert(1)>' # </code></pre><script>alert(1)</script>\n```",
    '```py" style="color:red" onclick="alert(1)\nx = 1\n```',
    "[a]: javascript:alert(1)\n\n[a]",
    "<details open ontoggle=alert(1)>",
    "\x1b[31mred\x1b[0m \u202e gnp.exe",
)


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.styles: set[str] = set()

    def handle_data(self, data):
        self.text += data

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value for name, value in attrs if name == "href"]
        self.styles.update(value for name, value in attrs if name == "style")


def seen(text: str) -> Seen:
    found = Seen()
    found.feed(html_of(text) or "")
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_becomes_harmless(text):
    """No script, handler, style, picture, form or odd address comes through."""
    found = seen(text)
    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    assert found.styles <= SIDES
    assert all(link.startswith(("http:", "https:", "mailto:")) for link in found.links)


@given(st.text(alphabet=st.sampled_from("$\\(){}[]^_&<>/ax1 \n\"'=;"), max_size=200))
def test_no_formula_gets_a_tag_through_that_is_not_listed(text):
    """What holds for Markdown holds for what is or looks like mathematics."""
    found = seen(text)
    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    assert found.styles <= SIDES


@given(st.text(alphabet=st.sampled_from("<>/![]()`*_#|-:\n &;=\"'abimgsrcjv."), max_size=200))
def test_no_text_at_all_gets_a_tag_through_that_is_not_listed(text):
    """What holds for the corpus holds for noise."""
    found = seen(text)
    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    assert found.styles <= SIDES


def test_what_people_write_is_laid_out():
    """Headings, emphasis, lists, code and tables."""
    html = html_of("# A\n\n**b** `c`\n\n- d\n\n| e |\n|---|\n| f |\n\n[g](https://h.example)")
    assert html is not None
    for part in (
        "<h1>A</h1>",
        "<strong>b</strong>",
        "<code>c</code>",
        "<li>d</li>",
        "<td>f</td>",
        'rel="noopener',
    ):
        assert part in html


@pytest.mark.parametrize(("mark", "side"), [(":--", "left"), (":-:", "center"), ("--:", "right")])
def test_a_column_keeps_its_side(mark, side):
    """Numbers that were flush right in the answer are so in the card; no other style comes through."""
    found = seen(f"| n |\n|{mark}|\n| 7 |\n\n<p style='text-align:right;color:red'>x</p>")
    assert found.styles == {f"text-align:{side}"}


CODE = {
    "python": 'def f(a: int) -> str:\n    """Say."""\n\n    return f"<b>{a}&</b>"  # done\n',
    "sql": "select count(*) as n -- all\nfrom runs where status = 'error'\n",
    "JSON": '{"price": 3.5, "ok": true, "name": "Z\u00fcrich \u6771\u4eac"}\n',
    "bash": 'for f in *.csv; do\n\twc -l "$f" | sort # count\ndone\n',
    "html": "<p class='x'>a & b</p>\n<!-- no -->\n",
}


@pytest.mark.parametrize("language", CODE)
def test_code_has_colours_and_keeps_its_text(language):
    """A block whose language is named has styles of the page's own text colour; its text is what it was, for Copy."""
    html = html_of(f"Try:\n\n```{language}\n{CODE[language]}```\n")
    assert html is not None
    found = Seen()
    found.feed(html)
    assert len(found.styles) >= 2
    assert found.styles <= code_colours.STYLES
    assert found.text == f"Try:\n{CODE[language]}\n"


@pytest.mark.parametrize(
    "block",
    ["```\nx = 1\n```", "```brainfuck\n+++\n```", "    x = 1", f"```python\n{'x = 1 '* 2000}\n```", "```python\n" + " \n" * 300 + "x\n```"],
    ids=["no language", "one that is not listed", "indented", "very long", "made to hold up"],
)  # fmt: skip
def test_other_code_stays_plain(block):
    """No language is guessed, and no lexer is given what makes it slow."""
    assert "<span" not in (html_of(block) or "")


def test_nothing_and_very_long_texts_stay_plain():
    """A page is not held up by a book."""
    assert html_of(" \n") is None
    assert html_of("x" * (LIMIT + 1)) is None
