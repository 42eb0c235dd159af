"""Other kernels for the tests of sessions: processes that launch, watch and decide on runs of one record.

Each obeys one line of JSON after another, as `tests/store/processes.py` does: `python -m tests.runtime.session_kernels
URL`. A prompt says by itself what the provider does with it, see `answer`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, tool
from nbagent.errors import NBAgentError
from nbagent.panel.card.data import RunSnapshot, card_row
from nbagent.runtime import current
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import Request
from tests.provider.steps import Gate, Script, Wait
from tests.store.processes import ROOT, Child

PATIENCE_S = 60.0


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def agent_on(base_url: str, **given: Any) -> Agent:
    """The agent, the same in every process."""
    model = OpenAIChat(id="scripted-1", base_url=base_url, api_key="not-needed")
    return Agent(model=model, tools=[pay], limits=Limits(model_retries=0), name="clerk", **given)


class Gates:
    """The provider's side: each prompt is answered by its echo, those held at their gate, "pay" asks for the tool."""

    def __init__(self) -> None:
        self.held: dict[str, Gate] = {}

    def hold(self, prompt: str) -> Gate:
        """Have the reply to this prompt wait."""
        return self.held.setdefault(prompt, Gate())

    def answer(self, request: Request) -> Script:
        """What a prompt is answered with."""
        messages = request.body["messages"]
        prompt = next(one["content"] for one in reversed(messages) if one["role"] == "user")
        if prompt.startswith("pay") and messages[-1]["role"] == "user":
            return tool_reply(("pay", {"amount": 5}))
        gate = self.held.get(prompt)
        return (*((Wait(gate),) if gate is not None else ()), *text_reply(f"answer to {prompt}"))


def prompts_seen(body: dict[str, Any]) -> list[str]:
    """The prompts in a request, its own the last."""
    return [one["content"] for one in body["messages"] if one["role"] == "user"]


class Kernel(Child):
    """A process with a runtime of its own on the record that NBAGENT_STORE names."""

    def __init__(self, base_url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.runtime.session_kernels", base_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.answer() == "ready"

    def start(self, prompt: str, session_id: str = "s", **options: Any) -> str:
        """Launch a run; its id. Raises ValueError with what the launch refused."""
        told = self.ask("start", prompt=prompt, session_id=session_id, **options)
        if "error" in told:
            raise ValueError(told["error"])
        return str(told["run_id"])

    def wait(self, run_id: str) -> dict[str, Any]:
        """The end of a run: its status, content and notices."""
        told: dict[str, Any] = self.ask("wait", run_id=run_id)
        return told

    def look(self, run_id: str) -> dict[str, Any]:
        """A run as its card shows it now."""
        told: dict[str, Any] = self.ask("look", run_id=run_id)
        return told


class Orders:
    """What such a process can do. Runs in the child."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def start(self, prompt: str, session_id: str, **options: Any) -> dict[str, Any]:
        """Launch a run."""
        agent = agent_on(self.base_url, on_busy=options.pop("on_busy", None))
        try:
            return {"run_id": agent.start(prompt, session_id=session_id, **options).run_id}
        except NBAgentError as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def wait(self, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run."""
        run = current().get(run_id)
        output = run.wait(timeout=PATIENCE_S)
        return {"status": output.status.value, "content": output.content, "notices": self._notices(run)}

    def look(self, run_id: str) -> dict[str, Any]:
        """A run as its card shows it."""
        run = current().get(run_id)
        waiting = card_row(RunSnapshot.of_record(run.record))["waiting"] if run.record is not None else ""
        return {"status": run.status.value, "waiting": waiting, "notices": self._notices(run)}

    def _notices(self, run: nb.Run) -> list[str]:
        return list(run.record.notices) if run.record is not None else []

    def cancel(self, run_id: str) -> bool:
        """Cancel a run."""
        return current().get(run_id).cancel()

    def approve(self, run_id: str) -> bool:
        """Let a paused run go on."""
        run = current().get(run_id)
        run.approve(agent=agent_on(self.base_url)) if run.record is None else run.approve()
        return True

    def resume(self, run_id: str) -> str:
        """Go on with a run that was cut off."""
        return nb.resume(run_id, agent=agent_on(self.base_url)).run_id

    def fork(self) -> int:
        """Fork a child that only stays there; its pid."""
        pid = os.fork()
        if pid == 0:
            os.close(0)
            os.close(1)
            signal.pause()
            os._exit(0)
        return pid

    def claims(self) -> list[str]:
        """The files of claims beside the record."""
        folder = current().store.path.with_name(current().store.path.name + ".sessions")
        return sorted(one.name for one in folder.iterdir()) if folder.exists() else []


if __name__ == "__main__":
    orders = Orders(sys.argv[1])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(getattr(orders, given.pop("do"))(**given)), flush=True)
