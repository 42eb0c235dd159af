"""What the demo model answers, always the same: tool calls, a value for a schema, or a text by the rules of `script.toml`.

Called by `server.py` on the demo server's event loop; pure. What no rule covers it says, with the two lines that set a
real model.
"""

from __future__ import annotations

import itertools
import json
import operator
import re
from collections.abc import Iterator
from typing import Any, Final

from nbagent.demo.at_home import notebook_answer, notebook_calls
from nbagent.demo.facts import SCRIPT, find_fact, names_in, record_of, sentences, stems, words_of
from nbagent.demo.fill import Known, NoExampleError, fill
from nbagent.demo.request import BadRequestError, Reply, Request, ToolResult, Turn, cut_tokens, read_turn
from nbagent.demo.tools import choose_calls

_HONEST: Final[dict[str, str]] = SCRIPT["honest"]
_HAN: Final = re.compile("[\u4e00-\u9fff]")
_KANA_OR_HANGUL: Final = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_UMLAUT: Final = re.compile("[äöüß]")
_GERMAN: Final = frozenset(
    "auf bitte dem ein eine einen erkläre fasse für gib gibt ich ist mir mit nicht nenne schreibe sind über und von "
    "warum welche welcher welches wer wie wieviel wo zum zur zusammen".split()
)
_GERMAN_TOO: Final = frozenset(
    "das den der des die in im man was war".split()
)  # words of other languages, too
_GERMAN_FROM: Final = 3
_LONGEST: Final = 600  # characters quoted of a tool's result
_OPERATORS: Final = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_SUM: Final = re.compile(
    r"(?<![\d.-])(-?\d+(?:\.\d+)?)\s*(\*|/|\+|(?<=\s)-(?=\s))\s*(-?\d+(?:\.\d+)?)(?!\.?\d|\s*[*/+-]\s*\d)"
)


def answer(request: Request) -> Reply:
    """Answer a request with tool calls or a text; BadRequestError (500) where the script stumbles."""
    try:
        return _answer(request, read_turn(request.messages))
    except Exception as error:  # the border of the script: whatever it is, the client is told
        said = f"the demo model stumbled over this request: {error!r}"
        raise BadRequestError(said, status=500, code="server_error") from error


def _answer(request: Request, turn: Turn) -> Reply:
    at_home = None if turn.partial else notebook_calls(request, turn)
    calls = at_home if at_home is not None else () if turn.partial else choose_calls(request, turn)
    if calls:
        return Reply(tool_calls=calls)
    known = (notebook_answer(turn) if at_home is not None else None) or known_answer(turn)
    text = known or _unknown(" ".join(turn.prompt.split()))
    if request.schema is not None:
        try:
            value = fill(request.schema, Known(turn, known))
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            if request.persona == "badjson" and not turn.repairs:
                text = _spoiled(text)
        except NoExampleError as error:
            text = f"{_HONEST['no_example']} {error}"
    text = text.removeprefix(turn.partial)
    text, cut = (text, False) if request.most_tokens is None else cut_tokens(text, request.most_tokens)
    return Reply(text=text, cut=cut)


def _unknown(prompt: str) -> str:
    """Return the answer to what no rule covers, in the prompt's language, with the lines that set a real model."""
    said = _HONEST[f"unknown{_language(prompt)}"].format(asked=_short(prompt, 200))
    return said + _HONEST["lines"]


def _language(text: str) -> str:
    """Return "_zh", "_de", or "" for English and every other."""
    if _HAN.search(text) and not _KANA_OR_HANGUL.search(text):
        return "_zh"
    words = set(re.findall(r"[a-zäöüß]+", text.lower()))
    weight = 2 * len(words & _GERMAN) + len(words & _GERMAN_TOO) + any(_UMLAUT.search(word) for word in words)
    return "_de" if weight >= _GERMAN_FROM else ""


def _spoiled(text: str) -> str:
    """Replace the first number of a JSON object by words; cut off the end of one that has none."""
    spoiled, count = re.subn(r'(?:(?<=":)|\A)-?\d[\d.]*', '"not a number"', text, count=1)
    return spoiled if count else text[: max(1, len(text) * 2 // 3)]


def known_answer(turn: Turn) -> str | None:
    """Answer in words from tools' results, the script's rules, sums and facts, if one can."""
    if turn.results:
        return " ".join(dict.fromkeys(map(_report, turn.results)))
    if not turn.prompt.strip():
        return _HONEST["empty"]
    said = (said for sentence in sentences(turn.prompt) for said in _sentence(sentence) if said)
    return _written(turn.prompt) or _ruled(turn) or " ".join(dict.fromkeys(said)) or None


def _ruled(turn: Turn) -> str | None:
    """Apply the first rule of the script that fits."""
    asked = [message.text for message in turn.history if message.role == "user"]
    said = [message.text for message in turn.history if message.role == "assistant" and message.text]
    values = {"first": asked[:1], "last": asked[-1:], "answer": said[-1:]}
    for rule in SCRIPT["rules"]:
        if (found := re.search(rule["when"], turn.prompt.strip(), re.I)) is None:
            continue
        groups = [found[0], *found.groups()]
        if "recall" in rule:
            pattern = rule["recall"].replace("{1}", re.escape(groups[1]) if found.re.groups else "")
            told = [turn.prompt[: found.start()], *reversed(asked)]
            found_again = (re.findall(pattern, text, re.I)[-1:] for text in told)
            groups = next((["", *values] for values in found_again if values), [])
        fields = {name: value[0] for name, value in values.items() if value}
        try:
            return str(rule["say"].format(*groups, **fields))
        except (IndexError, KeyError):  # the conversation has no such thing
            return str(rule["else"])
    return None


def _written(prompt: str) -> str | None:
    """Write as many words as are asked for, in paragraphs of five sentences."""
    script = SCRIPT["writing"]
    length = re.search(r"(\d[\d,]*)\s*(k)?[\s-]*words?\b", prompt, re.I)
    asks = re.search(script["asks"], prompt, re.I | re.S)
    if asks is None or (length is None and asks[2].lower() == "words"):
        return None
    wanted = int(length[1].replace(",", "")) * (1000 if length[2] else 1) if length else script["words"]
    wanted = max(1, min(wanted, script["most_words"]))
    found = re.search(script["topic"], prompt, re.I)
    topic = re.split(r"\s+(?:in|with|using|that)\s+", found[1].strip())[0] if found else script["no_topic"]
    written: list[str] = []
    for index, sentence in enumerate(itertools.cycle(script["sentences"])):
        first, *words = sentence.format(topic=topic).split(" ")
        written += [("\n\n" if index % 5 == 0 else " ") + first, *(f" {word}" for word in words)]
        if len(written) >= wanted:
            break
    return "".join(written[:wanted]).strip().rstrip(",.;:") + "."


def _sentence(sentence: str) -> Iterator[str]:
    """Answer one sentence: a sum, a fact, or something about each place named."""
    if (total := _sum(sentence)) is not None:
        yield total
        return
    fact = find_fact(sentence)
    cities, countries = names_in(sentence, "city"), names_in(sentence, "country")
    if fact is not None and not cities and not countries:
        yield fact["say"]
    rows = [row for row in SCRIPT["questions"] if re.search(row["asks"], sentence, re.I)]
    of_countries = countries and (not cities or any(row["asks"] == "capital" for row in rows))
    kind = "country" if of_countries else "city"
    records = [record_of(kind, name) for name in (countries if of_countries else cities)]
    for record, row in itertools.product(records, rows):
        template = row.get(kind, "{}")
        known = record.keys() >= {*re.findall(r"\{(\w*)\}", template)}
        said = template.format_map(record).replace("..", ".") if known else ""
        yield said[:1].upper() + said[1:]
    if not rows:
        before = "" if re.search(SCRIPT["places"]["about"], sentence, re.I) else SCRIPT["places"]["unasked"]
        yield from (before + record["description"] for record in records)


def _sum(text: str) -> str | None:
    """Work out a sum of two numbers."""
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    for pattern, sign in SCRIPT["sums"]:
        text = re.sub(pattern, sign, text, flags=re.IGNORECASE)
    found = _SUM.search(text)
    if found is None or text[: found.start()].rstrip()[-1:] in tuple("+-*/") or found[2] + found[3] == "/0":
        return None
    value = _OPERATORS[found[2]](float(found[1]), float(found[3]))
    return f"{found[1]} {found[2]} {found[3]} = {int(value) if value.is_integer() else round(value, 10):,}."


def _report(result: ToolResult) -> str:
    """Say what a tool returned, an error included."""
    values = [str(v) for v in result.arguments.values() if isinstance(v, str | int | float)]
    about = ", ".join(v for v in values if len(v) <= 40 and len(v.split()) <= 4)[:120]
    value = result.value
    if result.error is not None:
        return (
            f"The tool {result.name} failed{about and ' for ' + about}: {_short(result.error).rstrip('.')}."
        )
    if isinstance(value, str) and (len(value) > 60 or value.rstrip().endswith((".", "!", "?"))):
        return _short(value.strip())
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if str(item) not in values} or value
    said = _short(_shown(value)).rstrip(".")
    quiet, doing = stems(SCRIPT["tools"]["quiet"]), SCRIPT["tools"]["doing"].split()
    noun = [word for word in words_of(result.name) if not stems(word) & quiet] or ["result"]
    if noun[0] in doing:
        return f"{result.name}({about}) returned: {said}."
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"The {' '.join(noun)}{about and ' for ' + about}{' is' if is_number else ':'} {said}."


def _shown(value: Any) -> str:
    """Write a result's value as it stands in a sentence."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in list(value.items())[:8])
    if isinstance(value, list):
        more = f"{len(value)} entries, the first of which are " if len(value) > 3 else ""
        return more + "; ".join(map(_shown, value[:3]))
    return "nothing" if value is None else str(value)


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else text[:most].rstrip() + " ..."
