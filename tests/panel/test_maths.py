"""Mathematics in an answer: MathML where delimiters are sure, money stays money, what cannot be read stays as it came."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nbagent.panel.card.markdown import html_of
from nbagent.panel.card.maths import looks_like_formula

MONEY = (
    "It costs $5 to $10.",
    "$5 to $10",
    "between $20,000 (US$ 3) and $40,000",
    "price $5, or 10$ there",
    "$5 = five, $6 = six",
    "US$5 and A$7",
    "$HOME and $PATH, or ${HOME}/$USER",
    "I paid $x dollars and $y cents",
    "$1.50/kg, $2-$3, $4+$5",
    "a $$ b, and $$$",
    "$ 5 and 6 $",
    "\\$5 and \\$6",
    "the $-sign and the $_ variable",
    "$100 <= income < $200",
)
FORMULAS = {
    "$x$": "<mi>x</mi>",
    "$n+1$": "<mo>+</mo>",
    "Euler: $e^{i\\pi} + 1 = 0$.": "<mi>π</mi>",
    "\\(a_1 + b\\)": "<msub>",
    "so \\[ \\frac{a}{b} \\] holds": "<mfrac>",
    "$$E = mc^2$$": 'display="block"',
    "$$\nE = mc^2\n$$": 'display="block"',
    "text\n\n\\[\nx = 1\n\n- y\n\\]\n\nmore": 'display="block"',
    "- item $x_1$": "<msub>",
    "> quoted $x_1$": "<msub>",
    "**$x_1$**": "<strong><math>",
    "| a |\n|---|\n| $x_1$ |": "<td",
    "$a*b*c = d$": "\u2217</mo>",
    "$f(x)$ and $g(x, y)$": "<mi>f</mi>",
    "$$\\begin{aligned}a&=b\\\\c&=d\\end{aligned}$$": 'style="text-align:right"',
    "$\\text{if the sum is } x > 1$": "<mtext>",
    "$a$ is up, and it costs $5": "<mi>a</mi>",
}
BROKEN = (
    "$\\foo{x}$",
    "$$\\frac{a}$$",
    "\\(\\left( x\\)",
    "$x_{1$",
    "$\\newcommand{\\x}{\\x\\x}\\x$",
    "\\[\\ce{H2O}\\]",
)


@pytest.mark.parametrize("text", MONEY)
def test_money_and_shells_are_no_mathematics(text):
    """Dollar signs of prices and variables stay text, whatever stands between two of them."""
    html = html_of(text)
    assert "<math" not in html
    assert "<code>" not in html


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_laid_out(text):
    """Every pair of delimiters that models write, in prose, lists, quotes and tables."""
    html = html_of(text)
    assert html.count("<math") >= 1
    assert FORMULAS[text] in html
    if "it costs" in text:
        assert "$5" in html


@pytest.mark.parametrize("source", BROKEN)
def test_what_the_converter_does_not_take_is_shown_as_it_came(source):
    """Its source stands there as code, delimiters and all; the text around it is laid out."""
    html = html_of(f"before {source} **after**")
    assert "<math" not in html
    shown = re.sub(r"<[^>]+>", "", html).replace("&amp;", "&")
    assert source in shown
    assert "<strong>after</strong>" in html


@pytest.mark.parametrize(
    "text",
    [
        "`$x^2$`",
        "```\n$x^2$ \\(y\\)\n```",
        "    $x^2$",
        "\\(see the note below\\)",
        "\\[not a link here\\](x)",
    ],
)
def test_code_and_escaped_brackets_are_no_mathematics(text):
    """What Markdown shows as it is, it shows as it is."""
    assert "<math" not in html_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "$\\text{<script>alert(1)</script>}$",
        "$$\\href{javascript:alert(1)}{x}$$",
        "\\(\\style{background:url(//elsewhere)}{x}\\)",
        "$\\color{red}x$",
        "$<img src=x onerror=alert(1)>_1$",
        "$$<annotation-xml encoding='text/html'><img src=x onerror=alert(1)></annotation-xml>$$",
    ],
)
def test_a_hostile_formula_is_harmless(text):
    """No tag, address or style of its own comes through."""
    html = html_of(text)
    assert not re.search(
        r"<(script|img|a|annotation)|javascript:[^<]*\"|style=\"(?!text-align)|onerror=[^&]*\"", html
    )


def test_several_threads_lay_out_at_once():
    """A card is laid out by the updater and by the cell that ends, at the same time: both get the formula."""
    text = "\n\n".join(f"$x_{{{n}}} = \\frac{{{n}}}{{2}}$" for n in range(40))
    begin = threading.Barrier(8)

    def lay_out(_: int) -> str:
        begin.wait(60)
        return html_of(text)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lay_out, range(8)))
    assert {html.count("<math>") for html in found} == {40}


def test_many_dollar_signs_take_no_longer_than_many_letters():
    """Text that begins a formula at every other place is read in a time that grows as the text does."""

    def seconds(count: int) -> float:
        text = "$a \\(b $$c " * count
        best = []
        for _ in range(3):
            began = time.perf_counter()
            html_of(text)
            best.append(time.perf_counter() - began)
        return min(best)

    assert seconds(4_000) < 40 * seconds(400)


@pytest.mark.parametrize(("text", "is_formula"), [("x", True), ("x'", True), ("5", False), ("5 apples", False), ("the end of it", False), ("a+b", True), ("2 + 3", False), ("x = 5", True), ("HOME", False)])  # fmt: skip
def test_what_looks_like_a_formula(text, is_formula):
    """A letter, or something with an operator; neither words nor numbers alone."""
    assert looks_like_formula(text) is is_formula
