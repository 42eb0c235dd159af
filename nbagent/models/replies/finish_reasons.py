"""The words that servers end a reply with, as one table: what each means for the run.

Read by both wire formats on the background thread; pure. Servers write a word in any case, with the kind of
filter before it (`content_filter: SAFETY`) or as the name of an enum's member (`FinishReason.MAX_TOKENS`).
What is in no row is `unknown`: it is kept and told to the person, and an empty text that ends so is no
answer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from nbagent.models.protocol import FinishReason

# the last five end no reply of ours: the adapters raise for them, or go on
Meaning = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "unknown",
    "broken_off", "failed", "overloaded", "malformed", "none",
]  # fmt: skip

_WORDS: Mapping[Meaning, str] = {
    "stop": "stop stopped end end_turn eos eos_token stop_sequence stop_token done complete completed finished normal",
    "length": """
        length max_tokens max_output_tokens max_completion_tokens max_new_tokens max_length model_length token_limit
        model_context_window_exceeded context_window_exceeded context_length_exceeded context_length truncated
        error_limit
    """,
    "tool_calls": "tool_calls tool_call tool_use function_call function_calls",
    "content_filter": """
        content_filter content_filtered content_blocked safety recitation blocklist prohibited_content spii sensitive
        image_safety image_prohibited_content image_recitation model_armor moderation guardrail_intervened blocked
        error_toxic content_policy_violation policy_violation
    """,
    "refusal": "refusal refused",
    "broken_off": """
        abort aborted network_error connection_error cancelled canceled interrupted timeout timed_out user_cancel
    """,
    "failed": "error failed internal_error server_error",
    "overloaded": "insufficient_system_resource overloaded",
    "malformed": """
        malformed_function_call malformed_tool_call invalid_tool_call unexpected_tool_call malformed_response
        malformed_tool_use malformed_model_output
    """,
    # what some servers write in every chunk before the last
    "none": "null none unspecified finish_reason_unspecified in_progress",
}
_MEANINGS: dict[str, Meaning] = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}


def finish_word(said: Any) -> str | None:
    """Return the server's own word in the place of a finish reason; None where there is none."""
    if isinstance(said, Mapping):
        said = said.get("reason") or said.get("type")
    if not isinstance(said, str):
        return None if said is None or isinstance(said, bool) else str(said)
    word = said.strip()
    return word if word and meaning_of(word) != "none" else None


@functools.lru_cache(maxsize=256)
def meaning_of(word: str) -> Meaning:
    """Return what a server's word means; the more exact part of a compound decides."""
    if found := _MEANINGS.get(_plain(word)):
        return found
    parts = [part for part in re.split(r"[:.,/|]", word) if part.strip()]
    known = (_MEANINGS.get(_plain(part)) for part in reversed(parts))
    return next((meaning for meaning in known if meaning is not None), "unknown")


def finish_reason_of(word: str | None) -> FinishReason:
    """Return our word for a server's; what `end_errors.py` raises for is an `error`."""
    if word is None:
        return "missing"
    meaning = meaning_of(word)
    return cast("FinishReason", meaning) if meaning in get_args(FinishReason) else "error"


def _plain(word: str) -> str:
    """Write `maxTokens`, `MAX-TOKENS` and `Max tokens` as `max_tokens`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word.strip())
    return re.sub(r"[\s\-]+", "_", words).lower()
