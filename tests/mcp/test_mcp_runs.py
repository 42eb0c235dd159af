"""MCP servers' tools in runs: offered, called, shared, failing, cancelled; over stdio and streamable HTTP."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

from nbagent import MCPServer, RunStatus
from nbagent.errors import ToolDefinitionError
from nbagent.mcp.errors import MCPServerError
from nbagent.runtime import current
from nbagent.tools import tools_of
from tests.harness.waiting import until
from tests.mcp.conftest import TOOLSERVER, answers
from tests.provider.chat_wire import text_reply, tool_reply


def test_a_servers_tools_are_offered_and_called(shared, agent_with, provider):
    """The model sees the server's tools beside functions, and gets structured data, text and notes of images."""
    server, _ = shared

    def double(x: int) -> int:
        """Double."""
        return 2 * x

    provider.reply(
        tool_reply(
            ("add", {"a": 1, "b": 2}), ("greet", {"name": "Ada"}), ("double", {"x": 4}), ("picture", {})
        ),
        text_reply("done"),
    )
    output = agent_with(server, double).start("Go").result(timeout=60)
    offered = {tool["function"]["name"]: tool["function"] for tool in provider.bodies[0]["tools"]}
    assert {"add", "greet", "read_file", "double"} <= set(offered)
    assert offered["add"]["description"] == "Add two numbers."
    assert offered["add"]["parameters"]["required"] == ["a", "b"]
    assert answers(provider) == ['{"result": 3}', "Hello Ada", "8", "a dot\n[image, image/png, 5 bytes]"]
    assert [call.status for call in output.tool_calls] == ["completed"] * 4


def test_bad_arguments_and_failures_go_back_to_the_model(shared, agent_with, provider):
    """Arguments that do not fit the server's schema never reach it; an error result is the model's to read."""
    server, log = shared
    provider.reply(tool_reply(("add", {"a": "one", "b": 2}), ("fail", {})), text_reply("sorry"))
    assert agent_with(server).start("Go").result(timeout=60).content == "sorry"
    bad, failed = answers(provider)
    assert 'a: "one" is not of type "integer"' in bad
    assert failed.startswith("Error: MCPToolError:")
    assert "fail" in failed
    assert "add one 2" not in log.lines()


def test_runs_share_one_server(shared, agent_with, provider):
    """Runs at once use one connection: three calls that wait for each other are all answered."""
    server, log = shared
    provider.otherwise(
        lambda request: (
            text_reply("done")
            if request.body["messages"][-1]["role"] == "tool"
            else tool_reply(("meet", {"parties": 3}))
        )
    )
    agent = agent_with(server)
    runs = [agent.start(f"Meet {n}") for n in range(3)]
    assert [run.result(timeout=60).content for run in runs] == ["done"] * 3
    assert len(log.pids()) == 1


def test_cancel_during_a_call_is_final_at_once(shared, agent_with, provider):
    """When `cancel` returns the run has ended, the server hears of it, and another run's call on that server goes on."""
    server, log = shared
    provider.reply(tool_reply(("slow", {"tag": "first"})))
    agent = agent_with(server)
    first = agent.start("First")
    log.wait_for("slow first")
    provider.reply(tool_reply(("slow", {"tag": "second"})))
    second = agent.start("Second")
    log.wait_for("slow second")
    first.cancel()
    assert first.status is RunStatus.cancelled
    log.wait_for("cancelled first")
    assert [call.status for call in first.wait(timeout=60).tool_calls] == ["cancelled"]
    assert second.status is RunStatus.running
    assert "cancelled second" not in log.lines()
    second.cancel()
    log.wait_for("cancelled second")
    assert len(provider.requests) == 2


def test_a_calls_time_limit(stdio, agent_with, provider, log):
    """`timeout=` of the server ends a call of its tools; the server is told, the model too, the run goes on."""
    provider.reply(tool_reply(("slow", {"tag": "x"})), text_reply("gave up"))
    assert agent_with(stdio(timeout=0.2)).start("Go").result(timeout=60).content == "gave up"
    assert "took longer than 0.2 s" in answers(provider)[0]
    log.wait_for("cancelled x")


def cut_off(agent, log):
    """A run that was interrupted, as by its kernel's end, while the server was at work on a call."""
    run = agent.start("Go")
    log.wait_for("slow x")
    current().thread.soon(current().live(run.run_id).stop, "kernel_died")
    assert run.wait(timeout=60).status is RunStatus.interrupted
    log.wait_for("cancelled x")
    return run


@pytest.mark.parametrize("idempotent", [True, False, ["slow"], ["add"]])
def test_a_cut_off_call_is_repeated_on_resume_if_it_may_be(stdio, agent_with, provider, log, idempotent):
    """`idempotent=` of the server counts as @tool's does: that call is made again, any other told as unknown."""
    server = stdio(idempotent=idempotent)
    provider.reply(tool_reply(("slow", {"tag": "x"})))
    provider.otherwise(text_reply("done"))
    run = cut_off(agent_with(server), log)
    resumed = run.resume(timeout=60)
    if idempotent in (True, ["slow"]):
        log.wait_for("slow x", count=2)
        assert resumed.cancel()
    else:
        assert resumed.result(timeout=60).content == "done"
        assert "outcome is unknown" in answers(provider)[0]
        assert log.lines().count("slow x") == 1


def test_a_server_that_is_gone_at_a_resume(agent_with, provider, log, tmp_path):
    """It is said where the resume was asked for, and nothing is claimed: the run can be resumed later."""
    script = shutil.copy(TOOLSERVER, tmp_path / "server.py")
    server = MCPServer.stdio(sys.executable, [str(script), str(log.path)], name="ts")
    provider.reply(tool_reply(("slow", {"tag": "x"})), text_reply("done"))
    run = cut_off(agent_with(server), log)
    server.close()
    script.unlink()
    with pytest.raises(MCPServerError):
        run.resume()
    shutil.copy(TOOLSERVER, script)
    assert run.resume(timeout=60).result(timeout=60).attempt == 2


def test_a_server_that_dies_in_the_middle(stdio, agent_with, provider, log):
    """The call is told as unknown and not repeated; the next call starts the server again."""
    provider.reply(tool_reply(("die", {})), tool_reply(("add", {"a": 1, "b": 2})), text_reply("done"))
    assert agent_with(stdio()).start("Go").result(timeout=60).content == "done"
    died, added = answers(provider)
    assert "MCP server 'ts' ended during the call of 'die': nobody knows whether that was done" in died
    assert added == '{"result": 3}'
    assert log.lines().count("die") == 1
    assert len(log.pids()) == 2


def test_a_server_that_died_between_runs_is_started_again(stdio, agent_with, provider, log):
    """The next run finds a new one."""
    server = stdio()
    provider.reply(text_reply("one"))
    agent_with(server).start("Go").result(timeout=60)
    os.kill(log.pids()[0], signal.SIGKILL)
    until(lambda: server._holder.connection.over)
    provider.reply(tool_reply(("greet", {"name": "Ada"})), text_reply("two"))
    assert agent_with(server).start("Go").result(timeout=60).content == "two"
    assert answers(provider) == ["Hello Ada"]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (lambda: MCPServer.stdio("no-such-command", name="x"), "there is no 'no-such-command'"),
        (
            lambda: MCPServer.stdio(
                sys.executable,
                ["-c", "import os, sys; sys.exit('bad config ' + os.environ['API_KEY'])"],
                env={"API_KEY": "hunter22"},
            ),
            "exit code 1: bad config [secret]",
        ),
        (lambda: MCPServer.http("http://user:hunter22@127.0.0.1:9/mcp?key=hunter22"), "connection"),
        (
            lambda: MCPServer.stdio("sleep", ["60"], connect_timeout=0.2),
            "sleep 60) was not ready within 0.2 s",
        ),
    ],
    ids=["no command", "exits", "no port", "silent"],
)
def test_a_server_that_does_not_start_is_the_runs_error(server, said, agent_with, provider):
    """The run ends with two lines that name the server and what it said last, no secret in them; no model call."""
    output = agent_with(server()).start("Go").wait(timeout=60)
    assert output.status is RunStatus.error
    assert said in output.error
    assert output.error.count("\n") == 1
    assert "hunter22" not in f"{output.error}{output.traceback}"
    assert provider.requests == []


def test_launching_does_not_wait_for_the_server(agent_with):
    """`start` returns while the server is still silent, and cancelling that run is final at once."""
    run = agent_with(MCPServer.stdio("sleep", ["60"])).start("Go")
    assert not run.done()
    run.cancel()
    assert run.status is RunStatus.cancelled


def test_only_the_chosen_tools_under_their_prefix(stdio, agent_with, provider):
    """`tools=` chooses, `prefix=` renames, approval may be for one tool."""
    server = stdio(tools=["add", "greet"], prefix="m_", requires_approval=["greet"])
    provider.reply(tool_reply(("m_add", {"a": 1, "b": 2})), text_reply("done"))
    agent_with(server).start("Go").result(timeout=60)
    assert [tool["function"]["name"] for tool in provider.bodies[0]["tools"]] == ["m_add", "m_greet"]
    made = {tool.name: tool.options.requires_approval for tool in server._made[1]}
    assert made == {"m_add": False, "m_greet": True}


def test_wrong_names_are_the_runs_error(stdio, agent_with):
    """A tool that the server does not have, and one name twice, end the run with the names."""

    def add(a: int) -> int:
        """Add one."""
        return a + 1

    unknown = agent_with(stdio(tools=["ad"])).start("Go").wait(timeout=60)
    assert "has no tool 'ad' (did you mean 'add'?)" in unknown.error
    twice = agent_with(stdio(), add).start("Go").wait(timeout=60)
    assert "two tools are named 'add': mcp.ts.add and" in twice.error


def test_misuse_is_found_at_once(stdio):
    """Options that mean nothing and two servers of one name fail where they are written."""
    with pytest.raises(ToolDefinitionError, match="is one text"):
        MCPServer.stdio("npx", "-y server")
    with pytest.raises(ToolDefinitionError, match="no option 'prefx'"):
        stdio(prefx="a")
    with pytest.raises(ToolDefinitionError, match="two tools are named 'mcp:ts'"):
        tools_of([stdio(), stdio()])


def test_a_servers_tool_waits_for_a_person(stdio, agent_with, provider, log):
    """`requires_approval=[names]` pauses the run for those tools: the server hears of the call after the approval."""
    provider.reply(tool_reply(("greet", {"name": "Ada"}), ("add", {"a": 1, "b": 2})), text_reply("done"))
    run = agent_with(stdio(requires_approval=["greet"])).start("Go")
    log.wait_for("add 1 2")
    until(lambda: run.status is RunStatus.paused)
    assert [str(call) for call in run.pending_approvals] == ["greet(name='Ada')"]
    run.approve()
    assert run.result(timeout=60).content == "done"
    assert answers(provider) == ["Hello Ada", '{"result": 3}']
