"""Scripts in agno's idiom run with nothing changed but their import lines, and print what they print with agno."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nbagent import RunStatus, settings
from nbagent.compat.agno import Agent, InMemoryDb, OpenAIChat, PostgresDb, SqliteDb, Team, tool
from nbagent.compat.agno_runs import settled
from nbagent.demo.process import DemoProcess
from nbagent.errors import ConfigurationError, NBAgentError, UnknownOptionError
from nbagent.tools import tools_of
from tests.compat.parts import PARTS, play
from tests.provider.chat_wire import USAGE, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script, answer, error

SCRIPTS = Path(__file__).parent / "scripts"
PRINTED = {
    "background": ["Status: RunStatus.pending", "Completed: The capital of France is Paris.", "None"],
    "cancel": ["Status: RunStatus.pending", "Cancelled: True", "Final: RunStatus.cancelled"],
    "structured": [
        "CityFactsResponse", "Tokyo Japan", "Paris France",
        "RunStatus.completed The capital of Spain is Madrid.",
        "RunStatus.completed The capital of Egypt is Cairo.",
        "RunStatus.completed The capital of Peru is Lima.",
    ],
    "metrics": ["The stock price for NVDA is 180.5.", "True True True", "True", "model assistant True", "True"],
    "team": [
        "RunStatus.completed Paris, and 180.5", "Capitals it is Paris 18", "Prices it is 180.5 18",
        "['capitals', 'leader', 'prices']", "72",
    ],
}  # fmt: skip
SHORT = {
    "movie": [
        "New York | comedy | Ada, Ben", "MovieScript",
        '{"setting": "New York", "genre": "comedy", "characters": ["Ada", "Ben"]}',
    ],
    "toolkit": [
        "tea costs 5 euros; today: 9 to 17", "price_of {'article': 'tea'} tea costs 5 euros False",
        "opening_hours {'day': 'today'} today: 9 to 17 False",
    ],
    "events": [
        "EVENT: RunStarted", "TOOL: get_weather {'city': 'Rome'}", "RESULT: Rome is sunny", "EVENT: RunCompleted",
        "It is sunny in Rome.",
    ],
    "state": [
        "It was []", "It was ['milk']", "Session state: {'shopping_list': ['milk', 'eggs']}",
        "{'shopping_list': ['rice', 'tea']} {'shopping_list': ['rice', 'tea']}",
    ],
    "history": ["My name is Ada.", "My name is Ada. / What is my name?", "And in another chat?"],
    "routing": ["Gut, danke", "done True", "Both greet ['Hello', 'Gut, danke']"],
    "counted": [
        "calls ['get_weather']", "message 18", "says It is sunny in Rome.", "message 18", "run 22 14 36",
        "first token True True", "session 36",
    ],
    "confirm": [
        "paused True ['transfer']", "asks for {'amount': 5}", "Done: sent 5", "paused True ['transfer']",
        "asks for {'amount': 5}", "Not done",
    ],
    "picture": ["1 pixel", "1 pixel"],
}  # fmt: skip


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The demo server."""
    process = DemoProcess(token="k", speed=50)  # noqa: S106 - any key will do
    yield process.start()
    process.stop()


def _desk(request: Request) -> Script:
    """Hand a task to each member, in nbagent's way or in agno's, then answer; streamed or whole, as it is asked."""
    body = request.body
    if body["model"] != "leader":
        return _reply(body, {"capitals": "it is Paris", "prices": "it is 180.5"}[body["model"]])
    if any(message["role"] == "tool" for message in body["messages"]):
        return _reply(body, "Paris, and 180.5")
    names = [one["function"]["name"] for one in body["tools"]]
    if "delegate_task_to_member" in names:
        calls = [
            ("delegate_task_to_member", {"member_id": name, "task": "?"}) for name in ("capitals", "prices")
        ]
    else:
        calls = [(f"delegate_to_{name}", {"task": "?"}) for name in ("Capitals", "Prices")]
    return _reply(body, "", *calls)


def _reply(body: Any, text: str, *calls: tuple[str, Any]) -> Script:
    if body.get("stream"):
        return tool_reply(*calls) if calls else text_reply(text)
    asked = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for n, (name, given) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": asked} if asked else {})}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if asked else "stop"}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": USAGE}
    return answer(200, {**whole, "choices": [choice]})


def _run(source: str, demo: str, provider: ScriptedProvider, tmp_path: Path) -> list[str]:
    provider.otherwise(lambda request: (play if request.body["model"] in PARTS else _desk)(request))
    script = tmp_path / "script.py"
    script.write_text(source)
    environment = {**os.environ, "DEMO_URL": demo, "DEMO_KEY": "k", "PROVIDER_URL": provider.base_url}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env={**environment, "AGNO_TELEMETRY": "false"},
        timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_with_other_import_lines(name: str, demo: str, provider: ScriptedProvider, tmp_path: Path) -> None:
    """Only what follows `from agno` is another module's name."""
    assert _run(_ported(name), demo, provider, tmp_path) == PRINTED[name]


def _ported(name: str) -> str:
    """Return a script with its import lines changed, and nothing else."""
    lines = (SCRIPTS / f"{name}.py").read_text().splitlines()
    changed = [
        re.sub(r"^from agno\.[\w.]+ import", "from nbagent.compat.agno import", line) for line in lines
    ]
    assert sum(old != new for old, new in zip(lines, changed, strict=True)) >= 2
    return "\n".join(changed)


@pytest.mark.parametrize("name", sorted(SHORT))
def test_in_this_process_too(
    name: str,
    provider: ScriptedProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Typed answers, toolkits, events, state, history, teams, metrics, confirmations and pictures: as agno has them."""
    provider.otherwise(play)
    monkeypatch.setenv("PROVIDER_URL", provider.base_url)
    monkeypatch.chdir(tmp_path)
    exec(compile(_ported(name), name, "exec", dont_inherit=True), {"__name__": "__main__"})  # noqa: S102 - ours
    assert capsys.readouterr().out.splitlines() == SHORT[name]


@pytest.mark.guests
@pytest.mark.parametrize("name", ["background", "metrics", "events", "counted", "confirm"])
def test_with_agno_itself(name: str, demo: str, provider: ScriptedProvider, tmp_path: Path) -> None:
    """The same script as it is prints the same, beside what agno logs.

    With agno 3.1.10 those that use `print_response` print boxes, and some others do not: a typed answer that is read back is a dict, a team's details have no entry for
    each model, and a cancelled run is not always told as one.
    """
    printed, wanted = (
        _run((SCRIPTS / f"{name}.py").read_text(), demo, provider, tmp_path),
        {**PRINTED, **SHORT}[name],
    )
    assert [line for line in printed if line in wanted] == wanted


def agent_of(provider: ScriptedProvider, **fields: Any) -> Agent:
    """An agent on the scripted server."""
    return Agent(model=OpenAIChat(id="m", base_url=provider.base_url, api_key="k", temperature=0.5), **fields)


def test_events_have_agnos_names(provider: ScriptedProvider) -> None:
    """Text alone with `stream`, all with `stream_events`."""
    provider.otherwise(text_reply("a ", "b"))
    agent = agent_of(provider)
    told = list(agent.run("?", stream=True))
    assert {one.event for one in told} == {"RunContent"}
    assert "".join(one.content for one in told) == "a b"
    names = [one.event for one in agent.run("?", stream=True, stream_events=True)]
    assert names[-1] == "RunCompleted"
    assert {"ModelRequestStarted", "ModelRequestCompleted", "RunContent"} <= set(names)


def test_words_settings_and_sessions(provider: ScriptedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """Description, role and instructions reach the model, its settings too; runs share a session without its history."""
    provider.otherwise(text_reply("yes"))
    agent = agent_of(
        provider, description="You know.", role="Expert", instructions=["One.", "Two."], markdown=True
    )
    first, second = agent.run("a"), agent.run("b")
    assert first.session_id == second.session_id
    assert agent.get_session_metrics().total_tokens == 36
    system, *rest = provider.bodies[1]["messages"]
    assert system["content"].splitlines() == ["You know.", "Expert", "One.", "Two."]
    assert [message["content"] for message in rest] == ["b"]
    assert provider.bodies[0]["temperature"] == 0.5
    agent.print_response("c")
    assert capsys.readouterr().out.splitlines()[-1] == "yes"
    remembering = agent_of(provider, add_history_to_context=True)
    remembering.run("a")
    remembering.run("b")
    assert [one["content"] for one in provider.bodies[-1]["messages"]] == ["a", "yes", "b"]


def test_an_error_is_told_in_content(provider: ScriptedProvider) -> None:
    """As agno has it; the status says that it is one."""
    provider.otherwise(error(400, "no such thing"))
    output = agent_of(provider).run("?")
    assert output.status is RunStatus.error
    assert "no such thing" in output.content
    assert output.get_content_as_string() == output.content


def said_by(use: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said once on the error stream."""
    from nbagent.core import console

    console._said.clear()
    use()
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("db", [SqliteDb, InMemoryDb, PostgresDb])
def test_a_database_of_agnos_own_says_where_the_record_is(
    db: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two lines."""
    said = said_by(lambda: db(db_file="folder/x.db"), capsys)
    assert len(said) == 2
    assert "folder/x.db" in said[0]
    assert "NBAGENT_STORE" in said[1]


@pytest.mark.parametrize("made_of", [Agent, lambda **given: Team(members=[], **given)])
def test_a_postgres_database_is_where_the_record_is(
    made_of: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """From the first agent or team on that has it; it is said in two lines, without the password."""
    before = settings.get("store")
    db = PostgresDb(db_url="postgresql+psycopg://ai:secret@host/ai")
    assert settings.get("store") == before
    try:
        said = said_by(lambda: made_of(db=db), capsys)
        assert str(settings.get("store")) == "postgresql://ai@host/ai"
    finally:
        settings.configure("store", None)
    assert len(said) == 2
    assert "'host/ai'" in said[0]
    assert "secret" not in "".join(said)


@pytest.mark.parametrize("address", ["postgresql://host/ai?schema=A;", "mysql://ai:secret@host/ai", ""])
def test_an_address_that_is_none_is_refused_without_the_password(address: str) -> None:
    """In two lines, by the agent that is to have it."""
    before = settings.get("store")
    try:
        with pytest.raises(NBAgentError) as refused:
            Agent(db=PostgresDb(db_url=address))
    finally:
        settings.configure("store", None)
    assert len(str(refused.value).splitlines()) == 2
    assert "secret" not in str(refused.value)
    assert settings.get("store") == before


def test_unknown_words_are_refused_and_tools_keep_their_confirmation(provider: ScriptedProvider) -> None:
    """What has nothing like it here says so; a confirmation is an approval."""
    with pytest.raises(UnknownOptionError, match="is no option"):
        Agent(knowledge=5)
    with pytest.raises(UnknownOptionError, match="is no option"):
        Team(members=[], knowledge=5)

    @tool(requires_confirmation=True)
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    provider.reply(tool_reply(("pay", {"amount": 5})), text_reply("done"))
    run = agent_of(provider, tools=[pay]).start("?")
    for _ in run.events():
        if run.pending_approvals:
            run.approve()
    assert run.result(timeout=30).tool_calls[0].result == "paid 5"


def test_a_tools_own_description_is_what_the_model_reads() -> None:
    """It takes the place of the docstring's text, and what is said of arguments stays; unknown words are refused."""

    @tool(description="Weigh a thing.", instructions="Once each.", show_result=True)
    def weigh(kg: int) -> int:
        """Something else.

        Args:
            kg: its weight in kilograms
        """
        return kg

    (made,) = tools_of(weigh)
    assert made.description == "Weigh a thing.\n\nOnce each."
    assert made.parameters["properties"]["kg"]["description"] == "its weight in kilograms"
    with pytest.raises(ConfigurationError, match="stop_after_tool_call"):
        tool(stop_after_tool_call=True)


REFUSED = {
    "from nbagent.compat.agno import Workflow": "one after the other in Python",
    "from nbagent.compat.agno import Knowledge": "tools=[search]",
    "from nbagent.compat.agno import OpenAILike": "nb.guest(agent)",
    "Agent(knowledge=1)": "tools=[search]",
    "Agent(enable_agentic_state=True)": "def add(run_context, item)",
    "Agent(pre_hooks=[print])": "before agent.run",
    "Team(members=[], share_member_interactions=True)": "the leader",
    "Image(url='https://x/y.png')": "filepath=",
    "Agent().get_chat_history()": "nb.guest(agent)",
    "Agent().continue_run(run_id='x')": "confirm() or reject()",
    "Agent().continue_run(run_id='x', stream=True)": "leave it out",
    "Toolkit(name='a', cache_results=True)": "leave it out",
}


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_what_has_nothing_like_it_is_refused_in_two_lines(code: str) -> None:
    """The first names it, the second says what to do."""
    import nbagent.compat.agno as compat

    with pytest.raises(Exception) as caught:  # noqa: PT011 - of four kinds, told by their text
        exec(code, dict(vars(compat)))  # noqa: S102 - the code above
    first, second = str(caught.value).splitlines()
    word = re.findall(r"import (\w+)|(?:\(|, )(\w+)=|\.(\w+)\(", code)[-1]
    assert any(one in first for one in filter(None, [*word, "continue_run", "url"])), first
    assert REFUSED[code] in second


def test_a_failure_is_printed(provider: ScriptedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """Streamed or not, `print_response` says why there is no answer."""
    provider.otherwise(error(400, "no such thing"))
    agent = agent_of(provider)
    agent.print_response("?")
    agent.print_response("?", stream=True)
    printed = capsys.readouterr().out
    assert printed.count("no such thing") == 2


def test_a_call_that_was_decided_on_is_not_waited_for_again(provider: ScriptedProvider) -> None:
    """It may stand in the record for a moment yet; whoever goes on with the run waits for what comes after it."""
    provider.otherwise(play)

    @tool(requires_confirmation=True)
    def transfer(amount: int) -> str:
        """Transfer money."""
        return f"sent {amount}"

    agent = Agent(model=OpenAIChat(id="bank", base_url=provider.base_url, api_key="k"), tools=[transfer])
    run = agent.start("Send 5")
    waiting = settled(run)
    (call,) = waiting.tools_requiring_confirmation
    assert (waiting.is_paused, call.tool_args) == (True, {"amount": 5})
    with ThreadPoolExecutor() as pool:
        going_on = pool.submit(settled, run, {call.tool_call_id})
        run.approve()
        assert going_on.result(timeout=60).content == "Done: sent 5"
