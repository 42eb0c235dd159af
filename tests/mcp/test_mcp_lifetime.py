"""How long a server's process lives: as long as its kernel, not a moment longer, whatever ends the kernel."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nbagent import MCPServer
from nbagent.mcp import close_servers
from nbagent.runtime import current
from tests.harness.waiting import until
from tests.mcp.conftest import answers
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

PLAINSERVER = str(Path(__file__).with_name("plain_server.py"))
CLIENT = """
import os, signal, sys, time
import nbagent as nb
from nbagent import MCPServer
from nbagent.mcp import close_servers
from nbagent.runtime import current
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
model = nb.OpenAIChat(id="scripted-1", base_url=sys.argv[1], api_key="not-needed")
server = MCPServer.stdio(sys.executable, sys.argv[2:])
agent = nb.Agent(model=model, tools=[server])
print(agent.start("Go").wait(timeout=60).content, flush=True)
"""


@contextlib.contextmanager
def client(code: str, provider: ScriptedProvider, *server: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has used a server in a run and then does `code`; it leads a process group."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT + code, provider.base_url, PLAINSERVER, *server],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # a test that failed does not wait for it


def is_alive(pid: int) -> bool:
    """True while the process runs; one that ended and waits for its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def plain(log, **options) -> MCPServer:
    """A plain server in this process."""
    return MCPServer.stdio(sys.executable, [PLAINSERVER, str(log.path)], **options)


def test_a_server_of_an_older_protocol(agent_with, provider, log):
    """The handshake of 2025 works too, with its tools on two pages; what it prints does no harm."""
    server = plain(log, idempotent=["pid"])
    provider.reply(tool_reply(("pid", {})), text_reply("done"))
    agent_with(server).start("Go").result(timeout=60)
    assert answers(provider) == [str(log.pids()[0])]
    assert [(tool.name, tool.options.idempotent) for tool in server._made[1]] == [
        ("pid", True),
        ("wait", False),
    ]
    assert server.name == "plain_server"


def test_cancel_tells_an_older_server_too(agent_with, provider, log):
    """It gets the cancellation notification."""
    provider.reply(tool_reply(("wait", {})))
    run = agent_with(plain(log)).start("Go")
    log.wait_for("tools/call")
    run.cancel()
    log.wait_for("notifications/cancelled")


def test_sigkill_of_the_kernel_ends_the_server(provider, log):
    """Its input ends with the kernel, whatever ended that."""
    provider.otherwise(text_reply("yes"))
    with client("os.kill(os.getpid(), signal.SIGKILL)", provider, str(log.path)) as process:
        process.wait(60)
    log.wait_for("ended by itself")
    until(lambda: not is_alive(log.pids()[0]))


def test_stop_leaves_the_server_alone_and_the_end_of_the_kernel_ends_it(provider, log):
    """SIGINT to the kernel's process group does not reach it; an orderly end does, in the middle of a call too."""
    provider.reply(
        text_reply("yes"), tool_reply(("pid", {})), text_reply("still there"), tool_reply(("wait", {}))
    )
    code = """
import nbagent.runtime.runtime
close_servers.__defaults__ = (60.0,)  # what is tested is who ends whom; a loaded machine takes its time for it
nbagent.runtime.runtime.Runtime.close.__defaults__ = (60.0,)
try:
    print("waiting", flush=True)
    while True:  # a signal that comes between two steps of Python does not cut a sleep short
        time.sleep(0.05)
except KeyboardInterrupt:
    print(agent.start("Again").wait(timeout=60).content, flush=True)
agent.start("Wait")
sys.stdin.readline()
"""
    with client(code, provider, str(log.path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "yes"
        assert process.stdout.readline().strip() == "waiting"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline().strip() == "still there"
        assert answers(provider) == [str(log.pids()[0])]
        log.wait_for("tools/call", 2)
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    assert not is_alive(log.pids()[0])
    assert "ended by itself" in log.lines()


def test_a_stubborn_server_is_killed(agent_with, provider, log):
    """One that outlives its input and ignores SIGTERM is gone when the kernel has closed."""
    server = MCPServer.stdio(sys.executable, [PLAINSERVER, str(log.path), "stubborn"])
    provider.reply(text_reply("yes"))
    agent_with(server).start("Go").result(timeout=60)
    assert is_alive(log.pids()[0])
    current().thread.submit(close_servers()).result(60)
    assert not is_alive(log.pids()[0])


def test_a_forked_process_has_a_server_of_its_own(provider, log):
    """A fork starts its own, and neither uses nor ends its parent's."""
    provider.otherwise(
        lambda request: (
            text_reply(request.body["messages"][-1]["content"])
            if request.body["messages"][-1]["role"] == "tool"
            else tool_reply(("pid", {}))
        )
    )
    code = """
import warnings
warnings.simplefilter("ignore")
child = os.fork()
print(agent.start("Again").wait(timeout=60).content, flush=True)
if not child:
    nb.runtime.current().close()
    os._exit(0)
os.waitpid(child, 0)
print(agent.start("After").wait(timeout=60).content, flush=True)
"""
    with client(
        "from nbagent import runtime\nnb.runtime = runtime\n" + code, provider, str(log.path)
    ) as process:
        first, *middle, last = process.communicate(timeout=60)[0].split()
    parents, childs = log.pids()
    assert (int(first), int(last)) == (parents, parents)
    assert sorted(map(int, middle)) == sorted([parents, childs])


@pytest.mark.parametrize("how", ["close", "collect"])
def test_a_server_nobody_needs_ends(agent_with, provider, log, how):
    """`close()` ends the process, and the last reference does; a closed one starts again at its next use."""
    server = plain(log)
    provider.otherwise(text_reply("yes"))
    made = server.__nbagent_tools__()
    if how == "collect":
        (stand_in,) = made
        current().thread.submit(stand_in.function()).result(60)
        del stand_in, made, server  # the loop's thread lets go of its call a little later
        until(lambda: gc.collect() >= 0 and "ended by itself" in log.lines(), pause_s=0.05)
    else:
        agent_with(server).start("Go").result(timeout=60)
        server.close()
    until(lambda: "ended by itself" in log.lines() and not is_alive(log.pids()[0]))
    if how == "close":
        agent_with(server).start("Go").result(timeout=60)
        assert len(log.pids()) == 2
