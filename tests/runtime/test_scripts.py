"""Scripts: calls that need a person where nobody is, batches that must be whole, failures that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, BatchError, Limits, OpenAIChat, Team, tool
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import error

ROOT = Path(__file__).parents[2]
SENT: list[str] = []


@tool(requires_approval=True)
def send(to: str) -> str:
    """Send a letter."""
    SENT.append(to)
    return "sent"


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    SENT.clear()


def agent(provider: ScriptedProvider, **options: Any) -> Agent:
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="k")
    return Agent(model=model, tools=[send], **{"limits": Limits(model_retries=0), **options})


def asks_then_ends(request: Request) -> Any:
    """The model wants to send a letter, and ends once it was told what became of that."""
    told = any(message["role"] == "tool" for message in request.body["messages"])
    return text_reply("Done.") if told else tool_reply(("send", {"to": "Ada"}))


# ------------------------------------------------------------------------------------------- approval


@pytest.mark.parametrize("given_s", [None, 0.05], ids=["at-once", "after-a-time"])
def test_deny_tells_the_model(provider: ScriptedProvider, given_s: float | None) -> None:
    """The run goes on with a denied call, which never ran."""
    provider.otherwise(asks_then_ends)
    limits = Limits(model_retries=0, approval_timeout_s=given_s)
    output = agent(provider, limits=limits).start("Send it", on_approval="deny").result(60)
    assert (output.content, SENT) == ("Done.", [])
    (call,) = output.tool_calls
    assert call.status == "denied"
    assert "denied this call" in (call.result or "")
    assert ("within 0.05 s" if given_s else "on_approval is 'deny'") in (call.error or "")


@pytest.mark.parametrize("given_s", [None, 0.05], ids=["at-once", "after-a-time"])
def test_fail_ends_the_run(provider: ScriptedProvider, given_s: float | None) -> None:
    """The run is an error that names the call; the tool never ran, and no further request was sent."""
    provider.otherwise(asks_then_ends)
    limits = Limits(model_retries=0, approval_timeout_s=given_s)
    output = agent(provider, limits=limits, on_approval="fail").run("Send it")
    assert (output.status.value, output.stop_reason, output.error_type) == (
        "error",
        "error",
        "ApprovalNeeded",
    )
    what, todo = (output.error or "").splitlines()
    assert "send" in what
    assert "needs a person's approval" in what
    assert 'on_approval="wait"' in todo
    assert (SENT, len(provider.requests)) == ([], 1)


def test_wait_ends_as_a_timeout_once_its_time_is_over(provider: ScriptedProvider) -> None:
    """`approval_timeout_s` counts where it is asked for; the run's own timeout stands still."""
    provider.otherwise(asks_then_ends)
    limits = Limits(model_retries=0, approval_timeout_s=0.05, timeout_s=30)
    output = agent(provider, limits=limits).run("Send it")
    assert (output.status.value, output.stop_reason, SENT) == ("timeout", "timeout", [])
    assert "nobody decided on it within 0.05 s" in (output.error or "")


@pytest.mark.parametrize("how", ["wait", "deny", "fail"])
def test_a_person_who_is_there_in_time_decides(provider: ScriptedProvider, how: Any) -> None:
    """Within its time an approval counts, whatever would happen after it."""
    provider.otherwise(asks_then_ends)
    limits = Limits(model_retries=0, approval_timeout_s=60)
    run = agent(provider, limits=limits, on_approval=how).start("Send it")
    while not run.pending_approvals:
        assert not run.done()
    run.approve()
    assert (run.result(60).content, SENT) == ("Done.", ["Ada"])


def test_it_is_an_option_and_reaches_members_and_rows(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the settings, in every row of a map, and from a team to its members."""
    provider.otherwise(asks_then_ends)
    frame = agent(provider).map(["a", "b"], "Send {{ row }}", on_approval="fail").result(60)
    assert frame["error_type"].tolist() == ["ApprovalNeeded"] * 2
    monkeypatch.setenv("NBAGENT_ON_APPROVAL", "deny")
    assert agent(provider).run("Send it").content == "Done."
    monkeypatch.delenv("NBAGENT_ON_APPROVAL")
    team = Team(members=[agent(provider, name="ann")], model=agent(provider).model, on_approval="deny")
    assert [member.spec.on_approval for member in team.resolved().members] == ["deny"]
    with pytest.raises(nb.ConfigurationError, match="on_approval"):
        agent(provider).start("Send it", on_approval="never")  # type: ignore[arg-type]
    assert SENT == []


# ------------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("bad", [(), ("b",), ("a", "b", "c")])
def test_check_raises_where_rows_failed(provider: ScriptedProvider, bad: tuple[str, ...]) -> None:
    """A script that wants all rows ends with an error that counts and shows them; the frame is at hand."""
    provider.otherwise(
        lambda request: (
            error(400, "no") if request.body["messages"][-1]["content"] in bad else text_reply("ok")
        )
    )
    batch = agent(provider).map(["a", "b", "c"], "{{ row }}", label="nightly")
    assert len(batch.result(60)) == 3
    if not bad:
        assert len(batch.result(60, check=True)) == 3
        return
    with pytest.raises(BatchError) as caught:
        batch.result(60, check=True)
    assert caught.value.what.startswith(
        f"{len(bad)} of 3 rows of batch 'nightly' failed ({len(bad)} ProviderRefusedError)"
    )
    assert "batch.failed()" in caught.value.todo
    assert list(caught.value.frame["status"]).count("error") == len(bad)


@pytest.mark.parametrize(
    ("max_tokens", "said"),
    [(20, "3 of 4 rows of batch 'nightly' have no answer (3 not asked)"), (10_000, "")],
)
def test_rows_that_a_limit_left_out_have_no_answer(
    provider: ScriptedProvider, max_tokens: int, said: str
) -> None:
    """They have not failed, and yet a script that wants all rows ends with an error that counts them."""
    provider.otherwise(text_reply("ok"))
    batch = agent(provider).map(
        list("abcd"), "{{ row }}", max_tokens=max_tokens, max_concurrency=1, label="nightly"
    )
    assert batch.wait(60)["status"].tolist().count("not asked") == (3 if said else 0)
    assert batch.failed().empty
    if not said:
        assert len(batch.result(60, check=True)) == 4
        return
    with pytest.raises(BatchError) as caught:
        batch.result(60, check=True)
    assert caught.value.what == said
    assert "batch.resume()" in caught.value.todo


# ------------------------------------------------------------------------------------------- the end of a script

SCRIPT = """
import sys
from nbagent import Agent, OpenAIChat, Limits
agent = Agent(model=OpenAIChat(id="m", base_url=sys.argv[1], api_key="k"), limits=Limits(model_retries=0))
run = agent.start("Well?", label="letter")
from nbagent import runtime
[live] = runtime.current().runs()
live.done.result(60)
"""
SAID = "nbagent: run 'letter' failed, and nobody asked for its result: "


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", 1),
        ("run.status", 1),
        ("run.wait()", 0),
        ("run.error", 0),
        ("run.content", 0),
        ("try:\n    run.result()\nexcept Exception:\n    pass", 0),
        ("agent.map(['x'], '{{ row }}').wait()", 1),
        (
            "for _ in range(7): agent.start('x')\nfor live in runtime.current().runs(): live.done.result(60)",
            5,
        ),
    ],
)
def test_a_failure_that_nobody_asked_for_is_said_at_the_end(
    provider: ScriptedProvider, tmp_path: Path, more: str, said: int
) -> None:
    """Once, on stderr, with why; not where the script has looked."""
    provider.otherwise(error(400, "bad request"))
    env = {**os.environ, "NBAGENT_STORE": str(tmp_path / "script.duckdb"), "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT + more, provider.base_url], env=env, capture_output=True, text=True, check=True, timeout=120
    )  # fmt: skip
    assert found.stderr.count("and nobody asked for its result: ") == said
    assert found.stderr.count(SAID) == min(said, 1)
    assert ("more runs failed" in found.stderr) == (said == 5)
    assert "Traceback" not in found.stderr
