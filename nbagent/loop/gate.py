"""What a model call passes before it is sent: concurrency slots and rate limits, given from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from nbagent.errors import ModelError
from nbagent.models import Model, ModelRequest

Charge = Callable[[int | None], None]  # told the tokens that the call used, where they are known


class Gate(Protocol):
    """Lets one request at a time through for its caller. Held for one try, never during a pause."""

    def slot(self, model: Model, request: ModelRequest) -> AbstractAsyncContextManager[Charge]:
        """Wait for a free slot, in order of arrival, and hold it."""
        ...

    def limited(self, error: ModelError) -> float | None:
        """Called after a failed try, its slot still held; return the delay before the next one, or None.

        None is no word on that: the caller's own retries hold. A gate that paces calls slows all of them down
        together where the provider limits their rate; such a try is no failed one.
        """
        ...

    async def yield_fairly(self) -> None:
        """Return at once, or later where many callers would resume in one iteration of the event loop."""
        ...


class OpenGate:
    """A gate that lets every call through."""

    @asynccontextmanager
    async def slot(self, model: Model, request: ModelRequest) -> AsyncIterator[Charge]:  # noqa: ARG002 - the protocol's signature
        """Let the call through."""
        yield lambda _tokens: None

    def limited(self, error: ModelError) -> float | None:  # noqa: ARG002 - the same
        """Leave it to the caller."""
        return None

    async def yield_fairly(self) -> None:
        """Go on."""
