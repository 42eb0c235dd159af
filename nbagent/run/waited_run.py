"""The run that another one of its session waits for, as a person is told of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """The run before another one in its session; `process` has it, None is this kernel. `gone`: it has ended.

    `waited_s` is how long the other one has waited, in seconds.
    """

    name: str
    paused: bool = False
    process: str | None = None
    gone: bool = False
    waited_s: int = 0

    @property
    def told(self) -> str:
        """What is waited for, in one line."""
        name = f"run {self.name!r}"
        if self.paused and self.gone:
            return (
                f"{name} before it waits for approval and its kernel is gone: "
                f"nbagent.get({self.name!r}).approve(), .deny() or .cancel()"
            )
        where = f" of {self.process}" if self.process else ""
        return f"{name}{where} before it waits for approval" if self.paused else f"{name}{where} is before it"

    @property
    def told_with_time(self) -> str:
        """What is waited for, and for how long."""
        return f"{self.told}; waiting for {self.waited_s} s" if self.waited_s else self.told


def whole_seconds(waited_s: float) -> int:
    """Return a wait as it is shown: seconds, in steps of ten once it is long, so that it rarely changes."""
    whole = int(waited_s)
    return whole if whole < 60 else whole // 10 * 10  # noqa: PLR2004 - a minute
