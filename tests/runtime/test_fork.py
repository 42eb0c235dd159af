"""`run.fork`: a run that begins after a finished step of another one."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, Team
from nbagent.errors import ConfigurationError
from nbagent.runtime import current
from nbagent.store import load_stopped
from nbagent.template import render
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait

CALLED: list[str] = []


def price(symbol: str) -> float:
    """Last price of a stock, by its ticker symbol."""
    CALLED.append(symbol)
    return 190.5


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent with a tool at the scripted provider."""
    CALLED.clear()
    model = OpenAIChat(id="m-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(name="trader", model=model, tools=[price], limits=Limits(model_retries=0))


def texts(request: Any) -> list[tuple[str, str]]:
    """Role and text of a request's messages, instructions aside."""
    return [
        (one["role"], one.get("content") or "") for one in request.body["messages"] if one["role"] != "system"
    ]


def three_steps(provider: ScriptedProvider, agent: Agent, **options: Any) -> nb.Run:
    """A run of two tool calls, one a step, and an answer."""
    provider.reply(
        tool_reply(("price", {"symbol": "A"})), tool_reply(("price", {"symbol": "B"})), text_reply("A and B")
    )
    run = agent.start("Prices?", **options)
    run.result(timeout=60)
    assert len(provider.requests) == 3
    return run


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_shared_steps_are_not_asked_nor_called_nor_counted_again(
    provider: ScriptedProvider, agent: Agent, step: int
) -> None:
    """The server gets the calls after the step alone; totals over both runs are what it counted."""
    first = three_steps(provider, agent)
    left = {0: [tool_reply(("price", {"symbol": "A"}))], 1: [], 2: [], 3: []}[step]
    provider.reply(*left, text_reply("done"))
    fork = first.fork(step, prompt="Go on." if step == 3 else None)
    assert fork.result(timeout=60).content == "done"
    asked = provider.requests[3:]
    assert len(asked) == len(left) + 1
    assert ["A", "B", *["A"] * len(left)] == CALLED
    roles = [role for role, _ in texts(asked[0])]
    assert roles == (
        ["user", *["assistant", "tool"] * min(step, 2)] + (["assistant", "user"] if step == 3 else [])
    )
    (counted,) = nb.metrics.by_agent().to_dict("records")
    assert counted["model_calls"] == len(provider.requests)
    assert counted["tool_calls"] == len(CALLED)
    row = nb.runs().set_index("run_id").loc[fork.run_id]
    assert (row["forked_from"], row["forked_step"]) == (first.run_id, step)
    assert (fork.output.forked_from, nb.get(fork.run_id).output.forked_step) == (first.run_id, step)
    assert fork.session_id != first.session_id


def test_a_prompt_at_its_beginning_replaces_and_later_is_added(
    provider: ScriptedProvider, agent: Agent
) -> None:
    """Step 0 asks another prompt; a later step has it as one more message of the user."""
    first = three_steps(provider, agent)
    provider.otherwise(text_reply("done"))
    first.fork(prompt="Other?").result(timeout=60)
    assert texts(provider.requests[-1]) == [("user", "Other?")]
    fork = first.fork(1, prompt="Only A, please.")
    fork.result(timeout=60)
    assert [text for role, text in texts(provider.requests[-1]) if role == "user"] == [
        "Prices?",
        "Only A, please.",
    ]
    assert (fork.output.prompt, len(fork.output.messages)) == ("Only A, please.", 5)


def test_a_fork_keeps_the_template_of_the_prompt_that_it_has(
    provider: ScriptedProvider, agent: Agent
) -> None:
    """What was filled in can be filled in again: the run's template with its prompt, else that of the new prompt."""
    provider.otherwise(lambda _: text_reply("done"))
    first = agent.start(render("About {{ n }}", {"n": 1}))
    first.result(timeout=60)
    forks = [first.fork(), first.fork(prompt=render("Of {{ n }}", {"n": 2})), first.fork(prompt="Plain.")]
    for fork in forks:
        fork.result(timeout=60)
    kept = [load_stopped(current().store, fork.run_id) for fork in forks]
    assert [one and one.template for one in kept] == ["About {{ n }}", "Of {{ n }}", None]


def test_the_sessions_history_is_copied_and_goes_its_own_way(
    provider: ScriptedProvider, agent: Agent
) -> None:
    """A fork sees what came before the run in its session, not what came after; later runs of it see the fork."""
    provider.otherwise(lambda request: text_reply(f"answer {sum(r == 'user' for r, _ in texts(request))}"))
    agent.run("One", session="talk")
    second = agent.start("Two", session="talk")
    second.result(timeout=60)
    agent.run("Three", session="talk")
    fork = second.fork(prompt="Other two")
    fork.result(timeout=60)
    assert texts(provider.requests[-1]) == [("user", "One"), ("assistant", "answer 1"), ("user", "Other two")]
    agent.run("Then?", session=fork.session_id)
    assert [text for role, text in texts(provider.requests[-1]) if role == "user"] == [
        "One",
        "Other two",
        "Then?",
    ]
    agent.run("And?", session="talk")
    assert [text for role, text in texts(provider.requests[-1]) if role == "user"] == [
        "One",
        "Two",
        "Three",
        "And?",
    ]


def test_a_fork_may_have_another_agent_or_model(provider: ScriptedProvider, agent: Agent) -> None:
    """`model` asks another one for the rest, `agent` has its own instructions and tools."""
    first = three_steps(provider, agent)
    provider.otherwise(text_reply("done"))
    first.fork(2, model=OpenAIChat(id="m-2", base_url=provider.base_url, api_key="not-needed")).result(
        timeout=60
    )
    assert provider.requests[-1].body["model"] == "m-2"
    other = Agent(name="other", model=agent.model, instructions="Be brief.", limits=Limits(model_retries=0))
    fork = first.fork(2, agent=other)
    fork.result(timeout=60)
    assert provider.requests[-1].body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "tools" not in provider.requests[-1].body


def test_a_fork_of_a_stopped_run_goes_on_and_is_resumed_itself(
    provider: ScriptedProvider, agent: Agent
) -> None:
    """A run that a limit stopped can be forked; limits count from the fork, which can be resumed and forked again."""
    provider.reply(tool_reply(("price", {"symbol": "A"})), tool_reply(("price", {"symbol": "B"})))
    limits = Limits(max_steps=2, model_retries=0)
    first = Agent(name="trader", model=agent.model, tools=[price], limits=limits).start("Prices?")
    assert first.wait(timeout=60).stop_reason == "max_steps"
    provider.reply(tool_reply(("price", {"symbol": "C"})), tool_reply(("price", {"symbol": "D"})))
    fork = first.fork(1)
    assert fork.wait(timeout=60).stop_reason == "max_steps"
    assert [call.step for call in fork.output.model_calls] == [2, 3]
    provider.reply(text_reply("done"), text_reply("again"))
    fork.resume(limits=Limits(max_steps=1, model_retries=0)).result(timeout=60)
    assert fork.content == "done"
    assert len([1 for role, _ in texts(provider.requests[-1]) if role == "tool"]) == 3
    assert fork.fork(3).result(timeout=60).content == "again"


def test_of_a_team_the_leaders_steps_are_shared(provider: ScriptedProvider) -> None:
    """A fork of a team's run after the members answered asks the leader alone."""
    model = OpenAIChat(id="m-1", base_url=provider.base_url, api_key="not-needed")
    members = [Agent(name=name, model=model, instructions=f"You know {name}.") for name in ("geo", "stocks")]
    team = Team(name="desk", members=members, model=model)
    tools: list[str] = []

    def reply(request: Any) -> Any:
        names = [one["function"]["name"] for one in request.body.get("tools", [])]
        answered = any(one["role"] == "tool" for one in request.body["messages"])
        tools.extend(names)
        return tool_reply((names[0], {"task": "Where?"})) if names and not answered else text_reply("there")

    provider.otherwise(reply)
    first = team.start("Where is it?")
    first.result(timeout=60)
    asked = len(provider.requests)
    fork = first.fork(1)
    assert fork.result(timeout=60).content == "there"
    assert len(provider.requests) == asked + 1
    assert fork.member_responses == ()


@pytest.mark.parametrize(
    ("step", "options", "said"),
    [(4, {}, "not 4"), (-1, {}, "not -1"), (True, {}, "not True"), ("1", {}, "not '1'"), (1.5, {}, "not 1.5"), (1, {"prompt": 3}, "the prompt is 3"), (3, {}, "nothing is left to do")],
)  # fmt: skip
def test_what_cannot_be_forked_is_refused_in_two_lines(
    provider: ScriptedProvider, agent: Agent, step: Any, options: Any, said: str
) -> None:
    """A step that is not there, or after which nothing is left, is named; nothing is asked."""
    first = three_steps(provider, agent)
    with pytest.raises(ConfigurationError) as raised:
        first.fork(step, **options)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 2
    assert len(provider.requests) == 3


def test_a_step_may_come_from_a_frame(provider: ScriptedProvider, agent: Agent) -> None:
    """numpy's whole numbers are steps, and are recorded as such."""
    first = three_steps(provider, agent)
    provider.reply(text_reply("there"))
    fork = first.fork(nb.metrics.steps(first)["step"].max() - 1)
    assert fork.result(timeout=60).content == "there"
    assert nb.runs().set_index("run_id").loc[fork.run_id, "forked_step"] == 2


def test_a_run_at_work_cannot_be_forked(provider: ScriptedProvider, agent: Agent) -> None:
    """It is still being written: the error says what to wait for."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("1")))
    run = agent.start("Wait")
    provider.wait_for_requests(1)
    with pytest.raises(ConfigurationError, match="wait for it"):
        run.fork()
    gate.open()
    run.result(timeout=60)
