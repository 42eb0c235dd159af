"""Takes a field's value out of a text: "name: Ada", an e-mail address, an amount, a date.

Used by `schema_values.py` and `tool_arguments.py`; pure, any thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from nbagent.demo.names import stems, words_of
from nbagent.demo.schema_check import Schema, type_names

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_DATE: Final = re.compile(
    rf"\b(?P<iso>\d{{4}}-\d\d-\d\d)\b|\b{_MONTH}\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})\b"
    rf"|\b(?P<day2>\d{{1,2}})\s+(?P<month2>{_MONTH})\s+(?P<year2>\d{{4}})\b"
    rf"|\b(?P<month3>{_MONTH})\s+(?P<year3>\d{{4}})\b"
)
_PROPER: Final = re.compile(r"\b[A-Z][a-z]+(?:[ -](?:[A-Z][a-z]+|de|van|von))*\b")
_NOT_NAMES: Final = frozenset(
    "The This That What Who When Where Why How Which Extract Give Tell Write Please Name Find Get "
    "Classify Summarize Answer I It He She They We You Is Are Was My Use Call Show List Compare And "
    "Customer Invoice Order Text In On At For From Return Read".split()
)
# words of a field's name -> where such a thing stands in a text (the first group is the value)
_PLACES: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (stems("email mail"), r"([\w.+-]+@[\w-]+\.[\w.]*\w)"),
    (stems("url link website uri"), r"(https?://[^\s)>\"']+)"),
    (stems("phone telephon"), r"(\+?\d[\d ()/-]{6,}\d)"),
    (stems("age"), r"(?:aged?|is|am)\s+(\d{1,3})\b|(\d{1,3})[- ]years?[- ]old"),
    (stems("amount price total cost fee"), r"[$€£]\s?(\d[\d,]*(?:\.\d+)?)|(\d[\d,]*(?:\.\d+)?)\s?(?:USD|EUR|dollars|euros)"),
    (stems("year"), r"\b((?:1[5-9]|20)\d\d)\b"),
    (stems("company employer organization organisation"), r"(?:works? (?:at|for)|employed by|joined|at|from)\s+([A-Z][\w&]*(?: [A-Z][\w&]*)*)"),
    (stems("job occupation profession role"), r"(?:is|as) an? ([a-z]+(?: [a-z]+)?)\b(?= at| for| in|[.,]|$)"),
    (stems("name person author customer"), r"(?:[Mm]y name is|named|called|I am|I'm)\s+([A-Z][\w-]*(?: [A-Z][\w-]*)*)"),
)  # fmt: skip


def extract_field(name: str, schema: Schema, text: str) -> Iterator[Any]:
    """Give the values in a text that a field of this name might mean, best first."""
    words, kinds = set(words_of(name)), set(type_names(schema))
    if kinds & {"array", "object", "boolean"}:
        return
    if value := labelled(name, text):
        yield value
    if words & stems("date day birthday") or schema.get("format") == "date":
        yield from dates_in(text)
    for marks, pattern in _PLACES:
        if words & marks:
            for found in re.finditer(pattern, text):
                yield next(group for group in found.groups() if group)
    if words & stems("name person author customer") and "string" in kinds:
        yield from proper_names(text)
    if kinds & {"integer", "number"}:
        yield from _counted(words, text)


def labelled(name: str, text: str) -> str | None:
    """Give what a text says of a field in so many words: "quantity: 3", "city is Oslo"."""
    spoken = r"[\s_-]+".join(map(re.escape, re.findall(r"[A-Za-z0-9]+", name)))
    if not spoken:
        return None
    found = re.search(
        rf"\b{spoken}\b\s*(?::|=|\bis\b)\s*((?:[^,;\n?]|,(?=\d))+?)(?=,(?!\d)|[;\n]|[.](?:\s|$)|$)",
        text,
        re.I,
    )
    return found[1].strip(" \"'") if found and len(found[1]) <= 120 else None


def dates_in(text: str) -> list[str]:
    """Give the dates in a text as ISO dates, in order; a month alone means its first day."""
    dates = []
    for found in _DATE.finditer(text):
        if found["iso"]:
            dates.append(found["iso"])
            continue
        day = found["day"] or found["day2"] or "1"
        year = found["year"] or found["year2"] or found["year3"]
        month = next(i for i, m in enumerate(_MONTHS, 1) if re.search(rf"\b{m}", found[0], re.I))
        if 1 <= int(day) <= 31:
            dates.append(f"{year}-{month:02d}-{int(day):02d}")
    return dates


def proper_names(text: str) -> list[str]:
    """Give the capitalised names in a text; a lone first word of a sentence is none."""
    names = []
    for found in _PROPER.finditer(text):
        words = found[0].split()
        begins = not text[: found.start()].strip() or text[: found.start()].rstrip()[-1:] in ".?!:"
        goes_on = re.match(r"\s+[a-z]", text[found.end() :])
        while words and (words[0] in _NOT_NAMES or (begins and goes_on and len(words) == 1)):
            words.pop(0)
        if words:
            names.append(" ".join(words))
    return names


def _counted(words: set[str], text: str) -> Iterator[int | float]:
    """Give the number that stands before or after a field's word: "3 apples", "score of 7"."""
    for word in words:
        if len(word) < 3:
            continue
        number = r"(-?\d[\d,]*(?:\.\d+)?)"
        near = rf"{number}\s+{re.escape(word)}|\b{re.escape(word)}\w*\D{{1,12}}?{number}"
        for found in re.finditer(near, text, re.I):
            value = float((found[1] or found[2]).replace(",", ""))
            yield int(value) if value.is_integer() else value
