"""What the workers of `workers.py` serve: a model that answers at once, and one that streams words, both in the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import nbagent as nb
from nbagent.events import Usage
from nbagent.models import ModelEvent, ModelRequest, ReplyFinished, ReplyStarted, TextDelta


class Words:
    """Says `count` words, `pause_s` apart."""

    provider = "bench"

    def __init__(self, name: str, count: int, pause_s: float) -> None:
        self.id, self.count, self.pause_s = name, count, pause_s

    def check(self) -> None:
        """Nothing can be missing."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Say them."""
        yield ReplyStarted()
        for number in range(self.count):
            yield TextDelta(f"word{number} ")
            if self.pause_s:
                await asyncio.sleep(self.pause_s)
        text = " ".join(f"word{number}" for number in range(self.count))
        usage = Usage(input_tokens=len(request.messages), output_tokens=self.count)
        yield ReplyFinished(text=text, finish_reason="stop", usage=usage, usage_source="reported")


quick = nb.Agent(model=Words("quick", 50, 0.0), name="quick")
slow = nb.Agent(model=Words("slow", 600, 0.05), name="slow")
