"""Where a batch stands, as the panel shows it."""

from __future__ import annotations

import pytest

from nbagent import Agent
from nbagent.events import Usage
from nbagent.models.protocol import ReplyFinished, ReplyStarted
from nbagent.panel.table.batches import state_of


class Model:
    """Answers, and says what it counted."""

    provider = "scripted"

    def __init__(self, tokens: int | None) -> None:
        self.id, self._tokens = f"counts-{tokens}", tokens

    def check(self) -> None:
        """Needs nothing."""

    async def stream(self, _request):
        """Give one answer."""
        yield ReplyStarted()
        told = {} if self._tokens is None else {"usage_source": "reported"}
        yield ReplyFinished(
            text="Done.", finish_reason="stop", usage=Usage(total_tokens=self._tokens), **told
        )


@pytest.mark.parametrize(("tokens", "shown"), [(None, None), (7, 14), (250_000, 500_000)])
def test_tokens_that_no_server_has_told_are_unknown_and_those_of_answers_given_again_are_none(tokens, shown):
    """A batch whose rows nobody counted shows no 0; the same rows again ask nothing, and that is 0."""
    agent = Agent(model=Model(tokens), name="counter")
    for expected in (shown, 0):
        batch = agent.map(["a", "b"], "Say {{ row }}")
        batch.result(60)
        assert state_of(batch)["tokens"] == expected
