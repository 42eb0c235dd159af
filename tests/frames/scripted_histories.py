"""Histories that really run: agents and teams in teams on the scripted provider, whose own log is the count to meet.

A strategy makes plans, a `Stage` answers requests by them and notes each. Who asks is known by the instructions, for
what by the task, which is another one each time that a leader hands out work: so (part, task) is one run. A plan in
which replies hang is stopped only once all that can happen has happened: what was asked then leaves no doubt.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hypothesis import strategies as st

from nbagent import Agent, Limits, OpenAIChat, Run, Team
from nbagent.events import ModelCall, Usage
from nbagent.spec import Mode
from tests.frames.random_histories import BEGIN
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import Request
from tests.provider.steps import Drop, Script, Silence, error

Kind = Literal["text", "work", "hand out", "busy", "cut", "refused", "hang"]
Key = tuple[str, str]  # a part's name and its task: one run
State = Literal["moving", "stuck", "done", "failed"]
TRIES = 3
PRICES = {"openai-chat:m-1": {"input": 2.0, "output": 10.0}}  # of m-2 nobody knows the price
_NAME = re.compile(r"You are (\w+)\.")


@dataclass(frozen=True, kw_only=True)
class Part:
    """An agent, or a team where it has members: its replies in order, "text" once they are used up.

    `picks` says in bits to which members its leader hands work, the next time and the time after that.
    """

    name: str
    model: str
    replies: tuple[Kind, ...]
    mode: Mode = "coordinate"
    members: tuple[Part, ...] = ()
    picks: tuple[int, ...] = ()

    def all(self) -> Iterator[Part]:
        """Yield the part and all parts under it."""
        yield self
        for member in self.members:
            yield from member.all()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One launch: its part and session, what stops it where it hangs, how often it is resumed, copies of its answer."""

    part: Part
    session: str
    stop: Literal["cancel", "die"]
    resumes: int
    copies: int


_MODELS = st.sampled_from(["m-1", "m-2"])
_TROUBLE: list[Kind] = ["busy", "busy", "cut", "refused", "hang"]


@st.composite
def _parts(draw: st.DrawFn, name: str, depth: int) -> Part:
    model = draw(_MODELS)
    if depth == 0 or draw(st.sampled_from([False, True, True])) is False:
        kinds = st.sampled_from(["text", "work", "work", *_TROUBLE])
        return Part(name=name, model=model, replies=tuple(draw(st.lists(kinds, max_size=4))))
    mode: Mode = draw(st.sampled_from(["coordinate", "coordinate", "route", "broadcast"]))
    handing: list[Kind] = [] if mode == "broadcast" else ["hand out"] * 5
    replies = draw(st.lists(st.sampled_from([*handing, "text", *_TROUBLE]), max_size=4))
    members = [draw(_parts(name + letter, depth - 1)) for letter in "abc"[: draw(st.integers(1, 3))]]
    return Part(
        name=name,
        model=model,
        replies=(*handing[:1], *replies),
        mode=mode,
        members=tuple(members),
        picks=tuple(draw(st.lists(st.integers(1, 7), min_size=6, max_size=6))),
    )


@st.composite
def plays(draw: st.DrawFn, name: str) -> tuple[Plan, ...]:
    """One history: one launch or two, in one session or in two, at the same time."""
    return tuple(
        Plan(
            part=draw(_parts(f"{name}{number}", 2)),
            session=f"{name}{draw(st.integers(1, 2))}",
            stop=draw(st.sampled_from(["cancel", "die", "die"])),
            resumes=draw(st.sampled_from([2, 1, 0])),
            copies=draw(st.sampled_from([0, 0, 1])),
        )
        for number in range(draw(st.integers(1, 2)))
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as the server had it, and what it was given; `handed` are the runs that the reply asks for."""

    part: Part
    kind: Kind
    try_no: int
    usage: dict[str, Any] | None
    handed: tuple[Key, ...] = ()

    def call(self) -> ModelCall:
        """The model call that must be on record for it; times are not looked at."""
        done = self.kind in ("text", "work", "hand out")
        told = self.usage or {}
        usage = Usage(
            input_tokens=told.get("prompt_tokens"),
            output_tokens=told.get("completion_tokens"),
            total_tokens=told.get("total_tokens"),
            cache_read_tokens=told.get("prompt_tokens_details", {}).get("cached_tokens"),
        )
        priced = self.part.model == "m-1" and self.usage is not None
        dollars = ((usage.input_tokens or 0) * 2 + (usage.output_tokens or 0) * 10) / 1e6
        return ModelCall(
            step=1,
            attempt=self.try_no,
            provider="openai-chat",
            request_model=self.part.model,
            status="completed" if done else "cancelled" if self.kind == "hang" else "error",
            started_at=BEGIN,
            duration_s=1.0,
            usage=usage,
            cost_usd=dollars if priced else None,
        )


@dataclass(eq=False)
class Stage:
    """The provider's side of some histories. The provider's thread and tools' threads call in here, and the test's."""

    plans: tuple[Plan, ...]
    log: dict[Key, list[Asked]] = field(default_factory=dict)
    worked: int = 0
    calm: bool = False  # nothing hangs any more

    def __post_init__(self) -> None:
        parts = [part for plan in self.plans for part in plan.part.all()]
        self._lock = threading.Lock()
        self._parts = {part.name: part for part in parts}
        self._replies = {part.name: deque(part.replies) for part in parts}
        self._picks = {part.name: deque(part.picks) for part in parts}
        self._tasks = 0

    # ----------------------------------------------------------------- provider

    def answer(self, request: Request) -> Script:
        """Return the next reply of the part that asks, and note it; on the provider's thread."""
        messages = request.body["messages"]
        found = _NAME.search(messages[0]["content"])
        assert found is not None
        part = self._parts[found[1]]
        key = part.name, next(one["content"] for one in reversed(messages) if one["role"] == "user")
        with self._lock:
            asked = self._note(part, key)
        return self._script(asked)

    def _note(self, part: Part, key: Key) -> Asked:
        earlier = self.log.setdefault(key, [])
        again = bool(earlier) and earlier[-1].kind in ("busy", "cut") and earlier[-1].try_no < TRIES
        kind: Kind = self._replies[part.name].popleft() if self._replies[part.name] else "text"
        if kind == "hang" and self.calm:
            kind = "text"
        handed = self._handed(part) if kind == "hand out" else ()
        if kind == "hand out" and not handed:
            kind = "text"
        number = sum(map(len, self.log.values()))
        usage: dict[str, Any] | None = None
        if kind in ("text", "work", "hand out") and number % 5:
            usage = {"prompt_tokens": 10 + number, "completion_tokens": 1 + number % 7}
            usage["total_tokens"] = sum(usage.values())
            if part.model == "m-2" and number % 3:
                usage["prompt_tokens_details"] = {"cached_tokens": number % 10}
        asked = Asked(
            part=part,
            kind=kind,
            try_no=earlier[-1].try_no + 1 if again else 1,
            usage=usage,
            handed=handed,
        )
        earlier.append(asked)
        return asked

    def _handed(self, part: Part) -> tuple[Key, ...]:
        bits = self._picks[part.name].popleft() if self._picks[part.name] else 0
        picked = [one for place, one in enumerate(part.members) if bits >> place & 1]
        handed = []
        for member in picked[:1] if part.mode == "route" else picked:
            self._tasks += 1
            handed.append((member.name, f"task {self._tasks}"))
        return tuple(handed)

    def _script(self, asked: Asked) -> Script:
        match asked.kind:
            case "busy":
                return error(503, "busy", headers={"retry-after": "0.001"})
            case "refused":
                return error(400, "no")
            case "cut":
                return (*text("cut "), Drop())
            case "hang":
                return (*text("Hm"), Silence())
            case "work":
                return tool_reply(("work", {}), usage=asked.usage)
            case "hand out":
                tasks = [(f"delegate_to_{name}", {"task": task}) for name, task in asked.handed]
                return tool_reply(*tasks, usage=asked.usage)
            case "text":
                return text_reply("So.", usage=asked.usage)

    # -------------------------------------------------------------------- runs

    def launch(self, number: int, url: str, tags: dict[str, str]) -> Run:
        """Launch a plan."""
        plan = self.plans[number]
        agent = self._agent(plan.part, url)
        agent.on_busy = "parallel"
        return agent.start(f"launch {number}", session_id=plan.session, tags=tags)

    def _agent(self, part: Part, url: str) -> Agent:
        given: dict[str, Any] = {
            "name": part.name,
            "model": OpenAIChat(id=part.model, base_url=url, api_key="not-needed", provider="openai-chat"),
            "instructions": f"You are {part.name}.",
            "limits": Limits(model_retries=TRIES - 1),
            "history_runs": 0,
        }
        if part.members:
            return Team(**given, mode=part.mode, members=[self._agent(one, url) for one in part.members])
        return Agent(**given, tools=[self._work])

    def _work(self) -> str:
        """Work."""
        with self._lock:
            self.worked += 1
        return "worked"

    def settled(self, number: int, run: Run) -> bool:
        """Whether nothing more can happen to a plan's run: it has ended, or hangs with all else told and recorded."""
        if run.done():
            return True
        with self._lock:
            plan = self.plans[number]
            stuck = self._state((plan.part.name, f"launch {number}")) == "stuck"
            answered = sum(asked.kind != "hang" for _, asked in self.asked(plan))
        return stuck and answered == sum(len(one.model_calls) for one in with_members(run.output))

    def _state(self, key: Key) -> State:
        part, asked = self._parts[key[0]], self.log.get(key)
        if asked:
            last = asked[-1]
            if last.kind in ("busy", "cut"):
                return "failed" if last.try_no == TRIES else "moving"
            if last.kind != "hand out":
                plain: dict[Kind, State] = {"text": "done", "refused": "failed", "hang": "stuck"}
                return plain.get(last.kind, "moving")
            handed = last.handed
        elif part.mode == "broadcast" and part.members:
            handed = tuple((member.name, key[1]) for member in part.members)
        else:
            return "moving"
        below = [self._state(one) for one in handed]
        if part.mode == "route" and below == ["done"]:
            return "done"
        return "moving" if "moving" in below or "stuck" not in below else "stuck"

    # -------------------------------------------------------------------- counts

    def asked(self, plan: Plan | None = None) -> list[tuple[Key, Asked]]:
        """All requests, or those of a plan, with the run that each belongs to."""
        names = {part.name for part in plan.part.all()} if plan is not None else self._parts.keys()
        return [(key, one) for key, several in self.log.items() if key[0] in names for one in several]

    def path(self, name: str) -> tuple[str, str | None]:
        """The names of a part's team and of its leader, as `by_member` has them."""
        for plan in self.plans:
            for part in plan.part.all():
                if name in [member.name for member in part.members]:
                    return plan.part.name, part.name
        return name, None


def with_members(output: Any) -> Iterator[Any]:
    """Yield an output and those of all runs below it."""
    yield output
    for member in output.member_responses:
        yield from with_members(member)


def named(plans: tuple[Plan, ...], example: str) -> tuple[Plan, ...]:
    """The plans with sessions of their own."""
    return tuple(replace(plan, session=f"{example}-{plan.session}") for plan in plans)
