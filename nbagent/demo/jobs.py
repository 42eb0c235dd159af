"""Responses that the demo server keeps: for `retrieve`, for going on in the background, for `cancel`.

Used by `responses.py` on the server's event loop. Bounded: a response is forgotten after a while,
or when many newer ones have come.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from nbagent.demo.request import BadRequestError, Message
from nbagent.demo.response_plan import Item, Plan, Status

_MOST_JOBS: Final = 5_000


@dataclass(slots=True, kw_only=True)
class Job:
    """One response at work or done. `begun` and `cancelled_at` are monotonic times.

    `items` are its input items, `messages` the whole conversation before its own output.
    """

    plan: Plan
    stream: bool
    items: list[Item]
    messages: tuple[Message, ...]
    begun: float = field(default_factory=time.monotonic)
    cancelled: bool = False

    @property
    def status(self) -> Status:
        """The status now."""
        if self.cancelled:
            return "cancelled"
        age_s = self.age_s
        if age_s >= self.plan.ends_s:
            return self.plan.outcome
        queued_s = self.plan.queued_s / self.plan.speed
        return "queued" if self.plan.background and age_s < queued_s else "in_progress"

    @property
    def age_s(self) -> float:
        """Seconds since it was created."""
        return time.monotonic() - self.begun

    def response(self) -> dict[str, Any]:
        """Give the response object as it is now."""
        return self.plan.response(self.status)

    def cancel(self) -> None:
        """Cancel it, unless it has ended."""
        if self.status in ("queued", "in_progress"):
            self.cancelled = True

    def events(self, after: int = -1) -> Iterator[tuple[float, bytes]]:
        """Give the timed events after a sequence number."""
        return islice(self.plan.events(), after + 1, None)


class Jobs:
    """The kept responses, oldest first."""

    def __init__(self, *, keep_s: float, resume_s: float) -> None:
        self._keep_s = keep_s
        self._resume_s = resume_s
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def add(self, job: Job) -> None:
        """Keep a response."""
        self._forget_old()
        self._jobs[job.plan.response_id] = job

    def discard(self, response_id: str) -> None:
        """Forget a response, if it is kept."""
        self._jobs.pop(response_id, None)

    def find(self, response_id: str) -> Job:
        """Find a kept response.

        Raises:
            BadRequestError: it is not kept, or no longer (404).
        """
        self._forget_old()
        job = self._jobs.get(response_id)
        if job is None:
            raise BadRequestError(f"Response with id {response_id!r} not found.", status=404, param="id")
        return job

    def find_previous(self, response_id: str) -> Job:
        """Find the response that a new one continues.

        Raises:
            BadRequestError: it is not kept (400, as the real API says it), or has not ended.
        """
        try:
            job = self.find(response_id)
        except BadRequestError:
            raise BadRequestError(
                f"Previous response with id {response_id!r} not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            ) from None
        if job.status in ("queued", "in_progress"):
            raise BadRequestError(
                f"Previous response {response_id!r} has not ended yet.", param="previous_response_id"
            )
        return job

    def find_item(self, item_id: str) -> Item | None:
        """Find an output item of a kept response by its id."""
        for job in reversed(self._jobs.values()):
            for item in job.plan.items():
                if item["id"] == item_id:
                    return item
        return None

    def check_resumable(self, job: Job) -> None:
        """Refuse to stream a response again where the real API does.

        Raises:
            BadRequestError: it is not a background response that was streamed, or is too old.
        """
        if not (job.plan.background and job.stream):
            raise BadRequestError(
                "Only a response created with background=true and stream=true can be streamed again.",
                param="stream",
            )
        if job.age_s > self._resume_s:
            raise BadRequestError(
                "This response can no longer be streamed; retrieve it instead.", param="stream"
            )

    def _forget_old(self) -> None:
        while self._jobs:
            oldest = next(iter(self._jobs.values()))
            if oldest.age_s <= self._keep_s and len(self._jobs) < _MOST_JOBS:
                return
            self._jobs.popitem(last=False)
