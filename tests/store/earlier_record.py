"""Make the record that `test_earlier_record.py` opens: run it in a checkout of the commit that the record is to be of.

`git worktree add ../old a86bf71`, copy `earlier_types.py` and this file to the same place in it, and there
`python -m tests.store.earlier_record a86bf71.tar.gz`, which is kept in `records/`. Names of the machine are left out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from nbagent.store import owner, writer

owner._host = lambda: "notebook"  # type: ignore[assignment]
owner._boot = lambda: "boot/pid"  # type: ignore[assignment]

import nbagent as nb  # noqa: E402
from nbagent import Agent, Limits, OpenAIChat, Team, runtime  # noqa: E402
from tests.provider.chat_wire import begun, text, text_reply, tool_reply  # noqa: E402
from tests.provider.server import ScriptedProvider  # noqa: E402
from tests.provider.steps import Gate, Silence, Wait, error  # noqa: E402
from tests.store.earlier_types import TYPED, Poll, pay, price  # noqa: E402


def agent(url: str, **given: Any) -> Agent:
    """The agent that everything was asked of."""
    model = OpenAIChat(id="scripted-1", base_url=url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0), name="clerk", **given)


def until(holds: Any) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def row(label: str) -> dict[str, Any]:
    """A run's row."""
    return runtime.current().store.read("select * from runs where label = ?", [label])[0]


def child(what: str, url: str) -> subprocess.Popen[str]:
    """A kernel of its own, which ends in the way that `what` says."""
    command = [sys.executable, "-m", "tests.store.earlier_record", what, url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def main(target: str) -> None:
    """Make the record and pack it."""
    folder = Path(tempfile.mkdtemp())
    os.environ["NBAGENT_STORE"] = str(folder / "runs.duckdb")
    provider = ScriptedProvider()
    url = provider.base_url
    provider.reply(text_reply("It ", "is."))
    agent(url).start("What?", label="text", tags={"x": "y"}).result(60)
    agent(url).start("What?", label="again", cache="use").result(60)
    for label, (schema, reply) in TYPED.items():
        provider.reply(text_reply(reply))
        agent(url).start(f"A {label}?", label=label, output_schema=schema)
        until(lambda label=label: row(label)["status"] == "completed")
    provider.reply(error(400, "no such thing"))
    agent(url).start("Fail.", label="failed").wait(60)
    gate = Gate()
    provider.reply((*begun(), *text("half"), Wait(gate)))
    stopped = agent(url).start("Wait.", label="stopped")
    until(lambda: stopped.text == "half")
    stopped.cancel()
    stopped.wait(60)
    provider.reply(tool_reply(("price", {"symbol": "A"})), text_reply("It costs 1.5."))
    agent(url, tools=[price]).start("Price of A?", label="tools").result(60)
    for number in (1, 2, 3):
        provider.reply(text_reply(f"Answer {number}."))
        agent(url).start(f"Question {number}?", session_id="chat").result(60)
    team(provider, url)
    provider.reply(*[text_reply(f'{{"share": {share}}}') for share in (10, 20, 30)])
    agent(url).map(
        ["a", "b", "c"], "Share of {{ row }}?", output_schema=Poll, label="labels", max_concurrency=1
    ).wait(60)
    ends_of_kernels(provider, url)
    assert runtime.current().store.close(10)
    with tarfile.open(target, "w:gz", compresslevel=9) as tar:
        for path in sorted(folder.iterdir()):
            if path.suffix == ".duckdb" or ".launches." in path.name:
                info = tarfile.TarInfo(path.name)
                info.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
    print(sorted(path.name for path in folder.iterdir()), Path(target).stat().st_size)
    os._exit(0)


def team(provider: ScriptedProvider, url: str) -> None:
    """A team whose member answers with a typed value, which the leader passes on."""
    member = agent(url, output_schema=Poll)
    desk = Team(
        name="desk", model=member.model, members=[member], mode="route", limits=Limits(model_retries=0)
    )
    provider.reply(
        tool_reply(("delegate_to_clerk", {"task": "Share?"})), text_reply('{"share": 40}'), text_reply("x")
    )
    desk.start("Share?", label="desk")
    until(lambda: row("desk")["status"] == "completed")


def ends_of_kernels(provider: ScriptedProvider, url: str) -> None:
    """A run that was cut off by a kill, one that waits for a person, and a launch that only the log has."""
    provider.reply(tool_reply(("price", {"symbol": "A"})), (*begun(), *text("so far"), Silence()))
    assert child("killed", url).wait(60) == -signal.SIGKILL
    until(lambda: row("left")["status"] == "interrupted")
    provider.reply(tool_reply(("pay", {"amount": 5})))
    assert child("paused", url).wait(60) == 0
    provider.reply((*begun(), Silence()))
    logged = child("logged", url)
    assert logged.stdout is not None
    assert logged.stdin is not None
    assert logged.stdout.readline() == "ready\n"
    with runtime.current().store.reader() as ask:  # nobody else has a turn meanwhile
        ask("select 1")
        logged.stdin.write("go\n")
        logged.stdin.flush()
        assert logged.wait(60) == -signal.SIGKILL


def kernel(what: str, url: str) -> None:
    """One of the kernels that end; each by a name of which every machine knows that it is nobody's."""
    writer.this_owner = lambda: "gone"  # type: ignore[assignment]
    if what == "killed":
        run = agent(url, tools=[price]).start("Price of A?", label="left")
        until(lambda: run.text == "so far" and row("left")["partial_text"] == "so far")
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "paused":
        run = agent(url, tools=[pay]).start("Pay 5.", label="paying")
        until(lambda: row("paying")["status"] == "paused")
        runtime.current().close()
        os._exit(0)
    nb.runs()
    print("ready", flush=True)
    sys.stdin.readline()
    agent(url).start("Logged?", label="logged")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        kernel(sys.argv[1], sys.argv[2])
    else:
        main(sys.argv[1])
