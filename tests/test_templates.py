"""Prompt templates over a notebook's names."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbagent.errors import TemplateError
from nbagent.prompts.rendering import MISSING
from nbagent.prompts.templates import is_template, render, variables_in


class Broken:
    def __str__(self) -> str:
        raise ValueError("boom")

    @property
    def price(self):
        raise KeyError("no price")


class BrokenError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def fails():
    raise BrokenError


NAMES = {
    "cities": ["Paris", "Rome"],
    "frame": pd.DataFrame({"a": [1, 2]}),
    "data": "{{ 1 + 1 }} {% raw %}",
    "broken": Broken(),
    "fails": fails,
    "info": {"x": 1, "items": 2},
    "_": 42,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("single {braces} and {x} stay", "single {braces} and {x} stay"),
        ("Facts about {{ cities | join(', ') }}.\n", "Facts about Paris, Rome.\n"),
        ("{{ info.x + 1 }} {{ info['items'] }} {{ _ }}", "2 2 42"),
        ("{{ frame }}", "DataFrame of 2 rows x 1 columns\na\n1\n2"),
        ("{{ frame.a.sum() }} {{ frame['a'] }}", "3 Series of 2 values\na\n1\n2"),
        ("{{ data }}", "{{ 1 + 1 }} {% raw %}"),
        ("{% raw %}{{ cities }}{% endraw %}", "{{ cities }}"),
        ("a{# not sent #}b", "ab"),
        ("{% for city in cities %}\n- {{ city }}\n{% endfor %}\nend", "- Paris\n- Rome\nend"),
        ("{{ len(cities) }} {{ sorted(cities)[0] }}", "2 Paris"),
        ("{{ '<b>' }}[{{ none }}]", "<b>[]"),
        ("{% if absent is defined %}x{% else %}y{% endif %}", "y"),
        ("{{ absent | default('-') }}", "-"),
    ],
)
def test_a_template_is_filled(template, text):
    """Double braces are expressions over the names, values are data, everything else stays as it is."""
    assert render(template, NAMES) == text


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.arange(1_536), json.dumps(list(range(1_536)))),
        (np.array([0.1234567890123, 1e-20]), "[0.1234567890123, 1e-20]"),
        (pd.Series(["a"] * 200, dtype="category").unique(), '["a"]'),
        (pd.Categorical(["a", None] * 100), json.dumps(["a", None] * 100)),
        (pd.Index([f"c{n}" for n in range(300)]), json.dumps([f"c{n}" for n in range(300)])),
    ],
    ids=["long", "digits", "unique", "categorical", "columns"],
)
def test_an_array_is_sent_whole(array, text):
    """A prompt holds every value of an array with every digit, where numpy and pandas show a few and dots."""
    assert render("{{ values }}", {"values": array}) == text


@pytest.mark.parametrize(
    ("template", "what", "todo"),
    [
        (
            "{{ citis }}",
            "'citis' is not defined (did you mean 'cities'?), used in {{ citis }}",
            "define it in a cell",
        ),
        ("{{ zzz.name }}", "'zzz' is not defined, used in {{ zzz.name }}", "define it"),
        ("{{ lem(cities) }}", "'lem' is not defined (did you mean 'len'?)", "define it"),
        ("{{ info.y }}", "{{ info.y }}: 'dict object' has no attribute 'y'", "correct the expression"),
        ("{{ cities[9] }}", "{{ cities[9] }}: list object has no element 9", "correct the expression"),
        ("a\nb {{ x", "line 2 of the template: unexpected end of template", "{% raw %}"),
        ("a\n\n{% for %}", "line 3 of the template: ", "{% raw %}"),
        ("{# open", "line 1 of the template: Missing end of comment tag", "{% raw %}"),
        ("{{ cities | joinn }}", "no filter 'joinn' (did you mean 'join'?)", "correct it"),
        ("{% if 1 is evenn %}{% endif %}", "no test 'evenn' (did you mean 'even'?)", "correct the expr"),
        ("{{ cities.__class__ }}", "'__class__' of 'list' object is unsafe", "compute it in a cell"),
        ("{{ cities.append(1) }}", "'append' of 'list' object is unsafe", "compute it in a cell"),
        ("{{ fails.__globals__ }}", "'__globals__'", "compute it in a cell"),
        ("one\ntwo {{ broken }}", "{{ broken }} failed: ValueError: boom", "the value it shows"),
        ("{{ broken.price }}", "{{ broken.price }} failed: KeyError: 'no price'", "the value it shows"),
        ("x\n{{ cities }}{{ broken }}", "line 2 of the template failed: ValueError: boom", "the value"),
        ("{{ fails() }}", "{{ fails() }} failed: BrokenError: (no text)", "the value"),
        ("{{ 1 / 0 }}", "{{ 1 / 0 }} failed: ZeroDivisionError", "correct"),
        ("{% include 'x' %}", "{% include 'x' %} failed", "correct"),
    ],
)
def test_a_template_that_fails_says_where_and_what_to_do(template, what, todo):
    """Every failure is one TemplateError of two parts, with the expression or its line."""
    with pytest.raises(TemplateError) as caught:
        render(template, NAMES)
    assert what in caught.value.what
    assert "\n" not in caught.value.what
    assert todo in caught.value.todo


def test_the_sandbox_leaves_values_unchanged():
    """A template reads; a list that a template tried to change is as it was."""
    with pytest.raises(TemplateError):
        render("{{ cities.clear() }}", NAMES)
    assert NAMES["cities"] == ["Paris", "Rome"]


SECRET = "sk-of-the-environment"  # noqa: S105 - a stand-in
REACHED = {
    "f": fails,
    "os": os,
    "environ": os.environ,
    "getenv": os.getenv,
    "pd": pd,
    "sys": sys,
    "string": string,
    "formatter": string.Formatter(),
    "Text": type("Text", (str,), {}),
    "broken": Broken(),
}


@pytest.mark.parametrize(
    "template",
    [
        "{{ str.format('{0.__globals__[os].environ[NBAGENT_SECRET]}', f) }}",
        "{{ str.format_map('{f.__globals__[os].environ[NBAGENT_SECRET]}', {'f': f}) }}",
        "{{ Text.format('{0.__globals__[os].environ[NBAGENT_SECRET]}', f) }}",
        "{{ '{0.__globals__[os].environ[NBAGENT_SECRET]}'.format(f) }}",
        "{{ ('{0.__glo' ~ 'bals__[os].environ[NBAGENT_SECRET]}').format(f) }}",
        "{{ ('{0.__globals__[os].environ[NBAGENT_SECRET]}' | attr('format'))(f) }}",
        "{{ sorted([f], key='{0.__globals__[os].environ[NBAGENT_SECRET]}'.format) }}",
        "{{ formatter.vformat('{0.__globals__[os].environ[NBAGENT_SECRET]}', [f], {}) }}",
        "{{ string.Formatter().format('{0.__globals__[os].environ[NBAGENT_SECRET]}', f) }}",
        "{{ f.__globals__['os'].environ['NBAGENT_SECRET'] }}",
        "{{ f | attr('__globals__') }}",
        "{{ broken.__init__.__globals__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ str.__init__.__globals__ }}",
        "{{ str.mro() }}",
        "{{ int.from_bytes(b'x') }}",
        "{{ lipsum.__globals__['os'].environ['NBAGENT_SECRET'] }}",
        "{{ cycler.__init__.__globals__.os.environ['NBAGENT_SECRET'] }}",
        "{{ self._TemplateReference__context }}",
        "{{ pd.io.common.os.environ['NBAGENT_SECRET'] }}",
        "{{ sys.modules['os'].environ['NBAGENT_SECRET'] }}",
        "{{ os.environ['NBAGENT_SECRET'] }}",
        "{{ os.getenv('NBAGENT_SECRET') }}",
        "{{ os | attr('environ') }}",
        "{{ environ['NBAGENT_SECRET'] }}",
        "{{ getenv('NBAGENT_SECRET') }}",
    ],
)
def test_no_template_reaches_an_environment_variable(template, monkeypatch):
    """The sandbox's known ways out are closed, also from modules and types that the notebook has imported."""
    monkeypatch.setenv("NBAGENT_SECRET", SECRET)
    with pytest.raises(TemplateError):
        render(template, REACHED)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ str(1) ~ int('3') ~ float(2) ~ list((1, 2)) }}", "132.0[1, 2]"),
        ("{{ dict(a=1) }} {{ zip([1], [2]) | list }} {{ range(3) | list }}", "{'a': 1} [(1, 2)] [0, 1, 2]"),
        ("{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns.x }}", "2"),
        ("{% set turn = cycler('a', 'b') %}{{ turn.next() }}{{ turn.next() }}", "ab"),
        ("{{ 'a{}'.format(1) }} {{ '%d' | format(2) }}", "a1 2"),
        ("{{ os.path.basename('/a/b') }} {{ pd.api.types.is_number(1) }}", "b True"),
    ],
)
def test_what_a_template_needs_of_python_is_there(template, text):
    """Types are called as before, and modules of the notebook give what is their own."""
    assert render(template, REACHED) == text


@given(st.text(), st.text())
def test_values_are_never_rendered_again(value, plain):
    """Whatever a value's text is, it comes out as that text."""
    assert render("{{ value }}", {"value": value}) == value
    if not is_template(plain):
        assert render(plain, {}) == plain


@given(
    st.lists(
        st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", " ", "x", "for", "in", "|", "(", "'", "\n"])
    )
)
def test_any_text_is_rendered_or_refused(parts):
    """A text is rendered, or it is a TemplateError: no other exception leaves."""
    try:
        text = render("".join(parts), {"x": 1})
    except TemplateError as error:
        text = str(error)
    assert isinstance(text, str)


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("plain {x}", set()),
        (
            "{{ a }} {{ len(b) }} {% for x in c %}{{ x }}{% endfor %}{% set d = e %}{{ d }}",
            {"a", "b", "c", "e"},
        ),
        ("{% raw %}{{ a }}{% endraw %}{# {{ b }} #}", set()),
    ],
)
def test_the_names_that_a_template_takes(template, names):
    """`variables_in` gives the names from outside, without loop variables and built-ins."""
    assert variables_in(template) == names


def test_a_plain_prompt_does_not_load_jinja2():
    """jinja2 is loaded with the first prompt that needs it."""
    code = (
        "import sys; from nbagent.prompts.templates import render; render('plain {x}', {}); print('jinja2' in sys.modules);"
        "render('{{ 1 }}', {}); print('jinja2' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ x | int }}", ""),
        ("{{ x | float }}", ""),
        ("{{ x | int(7) }}", "7"),
        ("{{ x | float(default=0.5) }}", "0.5"),
    ],
)
def test_no_number_is_made_of_a_missing_value(template, text):
    """A row's missing value is nothing as a number too, never 0, unless the template gives a default."""
    assert render(template, {"x": MISSING}) == text


@pytest.mark.parametrize(
    "expression",
    ["'a' * 10**10", "9 ** (9 ** 9)", "[0] * n * n", "n * 'ab'", "2 ** (n * n)", "10000000000 * ('x', 'y')"],
)
def test_a_product_that_no_machine_holds_is_refused(expression):
    """A template takes neither the memory nor the kernel with one multiplication; small ones work."""
    with pytest.raises(TemplateError, match="too large"):
        render(f"{{{{ {expression} }}}}", {"n": 10**9})
    assert (
        render("{{ '-' * 3 }} {{ 2 ** 10 }} {{ n * 2 }} {{ 1.5 * 2 }} {{ [1] * 2 }}", {"n": 4})
        == "--- 1024 8 3.0 [1, 1]"
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ x | first }}{{ x | last }}{{ x | min }}{{ x | max }}{{ x | random }}", ""),
        ("{{ x | filesizeformat }}{{ x | filesizeformat(true) }}", ""),
        ("{{ x | round }}{{ x | round(2) }}{{ int(x) }}{{ float(x) }}", ""),
        ("{{ '%d' | format(x) }} {{ '%5.1f%%' | format(x) }} {{ '%(n)d' | format(n=x) }}", " % "),
        ("{{ '%.1f' % x }} {{ '%d of %s, %d' % (x, 3, 4) }}", "  of 3, 4"),
        (
            "{{ '%s %d' | format('a', 2) }} {{ '%5.1f' % 2 }} {{ '%*d' % (4, 2) }} {{ 7 % 4 }}",
            "a 2   2.0    2 3",
        ),
        ("{{ 5 | filesizeformat }} {{ [3, 4] | max }} {{ 'abc' | first }} {{ int('3') }}", "5 Bytes 4 a 3"),
        ("{{ [{'a': 1}, {'a': 2}] | max(attribute='a') }}", "{'a': 2}"),
    ],
)
def test_filters_make_nothing_of_a_missing_value(template, text):
    """What picks from, counts in or formats a missing value gives nothing; of other values what it always gave."""
    assert render(template, {"x": MISSING}) == text


@pytest.mark.parametrize(
    "expression",
    [
        "'a'.ljust(n)",
        "'a'.rjust(width=n)" if sys.version_info >= (3, 14) else "'a'.rjust(n, '-')",
        "'a'.center(n)",
        "'7'.zfill(n)",
        "'a\tb'.expandtabs(tabsize=n)",
        "'a' | center(n)",
        "'a' | center(width=n)",
        "'a\nb' | indent(n)",
        "'%*d' % (n, 3)",
        "'%10000000000d' % 3",
        "'%.10000000000f' | format(3)",
        "'%*d' | format(n, 3)",
        "'{:>10000000000}'.format(3)",
        "'{:{w}}'.format(3, w=n)",
        "[1] | batch(n, 'x') | list",
        "[1] | slice(n) | list",
        "('a' * 9000000).replace('a', 'b' * 9000)",
    ],
)
def test_a_width_that_no_machine_holds_is_refused(expression):
    """A template takes no memory by padding, formatting or replacing; numbers that are no width may be as large."""
    with pytest.raises(TemplateError, match="too large"):
        render(f"{{{{ {expression} }}}}", {"n": 10**10})
    assert (
        render("{{ 'a'.ljust(n) }}|{{ 'a' | center(n) }}|{{ 'aa'.replace('a', 'b') }}", {"n": 3})
        == "a  | a |bb"
    )
    large = "{{ '%d people' % n }} {{ '{:,}'.format(n) }} {{ '%s' | format(n) }}"
    assert render(large, {"n": 10**10}) == "10000000000 people 10,000,000,000 10000000000"
