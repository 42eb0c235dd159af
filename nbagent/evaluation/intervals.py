"""Intervals for means: Wilson's for yes and no, the bootstrap over cases else. Pure; numpy is imported with the first.

All are of 95 %, two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959963984540054  # the normal quantile of 97.5 %
RESAMPLES: Final = 9_999
SEED: Final = 0
_AT_ONCE: Final = 4_000_000  # numbers drawn in one go, so that many cases do not fill the memory


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; None where there are too few values."""

    mean: float | None
    low: float | None = None
    high: float | None = None


def wilson(successes: int, count: int) -> Interval:
    """Give the share of successes with Wilson's score interval (Wilson 1927, without continuity correction)."""
    if not count:
        return Interval(None)
    share, z2 = successes / count, _Z * _Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(values: Sequence[float]) -> Interval:
    """Give the mean of values, one for each case, with the percentile interval of resampled means.

    The seed is fixed: the same values have the same interval. Two values at least have one.
    """
    import numpy as np

    data = np.asarray(values, dtype=float)
    if not len(data):
        return Interval(None)
    mean = float(data.mean())
    if len(data) == 1:
        return Interval(mean)
    random = np.random.default_rng(SEED)
    step = max(1, _AT_ONCE // len(data))
    means = np.concatenate(
        [
            data[random.integers(0, len(data), (min(step, RESAMPLES - done), len(data)))].mean(axis=1)
            for done in range(0, RESAMPLES, step)
        ]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(mean, float(low), float(high))
