"""How often what is shown is looked at."""

from __future__ import annotations

import pytest

from nbagent.panel.card.display import pause_after


@pytest.mark.parametrize(
    ("took_s", "least_s", "pause_s"),
    [(0.0, 0.1, 0.1), (0.001, 0.1, 0.1), (0.05, 0.1, 1.0), (3.0, 0.1, 2.0), (3.0, 5.0, 5.0)],
)
def test_a_dear_tick_is_followed_by_a_longer_pause(took_s: float, least_s: float, pause_s: float) -> None:
    """A tick costs at most a twentieth of a core, but one slow tick lets nobody wait for more than two seconds."""
    assert pause_after(took_s, least_s) == pytest.approx(pause_s)
