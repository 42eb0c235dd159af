"""A team on the scripted provider: each part has a model id of its own, by which its scripts are found.

`python -m tests.runtime.scripted_team URL RUN_ID MODE` launches the team and says so; it is then killed.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import Any

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, Team
from nbagent.spec import Mode
from tests.provider.chat_wire import tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script, error

NO_RETRY = Limits(model_retries=0)


def model(url: str, part: str) -> OpenAIChat:
    """The model that plays a part."""
    return OpenAIChat(id=part, base_url=url, api_key="not-needed")


def member(url: str, name: str, *, plays: str | None = None, **fields: Any) -> Agent:
    """A member; its model's id is its name, or the part that it plays."""
    return Agent(**{"name": name, "model": model(url, plays or name), "limits": NO_RETRY} | fields)


def team(url: str, *names: str, mode: Mode = "coordinate", **fields: Any) -> Team:
    """A team named `desk` of the model `leader`, with members of these names."""
    given = {"name": "desk", "model": model(url, "leader"), "limits": NO_RETRY, "mode": mode}
    return Team(**given | {"members": [member(url, name) for name in names]} | fields)


def asks(*tasks: tuple[str, str]) -> Script:
    """A leader's reply that hands these tasks to these members, at once."""
    return tool_reply(*((f"delegate_to_{name}", {"task": task}) for name, task in tasks))


class Cast:
    """The scripts of each part, in order; the last one of a part is said again and again."""

    def __init__(self, provider: ScriptedProvider, **parts: Script | list[Script]) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._scripts = {
            part: deque(given if isinstance(given, list) else [given]) for part, given in parts.items()
        }
        provider.otherwise(self._play)

    def _play(self, request: Request) -> Script:
        with self._lock:
            scripts = self._scripts.get(request.body["model"])
            if not scripts:
                return error(500, f"nobody plays {request.body['model']}")
            return scripts.popleft() if len(scripts) > 1 else scripts[0]

    def requests(self, part: str) -> list[Any]:
        """The bodies of a part's requests, in order."""
        return [body for body in self._provider.bodies if body["model"] == part]


def said(body: Any) -> list[tuple[str, Any]]:
    """A request's messages as (role, content), without the system's."""
    return [(one["role"], one.get("content")) for one in body["messages"] if one["role"] != "system"]


if __name__ == "__main__":
    url, run_id, mode = sys.argv[1:]
    run = team(url, "ann", "bob", mode=mode).start("Go", run_id=run_id)
    print("launched", flush=True)
    print(nb.gather(run)[0].status.value, flush=True)
