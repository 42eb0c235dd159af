"""Reasoning in tags, left in the text by servers without a reasoning parser: split off as it streams.

Used by both wire formats, one `ThinkTags` for one reply; it does no I/O. A block at the very start is
reasoning, also where a chat template has put its opening tag into the prompt, so that only the closing one
comes. A block in the middle of a text is text.
"""

from __future__ import annotations

from typing import Literal

from nbagent.models.protocol import ModelEvent, ReasoningDelta, TextDelta, TextReclassified

# the second is what Gemini's compatible endpoint writes
_CLOSED_BY = {"<think>": "</think>", "<thought>": "</thought>"}
_CLOSING = "</think>"
_QUOTES = "`'\"\u201c\u2018\u201d\u2019"
_SENTENCE_ENDS = ".!?:;…)。！？"  # noqa: RUF001 - full-width ones end Chinese thoughts


class ThinkTags:
    """Takes pieces of raw text, gives events. `found` is True once something of it was no answer.

    `own` is the name of a tag that this provider's servers use besides. Invariant: what was given as text is no
    reasoning, unless a `TextReclassified` follows.
    """

    __slots__ = (
        "_at_the_start",
        "_closed_by",
        "_closing",
        "_given",
        "_held",
        "_raw_thought",
        "_state",
        "found",
    )

    def __init__(self, own: str | None = None) -> None:
        self.found = False
        self._closed_by = _CLOSED_BY | {f"<{own}>": f"</{own}>"} if own else _CLOSED_BY
        self._at_the_start = (*self._closed_by, *self._closed_by.values())
        self._state: Literal["start", "thought", "watch", "answer"] = "start"
        self._held = ""  # may be the beginning of a tag
        self._given: list[str] = []  # the text so far, while a closing tag may still come
        self._raw_thought: list[str] = []  # of a block that is open
        self._closing = _CLOSING

    def feed(self, piece: str) -> list[ModelEvent]:
        """Return what the next piece says."""
        if self._state == "answer" or (self._state == "watch" and not self._held and "<" not in piece):
            if self._state == "watch":
                self._given.append(piece)
            return [TextDelta(piece)]
        return self._take(piece, over=False)

    def rest(self, *, whole: bool) -> list[ModelEvent]:
        """Return what was held back at the end of the text; `whole` says that the model ended it by itself.

        A block that was never closed is then the answer, as everything there is; else it is reasoning cut
        short.
        """
        events = self._take("", over=True)
        if self._state == "thought" and whole:
            self.found = False
            events.append(TextDelta("".join(self._raw_thought)))
        self._state, self._held = "answer", ""
        return [event for event in events if not isinstance(event, TextDelta | ReasoningDelta) or event.text]

    def _take(self, piece: str, *, over: bool) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        text, self._held = self._held + piece, ""
        while text:
            match self._state:
                case "start":
                    text = self._begin(text, over=over)
                case "thought":
                    text = self._think(text, events, over=over)
                case "watch":
                    text = self._watch(text, events, over=over)
                case "answer":
                    events.append(TextDelta(text))
                    text = ""
        return events

    def _begin(self, text: str, *, over: bool) -> str:
        """Decide what a text begins with; return what is to be read further."""
        body = text.lstrip()
        for tag in self._at_the_start:
            if body.startswith(tag):
                self.found = True
                if tag in self._closed_by:
                    self._state, self._closing = "thought", self._closed_by[tag]
                    self._raw_thought = [text[: len(text) - len(body)] + tag]
                return body[len(tag) :]
        if not over and any(tag.startswith(body) for tag in self._at_the_start):
            self._held = text
            return ""
        # an answer in JSON or code says of tags what it likes
        self._state = "answer" if self.found or body.startswith(("{", "[", "```")) else "watch"
        return body if self.found else text

    def _think(self, text: str, events: list[ModelEvent], *, over: bool) -> str:
        thought, closed, after = text.partition(self._closing)
        if not closed:
            held = 0 if over else _beginning_of(self._closing, text)
            thought, self._held = text[: len(text) - held], text[len(text) - held :]
        self._raw_thought.append(thought)
        if thought:
            events.append(ReasoningDelta(thought))
        if closed:
            self._state = "start"
        return after

    def _watch(self, text: str, events: list[ModelEvent], *, over: bool) -> str:
        """Let text through until a closing tag shows that it was reasoning."""
        opens, closes = text.find("<think>"), text.find(_CLOSING)
        if opens != -1 and (closes == -1 or opens < closes):
            self._state = "answer"  # a block in the middle
            return text
        if closes == -1:
            held = 0 if over else max(_beginning_of("<think>", text), _beginning_of(_CLOSING, text))
            self._held = text[len(text) - held :]
            self._give(text[: len(text) - held], events)
            return ""
        after = text[closes + len(_CLOSING) :]
        if not after and not over:  # what follows says whether it is meant
            self._give(text[:closes], events)
            self._held = _CLOSING
            return ""
        before = "".join(self._given) + text[:closes]
        if not _is_meant(before, after):
            self._give(text[: closes + len(_CLOSING)], events)
            return after
        if self._given:
            events[:] = [event for event in events if not isinstance(event, TextDelta)]
            events.append(TextReclassified())
        events.append(ReasoningDelta(before))
        self.found, self._state, self._given = True, "start", []
        return after

    def _give(self, text: str, events: list[ModelEvent]) -> None:
        if text:
            self._given.append(text)
            events.append(TextDelta(text))


def apart(text: str, *, whole: bool, own: str | None = None) -> tuple[str, str]:
    """Return the reasoning and the answer that a whole text holds; see `ThinkTags.rest` for `whole`."""
    if "<th" not in text and "</th" not in text and not (own and f"{own}>" in text):
        return "", text
    tags = ThinkTags(own)
    thoughts: list[str] = []
    answers: list[str] = []
    for event in (*tags.feed(text), *tags.rest(whole=whole)):
        if isinstance(event, TextDelta):
            answers.append(event.text)
        elif isinstance(event, ReasoningDelta):
            thoughts.append(event.text)
        else:
            answers.clear()
    if not tags.found:
        return "", text
    return "\n\n".join(filter(None, (thought.strip() for thought in thoughts))), "".join(answers)


def _is_meant(before: str, after: str) -> bool:
    """True for a tag that closes reasoning; False for one quoted, in code, or amid a sentence."""
    if (before[-1:] in _QUOTES and before) or (after[:1] in _QUOTES and after) or before.count("```") % 2:
        return False
    if not before or before[-1] not in " \t":
        return True
    said = before.rstrip(" \t")
    return not said or said[-1] in f"\n{_SENTENCE_ENDS}" or after[:1] in ("", "\n", "\r")


def _beginning_of(tag: str, text: str) -> int:
    """Count the characters at the end of `text` that are the beginning of `tag`."""
    return next(
        (count for count in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:count])), 0
    )
