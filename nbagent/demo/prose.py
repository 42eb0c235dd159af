"""Texts that are made rather than known: long writing, summaries, labels, extracts.

Used by `brain.py` and `schema_values.py`; pure, any thread.
"""

from __future__ import annotations

import re
from typing import Final

from nbagent.demo.questions import sentences

_LENGTH: Final = re.compile(r"(\d[\d,.]*)\s*(k)?[\s-]*words?\b", re.I)
_WRITE: Final = re.compile(
    r"\b(write|draft|compose|produce|generate|tell|create)\b.{0,60}?"
    r"\b(story|essay|article|poem|report|blog|post|book|chapter|tale|novel|paragraph|words?"
    r"|letter|speech|history|haiku|limerick|song|guide)\b",
    re.I | re.S,
)
_DEFAULT_WORDS: Final = {
    "haiku": 17, "limerick": 30, "poem": 60, "song": 80, "paragraph": 80, "letter": 120, "post": 150,
    "chapter": 1500, "novel": 5000, "book": 5000,
}  # fmt: skip
NO_TOPIC: Final = "the subject"
_MOST_WORDS = 20_000
_LEAD: Final = (
    "Every account of {topic} begins somewhere, and this one begins with a plain look at it.",
    "Those who study {topic} for the first time are often surprised by how much there is to see.",
    "In the early days, people spoke of {topic} quietly, as one speaks of the weather.",
    "Over the years the picture changed, and {topic} came to mean different things to many.",
    "A traveller once wrote that {topic} is best understood slowly, one small detail after another.",
    "It would be easy to hurry past this part, yet {topic} rewards a patient reader.",
    "Some details are practical: what it costs, how long it takes, and who looks after it.",
    "Other details are harder to measure, and they are the ones that people remember.",
    "There were setbacks, of course, and each of them left a lesson behind.",
    "Nobody agreed on everything, but the questions about {topic} grew better with time.",
    "Late in the evening the talk returned to {topic}, as it always did.",
    "What mattered in the end was not the size of the thing but the care that went into it.",
    "A second voice may disagree here, and that disagreement is worth hearing in full.",
)
_POSITIVE: Final = frozenset(
    "good great excellent amazing love loved loves loving wonderful fantastic happy best perfect "
    "awesome nice enjoy enjoyed enjoyable beautiful brilliant superb delightful pleased recommend "
    "recommended fast helpful friendly fun works easy comfortable impressive masterpiece charming "
    "delicious reliable like liked satisfied favorite favourite glad smooth thanks thank".split()
)
_NEGATIVE: Final = frozenset(
    "bad terrible awful horrible hate hated hates worst poor boring disappointing disappointed "
    "broken slow useless annoying sad ugly waste wasted refund fails failed failing fail crash "
    "crashes crashed error errors rude dirty unhappy angry problem problems painful dull weak "
    "late cold never unusable defective dislike disliked mess scratched leaks".split()
)
_NEGATORS: Final = frozenset("not no never n't isn't wasn't don't doesn't didn't hardly".split())
_LABEL_WORDS: Final[dict[str, str]] = {
    "bug": "crash crashes error errors broken fails bug exception freeze freezes",
    "billing": "invoice charge charged refund payment bill billing paid price card",
    "payment": "invoice charge charged refund payment bill billing paid card",
    "shipping": "delivery delivered package shipping arrived late shipped parcel",
    "delivery": "delivery delivered package shipping arrived late shipped parcel",
    "account": "login password account sign email log locked",
    "feature": "feature add wish would support please request could",
    "question": "how what when where why can does",
    "spam": "winner prize free click offer urgent lottery congratulations",
    "urgent": "urgent immediately asap now down outage",
    "sports": "match team goal season player league won",
    "business": "market shares company profit stock revenue",
    "technology": "software computer phone app data chip",
    "politics": "election government minister vote parliament",
}


def wanted_words(prompt: str) -> int | None:
    """Say how many words a prompt asks to write; None if it does not ask for writing."""
    found = _WRITE.search(prompt)
    length = _LENGTH.search(prompt)
    if found is None or (not length and re.search(r"\bwords?\b", found[0], re.I)):
        return None
    if length:
        number = float(length[1].replace(",", "").rstrip(".") or 0) * (1000 if length[2] else 1)
        return max(1, min(int(number), _MOST_WORDS))
    words = _DEFAULT_WORDS.get(found[2].lower(), 400)
    return words * 4 if re.search(r"\b(very |really )?long\b", prompt, re.I) else words


def write_text(prompt: str, words: int) -> str:
    """Write about `words` words on the prompt's subject, in paragraphs."""
    topic = topic_of(prompt)
    parts, count, index = [], 0, 0
    while count < words:
        sentence = _LEAD[index * 5 % len(_LEAD) if index >= len(_LEAD) else index]
        if index % 5 == 0 and index:
            sentence = f"Part {index // 5 + 1} turns to another side of {{topic}}. {sentence}"
            parts.append("\n\n")
        sentence = sentence.format(topic=topic)
        parts.append(("" if not parts or parts[-1] == "\n\n" else " ") + sentence)
        count += len(sentence.split())
        index += 1
    return _first_words("".join(parts), words)


def _first_words(text: str, words: int) -> str:
    end = next((m for n, m in enumerate(re.finditer(r"\S+", text), 1) if n == words), None)
    cut = text if end is None else text[: end.end()]
    return cut.rstrip(",.;:") + "."


def topic_of(prompt: str) -> str:
    """Name what a text should be about: the words after "about" or "on"."""
    found = re.search(r"\b(?:about|on|of the history of)\s+([^.?!\n,;:]+)", prompt, re.I)
    topic = found[1].strip() if found else NO_TOPIC
    topic = re.split(r"\s+(?:in|with|using|that)\s+", topic)[0]
    return topic[:60].strip("\"' ") or NO_TOPIC


def summarize(text: str, most: int = 2) -> str:
    """Give the first sentences of a text."""
    found = sentences(text)
    return " ".join(s if s[-1] in ".?!" else s + "." for s in found[:most])


def extract(question: str, text: str) -> str | None:
    """Give the sentence of a text that shares most words with a question, or None."""
    wanted = _content_words(question)
    scored = [(len(wanted & _content_words(s)), -i, s) for i, s in enumerate(sentences(text))]
    best = max(scored, default=(0, 0, ""))
    return best[2] if best[0] >= 1 else None


def _content_words(text: str) -> set[str]:
    stop = "the a an of is are was were in on at to and or what which who how when where why do does did it this that for with by from be as"
    return {w.rstrip("s") for w in re.findall(r"\w+", text.lower())} - {w.rstrip("s") for w in stop.split()}


def sentiment_score(text: str) -> float:
    """Score a text's mood from -1 (negative) to 1 (positive) by a small word list."""
    good = bad = 0
    words = re.findall(r"[\w']+", text.lower())
    for i, word in enumerate(words):
        negated = any(w in _NEGATORS or w.endswith("n't") for w in words[max(0, i - 2) : i])
        if word in _POSITIVE:
            good, bad = (good, bad + 1) if negated else (good + 1, bad)
        elif word in _NEGATIVE:
            good, bad = (good + 1, bad) if negated and word not in _NEGATORS else (good, bad + 1)
    return 0.0 if good + bad == 0 else round((good - bad) / (good + bad), 2)


def mood_words(text: str) -> list[str]:
    """Give the words of praise and complaint in a text, in order, each once."""
    words = re.findall(r"[\w']+", text.lower())
    return list(dict.fromkeys(w for w in words if w in _POSITIVE or w in _NEGATIVE))


def classify(text: str, labels: list[str]) -> str | None:
    """Choose the label that fits a text best: by mood, by the label's words, else a neutral one."""
    moods = {label: _mood(label) for label in labels}
    if sum(m is not None for m in moods.values()) >= 2:
        score = sentiment_score(text)
        sign = 1 if score > 0 else -1 if score < 0 else 0
        if sign == 0 and 0 not in moods.values():
            sign = 1
        return next((label for label, m in moods.items() if m == sign), labels[0])
    words = set(re.findall(r"\w+", text.lower()))
    scored = [(len(words & _words_of(label)), -i, label) for i, label in enumerate(labels)]
    best = max(scored, default=(0, 0, ""))
    if best[0]:
        return best[2]
    return next((la for la in labels if la.lower() in ("other", "unknown", "neutral", "none")), None)


def _mood(label: str) -> int | None:
    name = label.lower().replace("very ", "").replace("very_", "")
    table = {"positive": 1, "pos": 1, "good": 1, "happy": 1, "negative": -1, "neg": -1, "bad": -1}
    return (table | {"sad": -1, "neutral": 0, "mixed": 0}).get(name)


def _words_of(label: str) -> set[str]:
    parts = re.findall(r"[a-z]+", label.lower())
    return set(parts) | {w for part in parts for w in _LABEL_WORDS.get(part, "").split()}


def prompt_labels(prompt: str) -> list[str]:
    """Find the labels that a prompt asks to choose from: "as positive, negative or neutral"."""
    found = re.search(
        r"\b(?:as|into|one of|either|labels?|categories|classes|between)\b[\s:]*(?:either |one of )?"
        r"([\w\"' -]+(?:\s*[,/|]\s*[\w\"' -]+)*(?:,?\s*(?:or|and)\s+[\w\"'-]+)?)",
        prompt, re.I,
    )  # fmt: skip
    if found is None:
        return []
    parts = re.split(r"\s*[,/|]\s*(?:or |and )?|\s+(?:or|and)\s+", found[1])
    labels = [part.strip(" \"'") for part in parts if part.strip(" \"'")]
    return labels if len(labels) >= 2 and all(len(la.split()) <= 3 for la in labels) else []
