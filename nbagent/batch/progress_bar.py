"""A batch's progress as text, where no front end shows it: tqdm's bar while a terminal waits. On the waiting thread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nbagent.batch.running.results import BatchProgress


@contextmanager
def bar_of(progress: Callable[[], BatchProgress]) -> Iterator[Callable[[], None]]:
    """Give a function that brings the bar up to date; it draws nothing in a notebook, nor where nobody looks."""
    if "ipykernel" in sys.modules or not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=progress().total, unit="row", dynamic_ncols=True) as bar:

        def refresh() -> None:
            now = progress()
            bar.total = now.total
            bar.n = now.ended
            bar.set_postfix_str(_postfix(now), refresh=False)
            bar.refresh()

        yield refresh


def _postfix(now: BatchProgress) -> str:
    """Return what the bar itself does not say."""
    parts = [f"{now.failed} failed"] if now.failed else []
    parts += [f"{now.cancelled} cancelled"] if now.cancelled else []
    parts += [f"{now.not_asked} not asked"] if now.not_asked else []
    parts += [f"${now.cost_usd:.4f}"] if now.cost_usd else []
    parts += [f"slowed to {now.pace_per_s:.1f}/s"] if now.pace_per_s is not None else []
    return ", ".join(parts)
