"""Text for reading: one line, cut, money, durations and sizes; a line said to the person."""

from __future__ import annotations

import pytest

from nbagent.core import (
    format_bytes,
    format_seconds,
    format_usd,
    last_line,
    one_line,
    say,
    truncate,
    truncate_end,
    utf8_safe,
)


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("a\n b\tc", 10, "a b c"),
        ("abcdef", 4, "abc…"),
        ("abcd", 4, "abcd"),
        ("", 4, ""),
        ("half \ud83d", 10, "half ?"),
        ("é" * 9, 5, "éééé…"),
    ],
)
def test_one_line_is_at_most_its_limit(text, limit, line):
    """White space is one blank, what is too long ends in an ellipsis, half of a surrogate pair is a question mark."""
    assert one_line(text, limit) == line


@pytest.mark.parametrize(("text", "line"), [("a b", "a b"), ("abcdefgh", "…efgh"), ("a\n" * 9, "… a a")])
def test_last_line_is_the_end_of_a_text(text, line):
    """What is being written shows its end."""
    assert last_line(text, 5) == line


@pytest.mark.parametrize(("size", "limit"), [(10, 200), (10_000, 200), (10_000, 20)])
def test_a_truncated_text_keeps_to_its_limit(size, limit):
    """Beginning and end stay, with a note between where there is room for it."""
    text = truncate("x" * size, limit)
    assert len(text) <= limit
    assert ("left out" in text) == (size > limit > 100)


def test_a_text_cut_at_its_end_says_how_long_it_is():
    """The note says where the rest is."""
    assert truncate_end("abc", 3) == "abc"
    assert truncate_end("abcd", 3, "; see x") == "abc… (4 characters; see x)"


@pytest.mark.parametrize(
    ("text", "safe"), [("é\ud83d", "é?"), ("plain", "plain"), ("\ud83d\ude00", "??"), ("😀", "😀")]
)
def test_any_text_can_be_sent(text, safe):
    """Half of a surrogate pair is a question mark."""
    assert utf8_safe(text) == safe


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (812, "812 B"), (48_200, "48 KB"), (999_999, "1.0 MB"), (1_530_000, "1.5 MB")],
)
def test_sizes_have_a_unit(size, text):
    """Bytes, then thousands of them, then millions."""
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, ""),
        (0, "$0"),
        (0.5, "$0.50"),
        (1234.5, "$1,234.50"),
        (0.00123, "$0.0012"),
        (0.0000012, "$1.2e-06"),
    ],
)
def test_money_keeps_digits_that_mean_something(dollars, text):
    """Small costs are not rounded to nothing."""
    assert format_usd(dollars) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.5, "0.50 s"), (59.6, "60 s"), (61, "1 min 01 s"), (3_725, "1 h 02 min")],
)
def test_durations_read_as_people_say_them(value, text):
    """Seconds, then minutes, then hours."""
    assert format_seconds(value) == text


def test_a_line_is_said_on_the_error_stream_of_a_script(capsys):
    """A script's output stays its own."""
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
