"""A tool that wants approval: the run is paused until a person decides, from whichever kernel, and nothing runs before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, ConfigurationError, RunStatus, tool
from nbagent.errors import UnknownNameError
from nbagent.events import (
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    PendingApproval,
    ToolCallFinished,
    ToolCallStarted,
)
from nbagent.loop import Decision
from nbagent.runtime import current
from nbagent.store import DecisionRequest, Store
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence

Until = Callable[[Callable[[], bool]], None]

PAY = {"amount": 5, "to": "Bob"}
paid: list[tuple[int, str]] = []


@tool(requires_approval=True)
def pay(amount: int, to: str) -> str:
    """Pay somebody."""
    paid.append((amount, to))
    return f"paid {amount} to {to}"


@tool(requires_approval=lambda amount, **_: amount > 100)
def spend(amount: int) -> str:
    """Spend money."""
    paid.append((amount, "shop"))
    return f"spent {amount}"


@pytest.fixture
def clerk(agent: Agent) -> Agent:
    """An agent that may pay, if a person agrees."""
    paid.clear()
    agent.tools = [pay]
    return agent


def paused(agent: Agent, provider: ScriptedProvider, until: Until, *calls: Any, **options: Any) -> nb.Run:
    """A run whose model has asked for these calls, and that waits for a person."""
    provider.reply(tool_reply(*(calls or (("pay", PAY),))))
    run = agent.start("Pay Bob", **options)
    until(lambda: run.status is RunStatus.paused)
    return run


def told(provider: ScriptedProvider) -> list[str]:
    """What the last request says of the tools."""
    return [message["content"] for message in provider.bodies[-1]["messages"] if message["role"] == "tool"]


def test_nothing_runs_before_a_person_approves(
    clerk: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """The run is paused and shows the call; after approval the tool runs once and the run goes on; events say so."""
    run = paused(clerk, provider, until)
    call = PendingApproval(step=1, tool_call_id="call_1", name="pay", arguments=PAY)
    assert run.pending_approvals == run.output.pending_approvals == (call,)
    assert str(call) == "pay(amount=5, to='Bob')"
    assert (paid, run.output.tool_calls, len(provider.requests)) == ([], (), 1)
    assert current().stored(run.run_id).pending_approvals == (call,)
    assert list(nb.runs()["status"]) == ["paused"]
    provider.reply(text_reply("Done."))
    assert run.approve() == (call,)
    assert run.status is not RunStatus.paused
    output = run.result(timeout=60)
    assert (output.content, paid, told(provider)) == ("Done.", [(5, "Bob")], ["paid 5 to Bob"])
    assert output.pending_approvals == ()
    assert current().stored(run.run_id) == output
    with pytest.raises(ConfigurationError, match=r"waits for no approval: it is completed\n"):
        run.approve()


def test_a_denied_call_is_told_to_the_model(clerk: Agent, provider: ScriptedProvider, until: Until) -> None:
    """The model reads the reason, the run goes on, the call has a row of its own, and the tool never began."""
    seen: list[Any] = []
    run = paused(clerk, provider, until, on_event=seen.append)
    provider.reply(text_reply("As you wish."))
    assert [call.name for call in run.deny("too expensive")] == ["pay"]
    output = run.result(timeout=60)
    assert output.content == "As you wish."
    assert told(provider) == ["Error: a person denied this call of 'pay': too expensive\nIt was not run."]
    (call,) = current().stored(run.run_id).tool_calls
    assert (call.status, call.error, call.result) == ("denied", "too expensive", told(provider)[0])
    assert output.metrics.details["tool_call"][0]["errors"] == 0
    assert paid == []
    kinds = [
        type(event) for event in seen if type(event) in (ApprovalRequested, ApprovalDenied, ApprovalGiven)
    ]
    assert kinds == [ApprovalRequested, ApprovalDenied]
    assert ToolCallStarted not in map(type, seen)


def test_of_two_calls_one_may_be_denied(clerk: Agent, provider: ScriptedProvider, until: Until) -> None:
    """Calls are decided one by one, by their ids; the run is paused until the last; answers keep their order."""
    run = paused(clerk, provider, until, ("pay", PAY), ("pay", {"amount": 7, "to": "Eve"}))
    until(lambda: len(run.pending_approvals) == 2)
    with pytest.raises(UnknownNameError, match=r"no call 'call_3' of run .* .did you mean 'call_2'"):
        run.approve("call_3")
    run.approve("call_2")
    until(lambda: paid == [(7, "Eve")])
    assert run.status is RunStatus.paused
    assert [call.tool_call_id for call in run.pending_approvals] == ["call_1"]
    provider.reply(text_reply("Done."))
    run.deny(tool_call_id="call_1")
    assert run.result(timeout=60).content == "Done."
    assert told(provider) == ["Error: a person denied this call of 'pay'\nIt was not run.", "paid 7 to Eve"]


def test_calls_that_need_nobody_run_meanwhile(clerk: Agent, provider: ScriptedProvider, until: Until) -> None:
    """Another call of the same step is finished, and in the store, while the run is paused."""
    ran = threading.Event()

    def look() -> str:
        """Look."""
        ran.set()
        return "seen"

    clerk.tools = [pay, look]
    run = paused(clerk, provider, until, ("pay", PAY), ("look", {}))
    assert ran.wait(60)
    until(lambda: [call.name for call in run.output.tool_calls] == ["look"])
    stored = current().stored(run.run_id)
    assert (stored.status, [call.name for call in stored.tool_calls]) == (RunStatus.paused, ["look"])
    provider.reply(text_reply("Done."))
    run.approve()
    assert run.result(timeout=60).content == "Done."
    assert told(provider) == ["paid 5 to Bob", "seen"]


def test_a_person_may_change_the_arguments(clerk: Agent, provider: ScriptedProvider, until: Until) -> None:
    """The tool gets the person's arguments, the model is told of them; what does not fit is the person's to mend."""
    run = paused(clerk, provider, until)
    with pytest.raises(ConfigurationError, match="the arguments for 'pay' are wrong"):
        run.approve(arguments={"amount": "a lot", "to": "Bob"})
    assert run.status is RunStatus.paused
    provider.reply(text_reply("Done."))
    run.approve(arguments={"amount": 1, "to": "Bob"})
    output = run.result(timeout=60)
    assert paid == [(1, "Bob")]
    assert told(provider)[0].endswith("paid 1 to Bob")
    assert '{"amount":1,"to":"Bob"}' in told(provider)[0]
    assert output.tool_calls[0].result == told(provider)[0]


@pytest.mark.parametrize(("amount", "asks"), [(5, False), (500, True)])
def test_a_function_of_the_arguments_says_which_calls_wait(
    clerk: Agent, provider: ScriptedProvider, until: Until, amount: int, *, asks: bool
) -> None:
    """`requires_approval=lambda amount, **_: amount > 100`: small calls run at once."""
    clerk.tools = [spend]
    provider.reply(tool_reply(("spend", {"amount": amount})), text_reply("Done."))
    run = clerk.start("Spend")
    if asks:
        until(lambda: run.status is RunStatus.paused)
        assert paid == []
        run.approve()
    assert run.result(timeout=60).content == "Done."
    assert paid == [(amount, "shop")]


def test_arguments_that_do_not_fit_bother_no_person(clerk: Agent, provider: ScriptedProvider) -> None:
    """The model is told what is wrong with its arguments, and no one is asked to approve them."""
    provider.reply(tool_reply(("pay", {"amount": "much"})), text_reply("Sorry."))
    assert clerk.start("Pay").result(timeout=60).content == "Sorry."
    assert told(provider)[0].startswith("Error: the arguments for 'pay' are wrong")


def test_cancel_while_paused_is_final_at_once(clerk: Agent, provider: ScriptedProvider, until: Until) -> None:
    """When `cancel` returns it is; no request and no tool afterwards; a late approval finds nothing that waits."""
    run = paused(clerk, provider, until)
    assert run.cancel() is True
    assert run.status is RunStatus.cancelled
    assert run.wait(timeout=60).pending_approvals == ()
    with pytest.raises(ConfigurationError, match="it is cancelled"):
        run.approve()
    assert (len(provider.requests), paid) == (1, [])
    stored = current().stored(run.run_id)
    assert (stored.status, stored.pending_approvals, stored.tool_calls) == (RunStatus.cancelled, (), ())


def test_the_clock_stands_while_a_person_thinks(
    clerk: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """A paused run outlives its timeout, and holds no slot; after the approval the rest of the time counts."""
    run = paused(clerk, provider, until, timeout=1.5)
    with pytest.raises(nb.WaitTimeout, match=r"paused after 1.6 s\nrun.approve\(\) or run.deny"):
        run.wait(timeout=1.6)
    assert current().slots.held == 0
    provider.reply((*text("so far"), Silence()))
    run.approve()
    assert run.wait(timeout=60).stop_reason == "timeout"
    assert paid == [(5, "Bob")]


def test_waiting_says_once_that_a_person_is_needed(
    clerk: Agent, provider: ScriptedProvider, until: Until, capsys: pytest.CaptureFixture[str]
) -> None:
    """`result()` without a timeout says in one line what it waits for; so does a run queued behind it."""
    first = paused(clerk, provider, until, session_id="s", label="order")
    second = clerk.start("And?", session_id="s", label="next")
    said: list[str] = []

    def heard(line: str) -> bool:
        said.append(capsys.readouterr().err)
        # once it is known that a run is queued behind it, the line says so, too
        return line in "".join(said).replace(" (and runs of its session for it)", "")

    waits = [threading.Thread(target=run.wait, daemon=True) for run in (first, second)]
    for wait in waits:
        wait.start()
    until(
        lambda: heard("run 'order' waits for approval of pay(amount=5, to='Bob'): run.approve() or run.deny")
    )
    until(lambda: heard("run 'next' waits for its turn: run 'order' before it waits for approval\n"))
    assert second.status is RunStatus.pending
    provider.reply(text_reply("Done."), text_reply("Yes."))
    first.approve()
    for wait in waits:
        wait.join(60)
    assert second.result(timeout=60).content == "Yes."
    assert "".join(said).count("\n") == 2
    assert second.record is not None
    until(lambda: second.record.waits_for is None)


def test_awaiting_and_callbacks_can_approve(clerk: Agent, provider: ScriptedProvider) -> None:
    """An on_event callback may decide by itself; a late listener is told what waits."""
    runs: list[nb.Run] = []
    ready = threading.Event()

    def agree(event: object) -> None:
        if isinstance(event, ApprovalRequested):
            ready.wait(60)
            runs[0].approve(event.call.tool_call_id)

    async def scenario() -> None:
        provider.reply(tool_reply(("pay", PAY)), text_reply("Done."))
        runs.append(clerk.start("Pay", on_event=agree))
        seen = []
        async for event in runs[0].events():
            seen.append(type(event))
            if type(event) is ApprovalRequested:
                ready.set()
        assert seen.index(ApprovalRequested) < seen.index(ApprovalGiven) < seen.index(ToolCallFinished)

    asyncio.run(scenario())
    assert runs[0].result(timeout=60).content == "Done."


def test_another_kernels_decision_is_heard_within_a_second(
    clerk: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """It comes as a row of the store, which goes; it holds for the call it names, in its step, and no other."""
    run = paused(clerk, provider, until)
    provider.reply(text_reply("No?"))
    other = Store(current().store.path)
    for step in (2, 1):
        wish = DecisionRequest(
            run_id=run.run_id, step=step, tool_call_id="call_1", approved=step == 2, reason="no"
        )
        other.submit(wish).result(60)
    other.close()
    assert run.result(timeout=60).content == "No?"
    assert (paid, [call.status for call in run.output.tool_calls]) == ([], ["denied"])
    until(lambda: not current().store.read("select * from decision_requests"))


IDS = [("call_1", "call_1"), ("", ""), ("x" * 64, "x" * 64), ("a_2", "a_2"), ("7", "7")]


@pytest.mark.parametrize("ids", IDS)
def test_two_calls_of_one_id_are_two(
    clerk: Agent, provider: ScriptedProvider, until: Until, ids: tuple[str, str]
) -> None:
    """Both are shown, run and answered, and what goes back to the model names each by an id of its own."""
    eve = {"amount": 2, "to": "Eve"}
    provider.reply(tool_reply(("pay", PAY), ("pay", eve), ids=ids))
    run = clerk.start("Pay both")
    until(lambda: len(run.pending_approvals) == len(ids))
    provider.reply(text_reply("done"))
    assert len(run.approve()) == len(ids)
    assert run.result(timeout=60).content == "done"
    assert sorted(paid) == [(2, "Eve"), (5, "Bob")]
    asked, *answers = provider.bodies[-1]["messages"][-3:]
    sent = [call["id"] for call in asked["tool_calls"]]
    assert [answer["tool_call_id"] for answer in answers] == sent
    assert len(set(sent)) == len(ids)
    assert all(0 < len(one) <= 64 for one in sent)
    assert len(nb.sql("select * from tool_calls where run_id = ?", [run.run_id])) == len(ids)


def test_one_of_two_calls_of_one_id_is_denied(clerk: Agent, provider: ScriptedProvider, until: Until) -> None:
    """A decision with the id that is shown reaches that call alone."""
    provider.reply(tool_reply(("pay", PAY), ("pay", {"amount": 2, "to": "Eve"}), ids=("c", "c")))
    run = clerk.start("Pay both")
    until(lambda: len(run.pending_approvals) > 1)
    provider.reply(text_reply("done"))
    bob, eve = run.pending_approvals
    assert run.decide(Decision(approved=False), tool_call_id=eve.tool_call_id, step=1) == (eve,)
    until(lambda: run.pending_approvals == (bob,))
    run.approve(bob.tool_call_id)
    assert run.result(timeout=60).content == "done"
    assert paid == [(5, "Bob")]


def test_a_decision_is_for_the_call_that_was_seen(
    clerk: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """A click on a call of an earlier step does not approve the next step's call of the same id."""
    run = paused(clerk, provider, until)
    provider.reply(tool_reply(("pay", {"amount": 1_000_000, "to": "Eve"})))
    run.approve()
    until(lambda: [call.step for call in run.pending_approvals] == [2])
    with pytest.raises(UnknownNameError):
        run.decide(Decision(approved=True), tool_call_id="call_1", step=1)
    assert paid == [(5, "Bob")]
    run.cancel()


def test_a_paused_run_is_neither_resumed_nor_retried(
    clerk: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """Both say in two lines what waits and what to do."""
    run = paused(clerk, provider, until)
    for verb in (run.resume, run.retry):
        with pytest.raises(
            ConfigurationError, match=r"paused: it waits for approval of pay\(amount=5"
        ) as caught:
            verb()
        assert caught.value.todo == 'run.approve() or run.deny("why") lets it go on; run.cancel() ends it'
    run.cancel()


def test_a_bad_predicate_is_refused(tmp_path: Path) -> None:
    """`requires_approval` is yes, no, or a plain function."""
    del tmp_path

    async def later(**_: Any) -> bool:
        return True

    for wrong in ("yes", later):
        with pytest.raises(ConfigurationError, match="requires_approval"):
            tool(requires_approval=wrong)(lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{}, {"requires_approval": False}, {"requires_approval": True, "editable_by_others": "yes"}]
)
def test_editable_by_others_wants_an_approval(options: dict[str, Any]) -> None:
    """It says what others may do as they approve, and is a yes or no."""
    with pytest.raises(ConfigurationError, match="editable_by_others"):
        tool(**{"editable_by_others": True, **options})(lambda: None)
