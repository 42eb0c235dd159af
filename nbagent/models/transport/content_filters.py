"""How errors say that a content filter stopped the request. Pure; read by `errors.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nbagent.models.replies.finish_reasons import meaning_of

_CODES = frozenset(
    {
        "responsibleaipolicyviolation",  # Azure, beside content_filter
        "datainspectionfailed",  # Qwen
        "data_inspection_failed",
        "content_filter_error",
        "moderation_blocked",
        "1301",  # Zhipu
    }
)
_SENTENCES = ("content exists risk", "content management policy", "flagged by moderation", "input data may contain inappropriate")  # fmt: skip


def is_filtered(body: Any) -> bool:
    """True where an error's body (or error object) says that a content filter stopped the request."""
    error = _error(body)
    if isinstance(error, Mapping):
        inner = error.get("innererror")
        words = [
            error.get("code"),
            error.get("type"),
            inner.get("code") if isinstance(inner, Mapping) else None,
        ]
        if any(word is not None and _is_code(str(word)) for word in words):
            return True
        metadata = error.get("metadata")
        if isinstance(metadata, Mapping) and metadata.get("flagged_input"):  # OpenRouter
            return True
        error = error.get("message")
    return isinstance(error, str) and any(sentence in error.lower() for sentence in _SENTENCES)


def filtered_for(body: Any) -> str:
    """Return ` (hate: high, jailbreak)`, what the filter found where it says so, else nothing."""
    found = ", ".join(_found(_error(body)))
    return f" ({found})" if found else ""


def _found(error: Any) -> Iterator[str]:
    if not isinstance(error, Mapping):
        return
    inner, metadata = error.get("innererror"), error.get("metadata")
    results = inner.get("content_filter_result") if isinstance(inner, Mapping) else None
    results = results or error.get("content_filter_result")
    for name, result in results.items() if isinstance(results, Mapping) else ():
        if isinstance(result, Mapping) and result.get("filtered"):
            severity = result.get("severity")
            yield f"{name}: {severity}" if severity else str(name)
    reasons = metadata.get("reasons") if isinstance(metadata, Mapping) else None
    yield from (str(reason) for reason in reasons) if isinstance(reasons, list) else ()


def _is_code(word: str) -> bool:
    return word.lower() in _CODES or meaning_of(word) == "content_filter"


def _error(body: Any) -> Any:
    return (body.get("error") or body) if isinstance(body, Mapping) else body
