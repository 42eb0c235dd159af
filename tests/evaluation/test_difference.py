"""`nb.diff`: two runs side by side."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent.errors import ConfigurationError


def price(symbol: str) -> float:
    """Last price of a stock, by its ticker symbol."""
    return float(len(symbol))


def run_of(prompt: str, **options: Any) -> nb.Run:
    """A finished run on the demo model."""
    run = nb.Agent(name="differs", model="demo:assistant", tools=[price], **options).start(prompt)
    run.wait(timeout=60)
    return run


def test_a_run_does_not_differ_from_itself() -> None:
    """By handle, output, id or label there is no difference, also of a failed run and one read from the record."""
    run = run_of("What is the price of AAPL?")
    for other in (run, run.output, run.run_id, nb.get(run.run_id)):
        frame = nb.diff(run, other)
        assert frame["same"].all()
        assert {"tool call", "tool result", "text", "tokens", "duration_s"} <= set(frame["kind"])
    failed = nb.Agent(model="demo:failing").start("Hm")
    failed.wait(timeout=60)
    assert nb.diff(failed, failed.run_id)["same"].all()


def test_differences_stand_at_their_steps() -> None:
    """The k-th call of a step stands beside the other's k-th; what one run has not is None."""
    one, two = run_of("Compare AAPL and IBM"), run_of("What is the price of AAPL?")
    frame = nb.diff(one, two)
    calls = frame[frame["kind"].astype(str).str.startswith("tool call")]
    assert list(calls["step"]) == [1, 1, 1]
    assert {(a, b) for a, b in zip(calls["a"], calls["b"], strict=True)} == {
        ('price({"symbol":"AAPL"})', None), ('price({"symbol":"IBM"})', None), (None, 'price({"symbol":"AAPL"})'),
    }  # fmt: skip
    prompt = frame[(frame["step"] == 0) & (frame["kind"] == "prompt")].iloc[0]
    assert (prompt["a"], prompt["b"], prompt["same"]) == (
        "Compare AAPL and IBM",
        "What is the price of AAPL?",
        False,
    )


@pytest.mark.parametrize("given", [7, None, [1]])
def test_what_is_no_run_is_refused_in_two_lines(given: Any) -> None:
    """What names no run is named itself."""
    with pytest.raises(ConfigurationError) as raised:
        nb.diff(given, given)
    assert len(str(raised.value).splitlines()) == 2
