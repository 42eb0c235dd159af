"""Batches that a provider answers within a day at a lower price: what all of their formats have in common.

Used by a batch with `mode="provider-batch"`, on the background thread. A model whose provider has them says so
by a method `batches()` that returns a `BatchClient`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nbagent.errors import ConfigurationError
from nbagent.models.fallback import model_name
from nbagent.models.protocol import Model, ModelRequest, ReplyFinished

PRICE_SHARE = 0.5  # of what a request of its own costs, at OpenAI and at Anthropic


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A provider's batch as it stands. `problem` is what all of its requests were refused for.

    `files` hold its answers, where these come as files.
    """

    id: str
    status: str
    has_ended: bool
    created_at: int
    ended_at: int | None
    problem: str | None = None
    files: tuple[str, ...] = ()


class BatchClient(Protocol):
    """The batches of one model's provider; every method raises ModelError for what goes wrong there.

    A job takes at most `most_lines` lines of `most_bytes` bytes in all.
    """

    most_lines: int
    most_bytes: int

    async def line(self, custom_id: str, request: ModelRequest) -> bytes:
        """Return one request as a line of a job."""
        ...

    async def submit(self, lines: Sequence[bytes], *, note: Mapping[str, str]) -> BatchJob:
        """Have the lines answered; `note` goes with the job, where the provider keeps notes."""
        ...

    async def look(self, job_id: str) -> BatchJob:
        """Return a job as it stands now."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Have no further line answered."""
        ...

    async def answers(self, job: BatchJob) -> list[Mapping[str, Any]]:
        """Return what an ended job says of its lines, each with its `custom_id`."""
        ...

    async def reply_of(self, line: Mapping[str, Any]) -> ReplyFinished:
        """Return the reply that an answer holds. Raises the ModelError that it stands for."""
        ...


def batch_client(model: Model) -> BatchClient:
    """Return the batches of a model's provider. Raises ConfigurationError where it has none."""
    make = getattr(model, "batches", None)
    if make is None:
        raise ConfigurationError(
            f"model {model_name(model)} has no batch files",
            'use mode="notebook", or one model of a provider that has them, such as OpenAI or Anthropic',
        )
    client: BatchClient = make()
    return client
