"""Known values for the fields of a schema: facts, tool results, and the prompt's own text.

`KnownValues` is the `Source` of `schema_fill.py`, made by `brain.py` for one turn; pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from nbagent.demo.arithmetic import evaluate, find_expression
from nbagent.demo.conversation import ToolResult
from nbagent.demo.extraction import extract_field, proper_names
from nbagent.demo.facts import city_fields, country_fields, find_fact, names_of
from nbagent.demo.names import lookup, snake, stems, words_of
from nbagent.demo.prose import (
    NO_TOPIC,
    classify,
    mood_words,
    prompt_labels,
    sentiment_score,
    summarize,
    topic_of,
)
from nbagent.demo.questions import sentences
from nbagent.demo.recall import shown
from nbagent.demo.schema_check import Schema, type_names

Subject = dict[str, Any]

# fields that say nothing about what an object is about
_GENERIC: Final = frozenset(
    "summary description answer text title value unit name result content facts fact".split()
)
_LABEL_FIELDS: Final = stems(
    "sentiment label category class classification polarity mood kind type topic tone intent"
)
_MOOD_FIELDS: Final = stems("sentiment label polarity mood tone")
_TEXT_FIELDS: Final = stems(
    "answer response reply text summary description content message explanation reason reasoning "
    "rationale result output statement conclusion comment analysis report body story essay "
    "justification details note final"
)
_SURE_FIELDS: Final = stems("confidence probability certainty likelihood relevance")


class KnownValues:
    """Values known in one turn: `answer` is the text answer (None: not known), `results` the tools'."""

    def __init__(self, prompt: str, answer: str | None, results: tuple[ToolResult, ...]) -> None:
        self._prompt = prompt
        self._text = quoted_text(prompt)
        self._answer = answer or "The demo model does not know this."
        self._points = sentences(answer)[:5] if answer else []
        self._records = [r for result in results if not result.failed for r in records_of(result)]
        self._groups = [group for group in (self._records, *_fact_groups(prompt)) if group]

    def subject(self, names: Iterable[str], inherited: Subject | None) -> Subject | None:
        """Choose the known thing that answers most of an object's fields."""
        names = list(names)
        best, best_score = inherited, 1.0 if inherited is None else _score(names, inherited) + 0.1
        for group in self._groups:
            score = _score(names, group[0])
            if score >= best_score and (score > best_score or best is None):
                best, best_score = group[0], score
        return best

    def subjects(self, name: str, names: Iterable[str], within: Subject | None) -> list[Subject]:
        """Choose the known things that a list of objects is about: nested records first."""
        names = list(names)
        nested = lookup(within, name) if within else None
        if nested is None:
            nested = next((v for r in self._records if (v := lookup(r, name)) is not None), None)
        if isinstance(nested, list) and nested and all(isinstance(item, dict) for item in nested):
            return nested
        scored = [(_score(names, group[0]), group) for group in self._groups]
        score, group = max(scored, key=lambda pair: pair[0], default=(0.0, []))
        return group if score >= 0.25 else []

    def candidates(self, name: str, schema: Schema, subject: Subject | None) -> Iterator[Any]:
        """Give the values that might fit a field, best first; the filler checks each."""
        if subject is not None and (value := lookup(subject, name)) is not None:
            yield value
        if name and (lone := self._lone_record_value(name)) is not None:
            yield lone
        yield from self._judged(name, schema)
        if name:
            yield from extract_field(name, schema, self._text)
            yield from self._listed(name, schema)
        yield from self._said(name, schema, subject)
        if "default" in schema and schema["default"] is not None:
            yield schema["default"]
        yield from schema.get("examples", ())

    def entries(self, name: str) -> dict[str, Any]:
        """Give the entries of a map: one for each record, keyed by what the record is about."""
        entries: dict[str, Any] = {}
        for group in self._groups:
            for record in group:
                key = next((str(v) for v in record.values() if isinstance(v, str)), None)
                value = lookup(record, re.sub(r"(ies|s)(_by_\w+)?$", "", name)) or next(
                    (v for v in record.values() if isinstance(v, int | float)), None
                )
                if key is not None and value is not None:
                    entries[key] = value
            if entries:
                break
        return entries

    def _lone_record_value(self, name: str) -> Any:
        for record in self._records:
            if (value := lookup(record, name)) is not None and not isinstance(value, dict):
                return value
        return None

    def _judged(self, name: str, schema: Schema) -> Iterator[Any]:
        """Judge the prompt's text: a label out of several, a score, a yes or no."""
        words, kinds = set(words_of(name)), type_names(schema)
        labels = [option for option in schema.get("enum", ()) if isinstance(option, str)]
        if labels:
            named = [la for la in labels if re.search(rf"\b{re.escape(la)}\b", self._text, re.I)]
            yield from (la for la in (classify(self._text, labels), *named) if la is not None)
        elif words & _LABEL_FIELDS and "string" in kinds:
            labels = prompt_labels(self._prompt)
            if not labels and words & _MOOD_FIELDS:
                labels = ["positive", "negative", "neutral"]
            if labels and (label := classify(self._text, labels)) is not None:
                yield label
        if "boolean" in kinds and words & stems("positive negative"):
            yield (sentiment_score(self._text) > 0) == ("positiv" in words)
        if {"number", "integer"} & set(kinds):
            yield from self._scored(words, schema)

    def _scored(self, words: set[str], schema: Schema) -> Iterator[float]:
        if words & _SURE_FIELDS:
            yield 0.9
        if words & stems("score sentiment polarity rating stars grade"):
            low, high = schema.get("minimum", -1), schema.get("maximum")
            high = (5 if words & stems("rating stars") else 1) if high is None else high
            low = 1 if low == -1 and high > 1 else low
            value = low + (sentiment_score(self._text) + 1) / 2 * (high - low)
            yield round(value) if "integer" in type_names(schema) else round(value, 2)
        expression = find_expression(self._prompt)
        if expression is not None and (value := evaluate(expression)) is not None:
            yield value

    def _listed(self, name: str, schema: Schema) -> Iterator[list[str]]:
        """Give a list of plain things that the prompt names: cities, countries, tickers, words."""
        if "array" not in type_names(schema):
            return
        words = set(words_of(name))
        for kind, marks in (
            ("city", stems("city capital place")),
            ("country", stems("country nation")),
            ("ticker", stems("ticker symbol stock company")),
        ):
            if words & marks and (names := names_of(self._prompt, kind)):
                yield names
        if words & stems("keyword tag topic theme"):
            long_words = (w.lower() for w in re.findall(r"[A-Za-z]{6,}", self._text))
            yield list(dict.fromkeys(long_words))[:5]
        if words & stems("fact point step sentence bullet finding highlight item"):
            yield self._points

    def _said(self, name: str, schema: Schema, subject: Subject | None) -> Iterator[str]:
        """Give texts: titles, explanations, the answer itself."""
        words, kinds = set(words_of(name)), type_names(schema)
        if kinds and "string" not in kinds:
            return
        if words & stems("title headline subject heading"):
            yield from proper_names(self._text)[: topic_of(self._prompt) == NO_TOPIC]
            yield topic_of(self._prompt).title()
        if words & stems("question prompt query"):
            yield self._prompt
        if words & stems("winner best highest top leader") and (best := self._best_record()):
            yield best
        if words & stems("reason reasoning rationale explanation justification"):
            moods = mood_words(self._text)
            yield from [f"It says {', '.join(moods)}."] if moods and not self._records else []
        if words & _TEXT_FIELDS or not name:
            if subject is not None and any(subject is record for record in self._records):
                told = subject["result"] if isinstance(subject.get("result"), str) else subject
                yield shown(told)
            if words & stems("summary") and self._text != self._prompt:
                yield summarize(self._text)
            yield self._answer
            yield self._answer[: schema.get("maxLength", len(self._answer))]

    def _best_record(self) -> str | None:
        """Name the record whose first number is the highest."""
        scored = []
        for record in self._records:
            number = next((v for v in record.values() if isinstance(v, int | float)), None)
            label = next((v for v in record.values() if isinstance(v, str)), None)
            if number is not None and label is not None:
                scored.append((number, label))
        return max(scored)[1] if scored else None


def quoted_text(prompt: str) -> str:
    """Give the text that a prompt is about: what follows "Classify ...:" or stands in quotes."""
    after = re.match(
        r"\s*(?:please )?(?:classify|summari[sz]e|extract|analy[sz]e|label|rate|translate|parse|"
        r"sentiment|read|categori[sz]e|what is the sentiment)\b[^:]{0,200}:\s*(.+)",
        prompt, re.I | re.S,
    )  # fmt: skip
    if after:
        return after[1].strip()
    quoted = re.search(r"\"{3}(.+?)\"{3}|[\"“](.{12,}?)[\"”]", prompt, re.S)
    return (quoted[1] or quoted[2]).strip() if quoted else prompt


def records_of(result: ToolResult) -> list[Subject]:
    """Turn a tool's result into records, each with the call's arguments beside its own fields."""
    arguments = {k: v for k, v in result.arguments.items() if isinstance(v, str | int | float)}
    match result.value:
        case dict() as record:
            return [arguments | record]
        case [dict(), *_] as records:
            return [arguments | record for record in records if isinstance(record, dict)]
        case value:
            nouns = [w for w in snake(result.call.name).split("_") if w not in ("get", "fetch", "lookup")]
            said: Subject = {}
            number = value
            if isinstance(value, str):
                pairs = re.findall(
                    r"([A-Za-z_]{3,})\s*(?::|=|\bis\b|\bof\b|\s)\s*\$?(-?\d[\d,]*(?:\.\d+)?)", value
                )
                said = {snake(word): float(digits.replace(",", "")) for word, digits in pairs}
                found = re.search(r"-?\d[\d,]*(?:\.\d+)?", value)
                number = float(found[0].replace(",", "")) if found else value
            named = {"_".join(nouns): number, nouns[-1] if nouns else "result": number}
            return [arguments | named | {"value": number, "result": value} | said]


def _fact_groups(prompt: str) -> list[list[Subject]]:
    cities = [f for name in names_of(prompt, "city") if (f := city_fields(name))]
    countries = [country_fields(name) for name in names_of(prompt, "country")]
    tickers = [{"ticker": name, "symbol": name} for name in names_of(prompt, "ticker")]
    facts = [fact.fields for s in sentences(prompt) if (fact := find_fact(s))]
    return [cities, countries, facts, tickers]


def _score(names: list[str], subject: Subject) -> float:
    known = [name for name in names if lookup(subject, name) is not None]
    return sum(0.25 if name.lower() in _GENERIC else 1.0 for name in known)
