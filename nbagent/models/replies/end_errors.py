"""The errors that the end of a reply means: a word that is no good end, or a stream that ends without any.

Used by both wire formats; pure. `errors.py` says which of them are tried again, and how often.
"""

from __future__ import annotations

from nbagent.errors import (
    EarlyEndError,
    MalformedReplyError,
    ModelError,
    ProviderOverloadedError,
    ProviderUnreachableError,
)
from nbagent.models.protocol import ReplyFinished
from nbagent.models.replies.finish_reasons import meaning_of
from nbagent.models.transport.errors import RequestTarget


def error_from_end(reply: ReplyFinished, target: RequestTarget) -> ModelError | None:
    """Return the error that a server's finish reason means, None where the run can use the reply."""
    word, who = reply.server_finish_reason, f"provider {target.provider!r}"
    meaning = meaning_of(word) if word is not None else None
    if meaning == "broken_off":
        return ProviderUnreachableError(
            f"{who} broke off its reply for model {target.model!r} (finish_reason {word!r})",
            "try again",
            so_far=reply,
        )
    if meaning in {"failed", "overloaded"}:
        why = "for lack of resources" if meaning == "overloaded" else "and gave no details"
        return ProviderOverloadedError(
            f"{who} gave up in mid-answer {why} (finish_reason {word!r})", "try again later", so_far=reply
        )
    no_call = reply.finish_reason == "tool_calls" and not reply.tool_requests and not reply.text
    if meaning == "malformed" or no_call:
        return MalformedReplyError(
            f"model {target.model!r} of {who} made a tool call that its server could not read (finish_reason {word!r})",
            "try again; simpler tools (fewer parameters, shorter names) or another model help where it happens often",
            so_far=reply,
        )
    return None


def early_end(why: str, target: RequestTarget, so_far: ReplyFinished) -> ModelError:
    """Return the error for a stream that ended in order before the model did; `so_far` is what had come."""
    return EarlyEndError(
        f"provider {target.provider!r} broke off its reply for model {target.model!r}: {why}",
        "try again; if it happens each time, the server or a proxy before it ends its streams early",
        so_far=so_far,
    )
