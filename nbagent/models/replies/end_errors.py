"""The errors that the end of a reply means: a word that is no good end, or a stream that ends without any.

Used by all wire formats; pure. `errors.py` says which of them are tried again, and how often.
"""

from __future__ import annotations

from dataclasses import replace

from nbagent.errors import (
    EarlyEndError,
    MalformedReplyError,
    ModelError,
    ProviderOverloadedError,
    ProviderUnreachableError,
)
from nbagent.models.protocol import ReplyFinished
from nbagent.models.replies.finish_reasons import meaning_of
from nbagent.models.transport.errors import RequestTarget, error_from_reply


def whole_reply(
    reply: ReplyFinished, target: RequestTarget, *, cut: str | None = None, has_begun: bool = True
) -> ReplyFinished:
    """Return a reply that has ended, as the run can use it.

    `cut` says why its stream's end is not the model's; `has_begun` whether anything of a reply had come.

    Raises:
        EarlyEndError: it was cut; ProviderProtocolError: and nothing had come. ModelError: the finish reason is no
        good end.
    """
    if cut is not None:
        raise _early_end(cut, target, reply) if has_begun else error_from_reply(cut, target)
    if (fault := _error_from_end(reply, target)) is not None:
        raise fault
    if reply.finish_reason == "tool_calls" and not reply.tool_requests:
        return replace(reply, finish_reason="stop")
    return reply


def _error_from_end(reply: ReplyFinished, target: RequestTarget) -> ModelError | None:
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


def _early_end(why: str, target: RequestTarget, so_far: ReplyFinished) -> ModelError:
    return EarlyEndError(
        f"provider {target.provider!r} broke off its reply for model {target.model!r}: {why}",
        "try again; if it happens each time, the server or a proxy before it ends its streams early",
        so_far=so_far,
    )
