"""What a model call passes before it is sent: concurrency slots and rate limits, given from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from nbagent.models.protocol import Model, ModelRequest

Charge = Callable[[int | None], None]  # told the tokens that the call used, where they are known


class Gate(Protocol):
    """Lets one request at a time through for its caller. Held for one try, never while waiting for a run or a retry."""

    def slot(self, model: Model, request: ModelRequest) -> AbstractAsyncContextManager[Charge]:
        """Wait for a free slot, in order of arrival, and hold it."""
        ...

    async def breathe(self) -> None:
        """Return at once, or a little later where many callers would go on in the same turn of the event loop."""
        ...


class OpenGate:
    """A gate that lets every call through."""

    @asynccontextmanager
    async def slot(self, model: Model, request: ModelRequest) -> AsyncIterator[Charge]:  # noqa: ARG002 - the protocol's signature
        """Let the call through."""
        yield lambda _tokens: None

    async def breathe(self) -> None:
        """Go on."""
