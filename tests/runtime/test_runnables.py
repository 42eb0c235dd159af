"""Guests of another framework: a kind of spec of their own, run by the function that their package names for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import nbagent as nb
from nbagent import Agent, Team
from nbagent.core import utc_now
from nbagent.errors import ConfigurationError
from nbagent.events import Message, MessageAdded, RunFinished, RunStarted, TextAdded
from nbagent.loop import LoopContext, LoopState, StartChild
from nbagent.models import Model, resolve_model
from nbagent.runtime import Executor, HasModel, LaunchRequest, ResolvedAgent, Runnable, Runtime, current
from nbagent.runtime.execution.executor import KernelExecutor, Work, runner_of
from nbagent.spec import AgentSpec, Limits
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.runtime.scripted_team import Cast, asks, model

T = 10


@dataclass(frozen=True, kw_only=True)
class GuestSpec(AgentSpec):
    """The spec of a guest's agent."""

    kind: ClassVar[str] = "visitor"


class Guest:
    """An agent of another framework, as far as nbagent knows it."""

    name = "guest"
    model: str | Model | None = None
    limits: Limits | None = None

    def resolved(self, *, leader: HasModel | None = None) -> ResolvedAgent:
        """Return its spec; the model is never asked."""
        del leader
        spec = GuestSpec(name=self.name, model="demo:assistant")
        return ResolvedAgent(spec=spec, model=resolve_model("demo:assistant"))


async def run_guest(
    agent: ResolvedAgent, state: LoopState, context: LoopContext, _start_member: StartChild
) -> None:
    """Answer with the prompt, backwards."""
    answer = f"{agent.spec.name}: {state.messages[-1].content[::-1]}"
    context.emit(RunStarted(started_at=utc_now()))
    context.emit(TextAdded(answer, 1))
    context.emit(MessageAdded(message=Message(role="assistant", content=answer)))
    context.emit(RunFinished(stop_reason="end", content=answer, finished_at=utc_now()))


@pytest.fixture
def entry(request: pytest.FixtureRequest) -> str:
    """What the guests' package names in its entry point."""
    return str(getattr(request, "param", f"{__name__}:run_guest"))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> Iterator[None]:
    """Install a package whose entry points name what runs guests."""
    info = tmp_path / "guests_of_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guests-of-tests\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nbagent.runnables]\nvisitor = {entry}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    executor = sys.modules["nbagent.runtime.execution.executor"]
    executor._RUNNERS.pop("visitor", None)


@pytest.mark.parametrize("one", [Agent(name="a"), Team(name="t", members=[Agent()]), Guest()])
def test_agents_teams_and_guests_are_runnable(one: object) -> None:
    """All three fit one Protocol."""
    assert isinstance(one, Runnable)


@pytest.mark.usefixtures("installed")
def test_a_guest_runs_by_its_packages_entry_point() -> None:
    """Its run is in the record as any other, with its own kind, and can be run again."""
    run = current().launch(Guest().resolved(), LaunchRequest(prompt="abc"))
    output = run.result(timeout=T)
    assert (output.content, output.kind, run.text) == ("guest: cba", "visitor", "guest: cba")
    assert current().stored(run.run_id) == output
    again = current().launch(Guest().resolved(), LaunchRequest(prompt="xyz"))
    assert again.result(timeout=T).content == "guest: zyx"


@pytest.mark.usefixtures("installed")
def test_a_guest_is_a_teams_member(provider: ScriptedProvider) -> None:
    """A leader hands work to it as to an agent."""
    Cast(provider, leader=[asks(("guest", "abc")), text_reply("done")])
    leader = model(provider.base_url, "leader")
    output = Team(model=leader, members=[Guest()]).run("Go")
    assert [member.content for member in output.member_responses] == ["guest: cba"]
    assert output.content == "done"


@pytest.mark.parametrize("kind", ["visitor", "crew", ""])
def test_a_kind_that_nothing_runs_is_named(kind: str) -> None:
    """Without its package the run fails with what is missing and where it is looked for."""
    with pytest.raises(ConfigurationError, match=f"nothing here runs {kind!r}\ninstall the package"):
        runner_of(kind)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "entry", ["nowhere_at_all:run", f"{__name__}:nothing", f"{__name__}:T"], indirect=True
)
def test_an_entry_point_that_cannot_be_used_is_named(entry: str) -> None:
    """A missing module, a missing name and what is no function are errors in two lines that name the package."""
    with pytest.raises(ConfigurationError, match=r"'visitor' .*guests-of-tests") as caught:
        runner_of("visitor")
    assert entry in caught.value.what
    assert len(str(caught.value).splitlines()) == 2


def test_a_run_of_an_unknown_kind_fails_in_two_lines() -> None:
    """The run is launched, and its end says so."""
    run = current().launch(Guest().resolved(), LaunchRequest(prompt="abc"))
    output = run.wait(timeout=T)
    assert (output.status, output.error_type) == (nb.RunStatus.error, "ConfigurationError")
    assert (output.error or "").splitlines()[0] == "nothing here runs 'visitor'"


class _Recording(KernelExecutor):
    """An executor that keeps what it was handed."""

    def __init__(self) -> None:
        self.works: list[Work] = []

    async def execute(
        self, work: Work, agent: ResolvedAgent, context: LoopContext, start_member: StartChild
    ) -> None:
        """Keep the work, and do it here."""
        self.works.append(work)
        await super().execute(work, agent, context, start_member)


def test_an_executor_is_handed_plain_data() -> None:
    """What it is handed says which attempt of which run works, and where its loop begins."""
    recording = _Recording()
    executor: Executor = recording
    runtime = Runtime(executor)
    run = runtime.launch(
        Agent(model="demo:assistant").resolved(), LaunchRequest(prompt="What is the capital of Peru?")
    )
    assert run.result(timeout=T).content == "The capital of Peru is Lima."
    (work,) = recording.works
    assert (work.run_id, work.attempt, work.kind) == (run.run_id, 1, "agent")
    assert work.state.messages[0].content == "What is the capital of Peru?"
    runtime.close(0.5)
