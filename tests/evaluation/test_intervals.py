"""Intervals against scipy's own, on random data."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from nbagent.evaluation.intervals import RESAMPLES, bootstrap, wilson


@pytest.mark.parametrize(
    ("successes", "count"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 20), (199, 1000), (1, 100_000)]
)
def test_wilson_is_scipys(successes: int, count: int) -> None:
    """The interval of a share is Wilson's score interval, at the ends too."""
    found = wilson(successes, count)
    expected = scipy.stats.binomtest(successes, count).proportion_ci(0.95, method="wilson")
    assert found.mean == successes / count
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["normal", "shares", "long tail"])
def test_the_bootstrap_agrees_with_scipys(kind: str, seed: int) -> None:
    """The percentile interval of the mean is scipy's, but for the draw."""
    random = np.random.default_rng(seed)
    draws = {"normal": random.normal(3, 2, 80), "shares": random.integers(0, 4, 50) / 3, "long tail": random.exponential(1, 200)}  # fmt: skip
    data = draws[kind]
    found = bootstrap(data.tolist())
    expected = scipy.stats.bootstrap(
        (data,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(99)
    ).confidence_interval
    width = expected.high - expected.low
    assert found.mean == pytest.approx(data.mean())
    assert found.low == pytest.approx(expected.low, abs=0.05 * width)
    assert found.high == pytest.approx(expected.high, abs=0.05 * width)
    assert bootstrap(data.tolist()) == found


def test_too_few_values_have_no_interval() -> None:
    """No value has no mean, one has no interval, equal ones have none of any width."""
    assert bootstrap([]).mean is None
    assert wilson(0, 0).mean is None
    assert (bootstrap([2.0]).mean, bootstrap([2.0]).low) == (2.0, None)
    assert (bootstrap([2.0] * 9).low, bootstrap([2.0] * 9).high) == (2.0, 2.0)
