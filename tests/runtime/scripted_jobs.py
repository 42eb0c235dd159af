"""The provider's and the tools' side of the stateful test: what each job gets for an answer, and what was asked.

A job is a prompt with a plan: the replies to its requests, one after the other, text once it is used up. What is held
waits at a gate of that job. The provider's thread, tools' threads and the background loop call in here.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from nbagent import Run, tool
from tests.provider.chat_wire import chunk, data
from tests.provider.server import Request
from tests.provider.steps import Drop, Gate, Raw, Script, Wait, error

Kind = Literal["text", "held", "half", "tool", "tools", "busy", "cut", "refused", "approval"]
KINDS: tuple[Kind, ...] = ("text", "held", "half", "tool", "tools", "busy", "cut", "refused")
FAILING = frozenset({"busy", "cut", "refused"})
CAN_APPROVE = hasattr(Run, "approve")
if CAN_APPROVE:
    KINDS = (*KINDS, "approval")

_TAG = re.compile(r"^job (\d+)$")


@dataclass(eq=False)
class Job:
    """One prompt, its plan and its runs: the first one and its retries. `runs` is the test thread's."""

    tag: int
    plan: deque[Kind]
    session_id: str | None
    runs: list[Run] = field(default_factory=list)
    disturbed: bool = False  # somebody stopped it: how it ends is a matter of who came first
    last: Kind | None = None  # the reply that it was given last
    held: list[Gate] = field(default_factory=list)
    freed: bool = False

    @property
    def prompt(self) -> str:
        """The prompt by which its requests are known."""
        return f"job {self.tag}"


@dataclass(frozen=True, slots=True)
class Sent:
    """A whole reply that the provider has sent, or was about to: its job, request and tokens."""

    job: Job
    request: Request
    usage: dict[str, int]


class Desk:
    """All jobs of one example; `sent` is by response id."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.sent: dict[str, Sent] = {}
        self.bodies: list[Any] = []
        self._lock = threading.Lock()
        self._over = False

    def add(self, plan: list[Kind], session_id: str | None) -> Job:
        """Make a job."""
        job = Job(len(self.jobs), deque(plan), session_id)
        self.jobs.append(job)
        return job

    def gate(self, job: Job) -> Gate:
        """Make a gate of this job."""
        gate = Gate()
        with self._lock:
            if not job.freed:
                job.held.append(gate)
                return gate
        gate.open()
        return gate

    def release(self, job: Job, *, for_good: bool = False) -> None:
        """Let go what waits at the job's gates; what comes later as well, if `for_good`."""
        with self._lock:
            held, job.held = job.held, []
            job.freed = job.freed or for_good
        for gate in held:
            gate.open()

    # ----------------------------------------------------------------- provider

    def answer(self, request: Request) -> Script:
        """Return the script of the next reply to this request's job; on the provider's thread."""
        messages = request.body["messages"]
        tags = [found for one in messages if one["role"] == "user" and (found := _TAG.match(one["content"]))]
        job = self.jobs[int(tags[-1][1])]
        with self._lock:
            self.bodies.append(request.body)
            kind: Kind = job.plan.popleft() if job.plan else "text"
            job.last = kind
            number = len(self.sent)
            usage = {"prompt_tokens": 10 + number, "completion_tokens": 1 + number % 7}
            usage["total_tokens"] = sum(usage.values())
            name = f"chatcmpl-{number}"
            if kind not in FAILING:
                self.sent[name] = Sent(job, request, usage)
        return self._script(kind, job, name, usage)

    def _script(self, kind: Kind, job: Job, name: str, usage: dict[str, int]) -> Script:
        calls = {
            "tool": [("work", {"tag": job.tag})],
            "tools": [
                ("work", {"tag": job.tag, "held": True}),
                ("work_awaited", {"tag": job.tag, "held": True}),
            ],
            "approval": [("ask_first", {"tag": job.tag})],
        }
        if kind == "busy":
            return error(503, "busy", headers={"retry-after": "0.01"})
        if kind == "refused":
            return error(400, "no")
        if kind == "cut":
            return (*_said(name, "cut "), Drop())
        if kind in calls:
            return (*_asked(name, calls[kind]), *_end(name, "tool_calls", usage))
        before = (Wait(self.gate(job)),) if kind == "held" else ()
        between = (Wait(self.gate(job)),) if kind == "half" else ()
        return (*before, *_said(name, "so "), *between, *_said(name, "far"), *_end(name, "stop", usage))

    # -------------------------------------------------------------------- tools

    def tools(self) -> list[Any]:
        """Return the tools: they work for a job, and wait at a gate of it where they are told to."""

        def work(tag: int, *, held: bool = False) -> str:
            """Work in a thread."""
            if held:
                self.gate(self.jobs[tag]).opened.wait()
            return f"done {tag}"

        async def work_awaited(tag: int, *, held: bool = False) -> str:
            """Work on the loop."""
            if held:
                opened = asyncio.Event()
                self.gate(self.jobs[tag]).join(asyncio.get_running_loop(), opened)
                await opened.wait()
            return f"done {tag}"

        @tool(requires_approval=True)
        def ask_first(tag: int) -> str:
            """Work if a person agrees."""
            return f"done {tag}"

        return [work, work_awaited, *([ask_first] if CAN_APPROVE else [])]


def _said(name: str, text: str) -> tuple[Raw, ...]:
    return (chunk({"role": "assistant", "content": text}, id=name),)


def _asked(name: str, calls: list[tuple[str, dict[str, Any]]]) -> tuple[Raw, ...]:
    parts = [
        {
            "index": index,
            "id": f"{name}-{index}",
            "type": "function",
            "function": {"name": called, "arguments": json.dumps(arguments)},
        }
        for index, (called, arguments) in enumerate(calls)
    ]
    return (chunk({"tool_calls": parts}, id=name),)


def _end(name: str, finish: str, usage: dict[str, int]) -> tuple[Raw, ...]:
    return (chunk({}, finish=finish, id=name), chunk(usage=usage, id=name), data("[DONE]"))
