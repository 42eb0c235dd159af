"""The demo model's brain: a request in, a reply out, always the same one.

Called by `chat.py` and `responses.py` on the demo server's event loop; pure. It knows the facts of
`facts.py`, calls offered tools that fit, answers from their results, fills any schema, and
otherwise works with the words of the prompt, saying that it is a demo.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final

import orjson

from nbagent.demo.conversation import Turn, read_turn
from nbagent.demo.prose import (
    classify,
    extract,
    prompt_labels,
    summarize,
    wanted_words,
    write_text,
)
from nbagent.demo.questions import about_places, answer_questions, sentences
from nbagent.demo.recall import recall, report_results
from nbagent.demo.request import Reply, Request
from nbagent.demo.schema_fill import fill
from nbagent.demo.schema_values import KnownValues, quoted_text
from nbagent.demo.tool_choice import choose_calls

_GREETING: Final = re.compile(
    r"\W*(hi|hello|hey|good (morning|afternoon|evening)|greetings)\b(\W|there|demo|nbagent)*$", re.I
)
_THANKS: Final = re.compile(r"\W*(thanks|thank you|cheers)\b[^?]{0,30}$", re.I)
_WHO: Final = re.compile(r"\b(who|what) are you\b|\bwhat can you do\b|\bare you (an? )?(real|demo)\b", re.I)
_SAY: Final = re.compile(
    r"\W*(?:please )?(?:(?:say|repeat|echo)(?: exactly| only| just| the words?)*"
    r"|(?:reply|answer|respond) with (?:exactly|only|just|the words?))\b\s*:?\s*([^?]+)$",
    re.I,
)
_SCHEMA_MARK: Final = re.compile(r'"(type|properties|\$ref|\$defs|anyOf|oneOf)"\s*:')
_MOST_OBJECTS = 100  # looked at in a text for a schema
_SUMMARY: Final = re.compile(r"\b(summari[sz]e|summary of|tl;?dr|shorten)\b", re.I)
_LABEL: Final = re.compile(r"\b(classif(y|ies)|categori[sz]e|label|sentiment|positive or negative)\b", re.I)
_ABOUT_ME: Final = (
    "I am nbagent's demo model: a small deterministic program on your own computer, not a language "
    "model. I know capitals, some cities and a few facts, do simple sums, call the tools that you "
    "offer, and fill output schemas."
)


def answer(request: Request) -> Reply:
    """Answer a request with tool calls or a text."""
    schema, turn = asked_schema(request)
    calls = () if turn.partial else choose_calls(request, turn)
    if calls:
        return Reply(tool_calls=calls)
    known = known_answer(turn)
    text = known or _honest(turn.prompt)
    if schema is not None:
        value = fill(schema, KnownValues(turn.prompt, known, turn.results))
        text = orjson.dumps(value).decode() if _fits_orjson(value) else json.dumps(value)
    elif request.json_object:
        text = orjson.dumps({"answer": text}).decode()
    if turn.partial and text.startswith(turn.partial):
        text = text[len(turn.partial) :]
    return Reply(text=text)


def known_answer(turn: Turn) -> str | None:
    """Answer in words from tools' results, the conversation, facts or the prompt's text, if one can."""
    prompt = turn.prompt
    if turn.results:
        return report_results(turn)
    if not prompt.strip():
        return "The message was empty, so there is nothing to answer."
    words = wanted_words(prompt)
    if words is not None:
        return write_text(prompt, words)
    return (
        _small_talk(prompt)
        or _work_on_text(prompt)
        or recall(turn)
        or answer_questions(prompt)
        or _from_text(turn)
        or about_places(prompt)
    )


def _small_talk(prompt: str) -> str | None:
    if _GREETING.match(prompt):
        return "Hello! I am nbagent's demo model. Ask me for a capital, a city or a sum."
    if _THANKS.match(prompt):
        return "You are welcome."
    if _WHO.search(prompt):
        return _ABOUT_ME
    if re.search(r"\bjokes?\b", prompt, re.I):
        return "Why did the notebook cell blush? It was run in front of everybody."
    said = _SAY.match(prompt)
    return said[1].strip().strip("\"“”'") if said and len(said[1]) < 500 else None


def _work_on_text(prompt: str) -> str | None:
    """Summarize or classify the text that the prompt gives."""
    text = quoted_text(prompt)
    if _SUMMARY.search(prompt):
        if text == prompt and "\n" in prompt:
            text = prompt.partition("\n")[2].strip() or prompt
        return summarize(text, 1 if re.search(r"\b(one|a single|1) (sentence|line)", prompt, re.I) else 2)
    if _LABEL.search(prompt):
        labels = prompt_labels(prompt.partition(":")[0]) or prompt_labels(prompt)
        return classify(text, labels or ["positive", "negative", "neutral"])
    return None


def _from_text(turn: Turn) -> str | None:
    """Answer a question from text in the prompt, the conversation or the instructions."""
    asked = [s for s in sentences(turn.prompt) if s.endswith("?")] or sentences(turn.prompt)[-1:]
    if not asked:
        return None
    rest = turn.prompt.replace(asked[-1], " ")
    before = " ".join(m.text for m in turn.history if m.role == "user")
    for text in (rest, before, turn.system):
        if len(text.split()) >= 5 and (found := extract(asked[-1], text)):
            return found
    return None


def _honest(prompt: str) -> str:
    shown = " ".join(prompt.split())
    shown = shown if len(shown) <= 200 else shown[:200].rstrip() + " ..."
    return (
        f'You asked: "{shown}" I am nbagent\'s demo model and know only a few facts, '
        "so I cannot answer this; a real model can."
    )


def asked_schema(request: Request) -> tuple[dict[str, Any] | None, Turn]:
    """Find the schema asked for, native or standing in the prompt as text, and the turn without it."""
    turn = read_turn(request)
    if request.schema is not None:
        return request.schema, turn
    for text, is_prompt in ((turn.prompt, True), (turn.system, False)):
        schema, start, end = find_schema(text)
        if schema is not None:
            without = text[:start] + " " + text[end:]
            prompt = _without_schema_talk(without) if is_prompt else turn.prompt
            system = turn.system if is_prompt else without
            return schema, replace(turn, prompt=prompt, system=system)
    return None, turn


def find_schema(text: str) -> tuple[dict[str, Any] | None, int, int]:
    """Find a JSON Schema in a text: the schema and where it stands, or None."""
    decoder = json.JSONDecoder()
    start = text.find("{") if _SCHEMA_MARK.search(text) else -1
    for _ in range(_MOST_OBJECTS):
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict) and _is_schema(value):
                return value, start, end
        start = text.find("{", end)
    return None, 0, 0


def _is_schema(value: dict[str, Any]) -> bool:
    if "type" in value and isinstance(value["type"], str):
        return bool({"properties", "items", "enum", "additionalProperties"} & value.keys())
    return bool({"$schema", "$defs", "properties", "anyOf", "oneOf", "$ref"} & value.keys())


def _without_schema_talk(prompt: str) -> str:
    kept = [
        line
        for line in prompt.splitlines()
        if not re.match(r"\s*```|.*\bjson\b.*\b(schema|only|object|valid)\b|.*\bschema\b.*:\s*$", line, re.I)
    ]
    return "\n".join(kept).strip() or prompt


def _fits_orjson(value: Any) -> bool:
    """Say whether orjson can write a value: it refuses integers beyond 64 bits."""
    match value:
        case dict():
            return all(map(_fits_orjson, value.values()))
        case list():
            return all(map(_fits_orjson, value))
        case int():
            return -(2**63) <= value < 2**64
        case _:
            return True
