"""Ask a model once, from a test: an event loop for each question, its connections closed at the end."""

from __future__ import annotations

import asyncio
from typing import Any

from nbagent.events import Message
from nbagent.models import (
    Model,
    ModelEvent,
    ModelRequest,
    OpenAIChat,
    OpenAIResponses,
    ReplyFinished,
    close_connections,
)

QUESTION = (Message(role="user", content="What is the capital of France?"),)


def request(**fields: Any) -> ModelRequest:
    """Return a small request; `fields` replace its parts."""
    return ModelRequest(**({"messages": QUESTION, "idle_timeout_s": 5.0} | fields))


def stream(
    model: Model,
    asked: ModelRequest | None = None,
    *,
    seen: list[ModelEvent] | None = None,
    again: bool = False,
) -> list[ModelEvent]:
    """Return all events of one question; `seen` holds them also when the question ends with an error.

    With `again`, the same is asked once before over the same connections, and that must succeed.
    """
    events = seen if seen is not None else []

    async def collect() -> None:
        try:
            if again:
                async for _ in model.stream(asked or request()):
                    pass
            async for event in model.stream(asked or request()):
                events.append(event)
        finally:
            await close_connections()

    asyncio.run(collect())
    return events


def reply_of(model: Model, asked: ModelRequest | None = None) -> ReplyFinished:
    """Return the last event of one question, which is the whole reply."""
    finished = stream(model, asked)[-1]
    assert isinstance(finished, ReplyFinished)
    return finished


def chat(server: Any, **options: Any) -> OpenAIChat:
    """Return a model behind a scripted provider."""
    return OpenAIChat(**({"id": "scripted", "base_url": server.base_url} | options))


def responses(server: Any, **options: Any) -> OpenAIResponses:
    """Return a model behind a scripted provider that speaks the Responses API."""
    return OpenAIResponses(**({"id": "scripted", "base_url": server.base_url} | options))
