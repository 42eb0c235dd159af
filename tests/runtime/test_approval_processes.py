"""A run that waits for a person outlives its kernel: real processes that die, and others that approve, deny or cancel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import Agent, ConfigurationError, OpenAIChat, RunStatus, cancel_run, tool
from nbagent.loop import Decision
from nbagent.runtime import Runtime, current
from nbagent.store import load_stopped
from tests.harness.waiting import until
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

Until = Callable[[Callable[[], bool]], None]
ROOT = Path(__file__).resolve().parents[2]

# the same source in the child and here: a changed tool stops the adoption
CHILD = """
import sys, time
import nbagent as nb
from nbagent.runtime import current
from tests.runtime.test_approval_processes import agent_on
run = agent_on(sys.argv[1]).start("Pay", run_id="mine")
while run.status != "paused" or run.output.tool_calls == ():
    time.sleep(0.005)
while current().stored("mine").status != "paused":
    time.sleep(0.005)
print("paused", flush=True)
"""
log: list[Path] = [Path("tools.log")]


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    with log[0].open("a") as file:
        file.write(f"pay {amount}\n")
    if amount == 13:  # the unlucky one takes the process along
        os.kill(os.getpid(), signal.SIGKILL)
    return f"paid {amount}"


def look() -> str:
    """Look; needs nobody."""
    with log[0].open("a") as file:
        file.write("look\n")
    return "seen"


def agent_on(base_url: str) -> Agent:
    """The agent, the same in every process."""
    model = OpenAIChat(id="scripted-1", base_url=base_url, api_key="not-needed")
    return Agent(model=model, tools=[pay, look], name="clerk")


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the tools of all processes have done."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools.log").touch()
    return lambda: (tmp_path / "tools.log").read_text().splitlines()


def child(
    provider: ScriptedProvider, then: str, amount: int = 5, ids: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """A process whose run is paused, and that does something `then`."""
    provider.reply(tool_reply(("pay", {"amount": amount}), ("look", {}), ("pay", {"amount": 7}), ids=ids))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD + then, provider.base_url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "paused\n"
    return process


KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("end", [KILL, ""])
def test_a_paused_run_stays_paused_and_who_approves_it_adopts_it(
    provider: ScriptedProvider, ran: Callable[[], list[str]], end: str
) -> None:
    """After SIGKILL and after an orderly exit: finished calls are not repeated, each approved call runs once."""
    child(provider, end).communicate(timeout=60)
    run = nb.get("mine")
    assert run.status is RunStatus.paused
    assert [(call.tool_call_id, call.arguments) for call in run.pending_approvals] == [
        ("call_1", {"amount": 5}),
        ("call_3", {"amount": 7}),
    ]
    with pytest.raises(ConfigurationError, match="tool 'pay' is not defined"):
        run.approve()
    assert run.status is RunStatus.paused
    provider.reply(text_reply("All done."))
    agent = agent_on(provider.base_url)
    run.approve("call_1", agent=agent)
    until(lambda: [call.tool_call_id for call in run.pending_approvals] == ["call_3"])
    assert run.status is RunStatus.paused
    run.deny("once is enough")
    output = run.result(timeout=60)
    assert (output.content, output.attempt) == ("All done.", 2)
    assert ran() == ["look", "pay 5"]
    told = [message["content"] for message in provider.bodies[-1]["messages"] if message["role"] == "tool"]
    assert told[:2] == ["paid 5", "seen"]
    assert "once is enough" in told[2]
    assert current().stored("mine") == output
    rows = nb.sql("select attempt, status, stop_reason from attempts order by attempt").values.tolist()
    assert rows == [[1, "interrupted", "kernel_died"], [2, "completed", "end"]]


WAIT = "import time; time.sleep(60)"


@pytest.mark.parametrize(
    "ids", [("c", "c", "c"), ("", "", ""), ("x" * 64,) * 3], ids=["same", "none", "long"]
)
@pytest.mark.parametrize("then", [KILL, WAIT], ids=["left", "live"])
def test_calls_of_one_id_are_decided_one_by_one_from_another_kernel(
    provider: ScriptedProvider, ran: Callable[[], list[str]], ids: Sequence[str], then: str
) -> None:
    """Two calls to which a server gave one id are two: one approved and one denied, by the ids that are shown."""
    process = child(provider, then, ids=ids)
    try:
        if then is KILL:
            process.communicate(timeout=60)
        provider.reply(text_reply("All done."))
        run = nb.get("mine")
        first, second = run.pending_approvals
        assert [first.arguments, second.arguments] == [{"amount": 5}, {"amount": 7}]
        assert first.tool_call_id != second.tool_call_id
        agent = agent_on(provider.base_url) if then is KILL else None
        run.approve(second.tool_call_id, agent=agent)
        until(lambda: [call.tool_call_id for call in run.pending_approvals] == [first.tool_call_id])
        run.deny("not this one", first.tool_call_id)
        assert run.wait(timeout=60).content == "All done."
        assert ran() == ["look", "pay 7"]
    finally:
        process.kill()
        process.communicate()


def test_a_left_run_is_cancelled_by_its_record(
    provider: ScriptedProvider, ran: Callable[[], list[str]]
) -> None:
    """Nobody works on it any more: cancel ends it at once, and nothing can approve it afterwards."""
    child(provider, KILL).communicate(timeout=60)
    run = nb.get("mine")
    assert run.status is RunStatus.paused
    began = time.perf_counter()
    assert cancel_run("mine") is True
    print(f"cancelled in the record after {time.perf_counter() - began:.3f} s")
    assert run.status is RunStatus.cancelled
    assert cancel_run("mine") is False
    with pytest.raises(ConfigurationError, match="it is cancelled"):
        nb.get("mine").approve(agent=agent_on(provider.base_url))
    assert ran() == ["look"]
    assert nb.sql("select * from cancel_requests").empty


def test_an_approved_call_that_was_cut_off_is_not_run_again(
    provider: ScriptedProvider, ran: Callable[[], list[str]]
) -> None:
    """The approval is durable before the tool starts: what waits still is asked for, what had begun is reported."""
    child(provider, 'run.approve("call_1"); time.sleep(60)', amount=13).communicate(timeout=60)
    assert ran() == ["look", "pay 13"]
    run = nb.get("mine")
    assert (run.status, [call.tool_call_id for call in run.pending_approvals]) == (
        RunStatus.paused,
        ["call_3"],
    )
    provider.reply(text_reply("Done."))
    run.approve(agent=agent_on(provider.base_url))
    output = run.result(timeout=60)
    assert (output.content, ran()) == ("Done.", ["look", "pay 13", "pay 7"])
    told = [message["content"] for message in provider.bodies[-1]["messages"] if message["role"] == "tool"]
    assert "outcome is unknown" in told[0]
    assert told[1:] == ["seen", "paid 7"]


def test_only_one_of_two_adopts(provider: ScriptedProvider, ran: Callable[[], list[str]]) -> None:
    """Two kernels that saw the same paused run: the one that is second is told so, and each call runs once."""
    child(provider, KILL).communicate(timeout=60)
    agent = agent_on(provider.base_url)
    provider.reply(text_reply("Done."))
    seen = load_stopped(current().store, "mine")
    assert seen is not None
    nb.get("mine").approve(agent=agent)
    late = Runtime()
    given = {call.tool_call_id: (call, Decision(approved=True)) for call in seen.held}
    with pytest.raises(ConfigurationError, match="resumed by another process at this moment"):
        late.resumer.adopt(seen, given, agent=agent)
    late.close(0.5)
    assert nb.get("mine").result(timeout=60).attempt == 2
    assert sorted(ran()) == ["look", "pay 5", "pay 7"]


def test_a_run_that_is_live_elsewhere_hears_the_decision(
    provider: ScriptedProvider, ran: Callable[[], list[str]]
) -> None:
    """Beside a living kernel nothing is adopted: that kernel hears the approval, and goes on itself."""
    process = child(provider, "nb.gather(run)")
    provider.reply(text_reply("Done."))
    began = time.perf_counter()
    run = nb.get("mine")
    assert len(run.approve()) == 2
    output = run.result(timeout=60)
    print(f"heard, run and read back after {time.perf_counter() - began:.2f} s")
    assert (output.content, output.attempt) == ("Done.", 1)
    assert sorted(ran()) == ["look", "pay 5", "pay 7"]
    process.communicate(timeout=60)
    assert process.returncode == 0
