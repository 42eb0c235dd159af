"""Secrets and addresses are taken out of texts, however long and odd the texts are: `nbagent.core`."""

import contextlib

import pytest

from nbagent.core import masked_urls
from nbagent.models.transport.error_body import redact
from nbagent.schemas import InvalidOutputError
from nbagent.schemas.extract_json import json_values

LONG = 5_000_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://ann:pw@host/v1: refused", "at https://host/v1: refused"),
        ("redis://:pw@host:6379/0 and http://host/a?key=1", "redis://host:6379/0 and http://host/a"),
        ("nothing://here 'ftp://b:c@d/e'", "nothing://here 'ftp://d/e'"),
        ("://a@b and 1://c@d", "://a@b and 1://c@d"),
    ],
)
def test_an_address_loses_user_and_query(text: str, shown: str) -> None:
    """What is before the host and what is after the path is nobody's business; the rest of the text stays."""
    assert masked_urls(text) == shown


@pytest.mark.parametrize("unit", ["y", "a:/", "a.b-c+", "://", "\u00e9", " "])
def test_a_text_of_megabytes_is_masked_in_linear_time(unit: str) -> None:
    """A tool's error may be as long as it likes: whoever masks it holds Python's lock, and with it all runs."""
    text = unit * (LONG // len(unit))
    assert masked_urls(text) == text


@pytest.mark.parametrize("unit", ["a", "1", "a.b-", "*"])
def test_keys_are_found_in_long_words_in_linear_time(unit: str) -> None:
    """A word of megabytes is looked at once, not once from each of its letters."""
    text = unit * (LONG // len(unit))
    assert redact(text, None) == ("[key]" if unit == "*" else text)
    assert redact("key abc***xyz, sk-abcdefghij", None) == "key [key], [key]"


@pytest.mark.parametrize("text", ["{" * 300_000, "{ {x " * 100_000, "```" + " " * LONG, "[x " * 300_000])
def test_json_is_looked_for_in_linear_time(text: str) -> None:
    """A model that repeats a bracket or a space gives no value, and holds nobody up."""
    values: list[object] = []
    with contextlib.suppress(InvalidOutputError):
        values += json_values(text, bare_text=False)
    assert values == []
