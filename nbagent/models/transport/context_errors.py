"""How errors say that a request is larger than the model's context. Pure; read by `errors.py`.

Some have a code for it, most a sentence; the sentences are matched by what they have in common, so that a
server that words it a little otherwise is understood too. A limit on tokens in a minute is none of the
context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_CODES = frozenset(
    {
        "context_length_exceeded",  # OpenAI, Azure, Groq, OpenRouter, DeepSeek
        "context_window_exceeded",
        "model_context_window_exceeded",  # Anthropic
        "exceed_context_size_error",  # llama.cpp
        "context_size_exceeded",
        "context_overflow",
        "context_too_long",
        "contextwindowexceedederror",  # LiteLLM
        "max_prompt_tokens_exceeded",
        "model_max_prompt_tokens_exceeded",  # GitHub's models
        "prompt_too_long",
        "input_too_long",
        "1261",  # Zhipu
    }
)
_OVER = r"(?:exceed|too (?:long|large|many|big)|longer than|larger than|greater than|more than|over the|overflow|beyond|maximum|shorten|reduce|insufficient)"
_CONTEXT = r"context[ _-]?(?:length|window|size|limit|overflow|token)"
_SENTENCES = re.compile(
    "|".join(
        (
            rf"{_CONTEXT}.{{0,160}}?{_OVER}",  # most of them: OpenAI, vLLM, SGLang, Ollama, LM Studio, OpenRouter
            rf"{_OVER}.{{0,160}}?{_CONTEXT}",  # llama.cpp and its Python server, Mistral, MiniMax
            r"prompt (?:is )?too (?:long|large)",  # Anthropic, Ollama
            r"input (?:is )?too long for (?:the )?(?:requested )?model",  # Bedrock
            r"input length and .?max_tokens.? exceed",  # Anthropic
            r"token count.{0,40} exceeds the (?:maximum number of tokens|limit of)",  # Gemini, GitHub Copilot
            r"reduce the length of the (?:messages|prompt|input)",  # Groq
            r"maximum (?:prompt|input|sequence|model) length",  # xAI, vLLM
            r"(?:prompt|input|request) exceeds? (?:the )?(?:max|maximum|model)",  # Zhipu, Kimi
            r"exceed(?:s|ed)? (?:the )?model(?:'s)? (?:token|length) limit",  # Kimi
            r"input tokens exceed",  # OpenAI, later models
            r"range of input length should be",  # Qwen
            r"`?inputs`? (?:tokens \+ `?max_new_tokens|must have less than)",  # TGI, Together
            r"too many tokens\b.{0,160}?(?:cannot|can't|must not|may not) exceed",  # Cohere
            r"tokens? in the (?:prompt|input|request|messages).{0,60}?(?:cannot|can't|must not|may not) exceed",
            r"(?:max_seq_len|max_model_len|n_ctx|num_ctx)\b.{0,80}(?:exceed|too (?:small|long))",
        )
    ),
    re.IGNORECASE | re.DOTALL,
)
_RATES = re.compile(r"per (?:minute|day|hour|second)|rate.?limit|\b[tr]p[md]\b|quota", re.IGNORECASE)
_READ_CHARS = 2000  # of each text: what an echoed prompt says is nobody's error


def is_context_exceeded(body: Any) -> bool:
    """True where an error's body (or error object) says that the request does not fit the context."""
    texts = [text[:_READ_CHARS] for text in _texts(body)]
    if any(text.strip().lower() in _CODES for text in texts):
        return True
    if any(_RATES.search(text) for text in texts):
        return False
    return any(_SENTENCES.search(text) for text in texts)


def _texts(body: Any, depth: int = 0) -> Iterator[str]:
    """Yield what an error says of itself: its code, type and message, those of the error inside included."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, int) and not isinstance(body, bool):
        yield str(body)
    elif isinstance(body, list | tuple):
        yield from (text for one in body[:5] for text in _texts(one, depth + 1) if depth < _DEEP)
    elif isinstance(body, Mapping) and depth < _DEEP:
        for name in ("error", "code", "type", "message", "detail", "msg", "metadata", "raw", "errors"):
            if name in body:
                yield from _texts(body[name], depth + 1)


_DEEP = 5
