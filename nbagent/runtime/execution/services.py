"""What a live run is given: the parts of its runtime that it uses, and where a resumed attempt begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbagent.events import Event, PendingApproval
    from nbagent.loop import Decision, LoopState
    from nbagent.models import Model
    from nbagent.runtime.execution.active_run import ActiveRun
    from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent
    from nbagent.runtime.scheduling.concurrency import CallSlots
    from nbagent.runtime.scheduling.main_thread import MainThread
    from nbagent.runtime.scheduling.session_queue import SessionQueue
    from nbagent.spec import AgentSpec
    from nbagent.store import Store, StoredTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """What a live run uses of its runtime.

    `start` launches a child run on the loop; `resume` goes on with one, and blocks: in a thread of its own.
    `remembered` is what this kernel knows by itself of a session.
    """

    store: Store
    slots: CallSlots
    sessions: SessionQueue
    main: MainThread
    finished: Callable[[ActiveRun], None]
    start: Callable[[AgentSpec, Model, LaunchRequest], ActiveRun]
    resume: Callable[[str, ResolvedAgent], ActiveRun]
    remembered: Callable[[Store, str], list[StoredTurn]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """Where a resumed attempt begins: the loop's state without its session's history, and what to say first.

    `members` says which run each tool call of a team, by its step and id, had started. `decided` is what a person
    said to the calls that a paused run waited for, when they adopted it.
    """

    state: LoopState
    events: tuple[Event, ...] = ()
    members: Mapping[tuple[int, str], str] = field(default_factory=dict)
    decided: Mapping[str, tuple[PendingApproval, Decision]] = field(default_factory=dict)
