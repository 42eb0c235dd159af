"""Agents of other frameworks, run here against a server that counts. Wants an environment that holds them all."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any, Literal

import pydantic
import pytest
from typing_extensions import TypedDict

import nbagent as nb
from nbagent import Agent, Limits, RunStatus, Team
from nbagent.guests import running
from nbagent.guests.own_connections import _HTTP_CLIENTS, OwnConnections, _is_one_of, _visited
from tests.guests.objects import FRAMEWORKS, MODEL, CellLoop, ask_it_yourself, make, price, says
from tests.provider.chat_wire import USAGE, begun, end, text, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Wait, error
from tests.runtime.scripted_team import Cast, asks, model

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]  # what others warn of is theirs
T = 60


class Quote(TypedDict):
    """An answer that is a dict."""

    ticker: str
    dollars: float


class Nothing(pydantic.BaseModel):
    """Another answer."""

    why: str


class Price(pydantic.BaseModel):
    """An answer with a form."""

    ticker: str
    dollars: float


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Each framework in turn."""
    return str(request.param)


@pytest.fixture
def cell() -> Iterator[CellLoop]:
    """The notebook's own event loop."""
    made = CellLoop()
    yield made
    made.loop.close()


def test_calls_tools_and_usage_are_the_servers(framework: str, provider: ScriptedProvider) -> None:
    """Each request is a model call with its own tokens and first token, the tool a tool call, text comes as it comes."""
    provider.reply(
        tool_reply(
            ("price", {"ticker": "NVDA"}),
            usage={"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55},
        ),
        text_reply("NVDA ", "is ", "180.5"),
    )
    run = nb.guest(make(framework, provider.base_url, price)).start("What is NVDA?")
    pieces = [event.text for event in run.events() if isinstance(event, nb.events.TextAdded)]
    output = run.result(timeout=T)
    assert (output.content, output.kind, "".join(pieces)) == ("NVDA is 180.5", "guest", "NVDA is 180.5")
    assert len(provider.requests) == len(output.model_calls) == output.metrics.model_calls == 2
    assert [call.usage.total_tokens for call in output.model_calls] == [55, USAGE["total_tokens"]]
    assert [call.usage.input_tokens for call in output.model_calls] == [50, USAGE["prompt_tokens"]]
    assert (output.model_calls[1].ttft_s or 0) > 0
    assert all(call.provider == "openai" for call in output.model_calls)
    (tool,) = output.tool_calls
    assert (tool.name, tool.status, tool.step) == ("price", "completed", 1)
    assert "NVDA" in tool.arguments
    assert "180.5" in (tool.result or "")
    assert [message.role for message in output.messages] == ["user", "assistant", "tool", "assistant"]
    assert [one.name for one in output.messages[1].tool_requests] == ["price"]
    assert nb.get(run.run_id).output.metrics.total_tokens == 73


def test_it_works_while_the_cell_is_blocked(framework: str, provider: ScriptedProvider) -> None:
    """The main thread waits without serving anything; the run comes to its end meanwhile."""
    provider.reply(text_reply("done"))
    ended = threading.Event()
    run = nb.guest(make(framework, provider.base_url)).start("Go")
    run.future().add_done_callback(lambda _: ended.set())
    assert ended.wait(T)
    assert run.output.content == "done"


@pytest.mark.parametrize("phase", ["before the first byte", "in the text"])
def test_cancel_closes_its_connection(framework: str, phase: str, provider: ScriptedProvider) -> None:
    """The server sees the client go; partial text is kept, the call is there as cancelled."""
    gate = Gate()
    provider.reply(
        (Wait(gate),) if phase == "before the first byte" else (*begun(), *text("It ", "is"), Wait(gate))
    )
    run = nb.guest(make(framework, provider.base_url)).start("Go")
    (request,) = provider.wait_for_requests(1)
    if phase == "in the text":
        for event in run.events():
            if isinstance(event, nb.events.TextAdded) and run.text == "It is":
                break
    assert run.cancel()
    assert request.disconnected.wait(T)
    output = run.wait(timeout=T)
    assert output.status is RunStatus.cancelled
    assert output.content == ("It is" if phase == "in the text" else "")
    assert [call.status for call in output.model_calls] == ["cancelled"]
    assert len(provider.requests) == 1


def test_typed_answers(framework: str, provider: ScriptedProvider) -> None:
    """A schema that the launch names comes back as an instance of its class."""
    answer = {"ticker": "NVDA", "dollars": 180.5}
    by_tool = framework == "pydantic_ai"
    provider.otherwise(tool_reply(("final_result", answer)) if by_tool else says(json.dumps(answer)))
    run = nb.guest(make(framework, provider.base_url)).start("NVDA?", output_schema=Price)
    output = run.result(timeout=T)
    assert output.content == Price(ticker="NVDA", dollars=180.5)
    assert output.output_valid
    assert run.to_frame().to_dict("records") == [answer]


FORMS: dict[str, tuple[Any, Any]] = {
    # what is asked for, and the answer as a model gives it
    "model": (Price, {"ticker": "NVDA", "dollars": 180.5}),
    "JSON Schema": (Price.model_json_schema(), {"ticker": "NVDA", "dollars": 180.5}),
    "TypedDict": (Quote, {"ticker": "NVDA", "dollars": 180.5}),
    "union": (Price | Nothing, {"why": "closed"}),
    "list": (list[Price], [{"ticker": "NVDA", "dollars": 180.5}]),
    "mapping": (dict[str, int], {"NVDA": 180}),
    "float": (float, 180.5),
    "literal": (Literal["buy", "sell"], "buy"),
    "text": (str, "plain"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_typed_answer(framework: str, form: str, provider: ScriptedProvider) -> None:
    """What a launch may ask of an Agent it may ask of a guest; the server is told a schema in its wire's own form."""
    schema, value = FORMS[form]
    provider.otherwise(lambda request: _answer(request, value))
    output = nb.guest(make(framework, provider.base_url)).run("NVDA?", output_schema=schema)
    assert output.error is None
    assert pydantic.TypeAdapter(Any).dump_python(output.content) == value
    assert (
        not isinstance(output.content, dict) or isinstance(schema, dict) or form in {"TypedDict", "mapping"}
    )
    told = provider.bodies[0].get("response_format")
    assert told is None or (
        told["type"] == "json_schema" and told["json_schema"]["schema"]["type"] == "object"
    )
    assert (told is None) == (framework in {"pydantic_ai", "langgraph"} or form == "text")


def _answer(request: Request, value: Any) -> Script:
    """Answer in the envelope that the framework asked for: it calls what is no object items, value or response."""
    for tool in request.body.get("tools") or ():
        function = tool["function"]
        names = function["parameters"].get("properties") or value
        if isinstance(value, dict) and value.keys() == names.keys():
            return tool_reply((function["name"], value))
        if len(names) == 1 and (not isinstance(value, dict) or "response" in names):
            return tool_reply((function["name"], {next(iter(names)): value}))
    told = request.body.get("response_format")
    if told is None:
        return text_reply(value if isinstance(value, str) else json.dumps(value))
    names = told["json_schema"]["schema"].get("properties") or value
    whole = value if isinstance(value, dict) and value.keys() == names.keys() else {next(iter(names)): value}
    return says(json.dumps(whole))(request)


def test_a_reply_that_was_cut_is_an_answer_and_says_so(framework: str, provider: ScriptedProvider) -> None:
    """A limit on what the model may write ends the run as it ends an Agent's, where the framework tells of it."""
    provider.reply(text_reply("cut ", "off", finish="length"))
    output = nb.guest(make(framework, provider.base_url)).run("?")
    told = framework not in {"openai_agents", "agno"}
    assert (output.status, output.content) == (RunStatus.completed, "cut off")
    assert output.stop_reason == ("max_output_tokens" if told else "end")


def test_a_tool_that_was_called_wrongly_is_an_error(framework: str, provider: ScriptedProvider) -> None:
    """Its row says so, with what the model is told; the model may try again."""
    provider.reply(tool_reply(("price", {"symbol": 1})), text_reply("sorry"))
    output = nb.guest(make(framework, provider.base_url, price)).run("?")
    (tool,) = output.tool_calls
    assert output.content == "sorry"
    if framework != "openai_agents":  # which tells it as the tool's result
        assert tool.status == "error"
        assert tool.error


def test_a_schema_from_elsewhere_is_told_to_the_framework(framework: str, provider: ScriptedProvider) -> None:
    """A team that is routed to a guest, and a retry, want the form that was asked for, as its launch does."""
    answer = {"ticker": "NVDA", "dollars": 180.5}
    typed = tool_reply(("final_result", answer)) if framework == "pydantic_ai" else says(json.dumps(answer))
    provider.otherwise(
        lambda request: (
            asks(("pricer", "NVDA?"))
            if request.body["model"] == "leader"
            else typed(request)
            if callable(typed)
            else typed
        )
    )
    raw = make(framework, provider.base_url)
    leader = model(provider.base_url, "leader")
    routed = Team(model=leader, members=[raw], mode="route").run("NVDA?", output_schema=Price)
    first = nb.guest(raw).start("NVDA?", output_schema=Price)
    first.result(timeout=T)
    again = first.retry().result(timeout=T)
    assert routed.content == again.content == Price(ticker="NVDA", dollars=180.5)
    asked = [body for body in provider.bodies if body["model"] == MODEL]
    told = [bool(body.get("response_format") or body.get("tools")) for body in asked]
    assert told == [framework != "langgraph"] * 3  # a graph has its own form


def test_what_an_agent_has_been_is_in_the_record(framework: str, provider: ScriptedProvider) -> None:
    """The names of its tools are in the spec, and one that is gone makes the run stale."""
    provider.otherwise(says("yes"))
    nb.guest(make(framework, provider.base_url, price), name="host").run("?", label="asked")
    main = vars(sys.modules["__main__"])
    main["host"] = nb.guest(make(framework, provider.base_url, price), name="host")
    try:
        assert list(nb.stale(every=True)["state"]) == ["unknown"]
        main["host"] = nb.guest(make(framework, provider.base_url), name="host")
        assert list(nb.stale()["changed"]) == ["tool price: gone"]
    finally:
        del main["host"]


def test_a_wrong_typed_answer_is_an_error(framework: str, provider: ScriptedProvider) -> None:
    """What does not fit is no answer."""
    provider.otherwise(says("no idea"))
    output = nb.guest(make(framework, provider.base_url)).run("NVDA?", output_schema=Price)
    assert output.status is RunStatus.error
    assert output.error


def test_a_place_in_a_team(framework: str, provider: ScriptedProvider) -> None:
    """The raw object is a member; its run has metrics of its own and counts for the team."""
    Cast(
        provider,
        leader=[asks(("pricer", "NVDA?")), text_reply("180.5")],
        **{MODEL: [text_reply("it is 180.5")]},
    )
    raw = make(framework, provider.base_url)
    output = Team(model=model(provider.base_url, "leader"), members=[raw]).run("What is NVDA?")
    assert output.content == "180.5"
    (member,) = output.member_responses
    assert (member.agent_name, member.content, member.metrics.total_tokens) == ("pricer", "it is 180.5", 18)
    assert output.metrics.total_tokens == 18 * 3


def test_fifty_rows(framework: str, provider: ScriptedProvider) -> None:
    """Each row is a run; the server has one request for each."""
    provider.otherwise(lambda request: text_reply(f"#{request.body['messages'][-1]['content']}"))
    batch = nb.guest(make(framework, provider.base_url)).map([str(n) for n in range(50)], "{{ row }}")
    frame = batch.wait(timeout=T * 3)
    assert frame["content"].tolist() == [f"#{n}" for n in range(50)]
    assert len(provider.requests) == 50


def test_cell_background_and_both_at_once(framework: str, provider: ScriptedProvider, cell: CellLoop) -> None:
    """The same object answers twenty times of twenty wherever it is used, one after the other or at once."""
    provider.otherwise(says("yes"))
    obj = make(framework, provider.base_url)
    agent = nb.guest(obj)
    for _ in range(20):
        assert cell.run(ask_it_yourself(framework, obj, "?")) == "yes"
        assert agent.run("?").content == "yes"
        run = agent.start("?")
        assert cell.run(ask_it_yourself(framework, obj, "?")) == "yes"
        assert run.result(timeout=T).content == "yes"


def test_the_users_object_is_unchanged(framework: str, provider: ScriptedProvider) -> None:
    """A run in the background leaves the object that it is of as it was, and opens none of its connections."""
    provider.otherwise(tool_or_text)
    obj = make(framework, provider.base_url, price)
    agent = nb.guest(obj)
    before = {name: (id(value), repr(value)) for name, value in vars(obj).items()}
    assert agent.run("?").content == "yes"
    assert {name: (id(value), repr(value)) for name, value in vars(obj).items()} == before
    own = OwnConnections()
    assert own.copy_of(obj) is not obj
    assert all(not client._transport._pool._connections for client, _ in own._clients.values())


def tool_or_text(request: Request) -> Script:
    """Ask for a tool, and answer once its result is there."""
    asked = request.body["messages"][-1]["role"] == "user"
    return tool_reply(("price", {"ticker": "A"})) if asked else text_reply("yes")


def test_connections_of_guests_long_idle_are_closed(
    framework: str, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of so many guests the connections stay open; those that have not run for longest lose theirs, none at work."""
    monkeypatch.setattr(running, "_KEPT", 1)
    gate = Gate()
    provider.reply(
        text_reply("first"), (*begun(), *text("It ", "is"), Wait(gate), *end()), text_reply("third")
    )
    idle, busy, last = (make(framework, provider.base_url) for _ in range(3))
    assert nb.guest(idle).run("?").content == "first"
    clients = _clients_of(running._connected[id(idle)].own())
    assert clients
    assert not any(client.is_closed for client in clients)
    at_work = nb.guest(busy).start("?")
    provider.wait_for_requests(2)
    assert nb.guest(last).run("?").content == "third"
    assert all(client.is_closed for client in clients)
    gate.open()
    assert at_work.result(timeout=T).content == "It is"


def _clients_of(obj: object) -> list[Any]:
    return [one for one, _ in _visited(obj) if _is_one_of(one, _HTTP_CLIENTS)]


def test_a_session_is_its_history(framework: str, provider: ScriptedProvider) -> None:
    """What was said before goes along as messages, tool calls included; another agent's run of the session too."""
    provider.reply(
        tool_reply(("price", {"ticker": "A"})), text_reply("first"), text_reply("second"), text_reply("third")
    )
    agent = nb.guest(make(framework, provider.base_url, price))
    agent.run("one", session="s")
    agent.run("two", session="s")
    Agent(model=model(provider.base_url, "other")).run("three", session="s")
    said = [(m["role"], _text_of(m)) for m in provider.bodies[2]["messages"] if m["role"] != "system"]
    assert [role for role, _ in said] == ["user", "assistant", "tool", "assistant", "user"]
    assert [said[place][1] for place in (0, 3, 4)] == ["one", "first", "two"]
    assert [m["content"] for m in provider.bodies[3]["messages"]][-2:] == ["second", "three"]


def _text_of(message: dict) -> str:  # type: ignore[type-arg]
    content = message.get("content")
    return content if isinstance(content, str) else "".join(part["text"] for part in content or ())


def test_limits_are_looked_at_after_each_call(framework: str, provider: ScriptedProvider) -> None:
    """A limit that a call used up ends the run before the next one."""
    provider.otherwise(lambda _: tool_reply(("price", {"ticker": "A"})))
    limits = Limits(max_total_tokens=30)
    output = nb.guest(make(framework, provider.base_url, price), limits=limits).run("?")
    assert (output.status, output.stop_reason) == (RunStatus.error, "max_total_tokens")
    assert [call.usage.total_tokens for call in output.model_calls if call.status == "completed"] == [18, 18]


def test_a_refused_call_is_the_runs_error(framework: str, provider: ScriptedProvider) -> None:
    """What the server says is in the error; the call is a row."""
    provider.otherwise(_refuse)
    output = nb.guest(make(framework, provider.base_url)).run("?")
    assert output.status is RunStatus.error
    assert "no such thing" in (output.error or "")
    assert output.model_calls[-1].status in {"error", "completed"}


def _refuse(_: Request) -> tuple:  # type: ignore[type-arg]
    return error(400, "no such thing")


def test_retry_is_its_resume(framework: str, provider: ScriptedProvider) -> None:
    """A failed run says that it cannot go on from the middle; its work is started anew."""
    provider.reply(_refuse(None), text_reply("now"))  # type: ignore[arg-type]
    run = nb.guest(make(framework, provider.base_url)).start("?")
    assert run.wait(timeout=T).status is RunStatus.error
    with pytest.raises(
        nb.ConfigurationError, match=r"cannot go on from where it stood\nstart its work anew with run.retry"
    ):
        run.resume()
    assert run.retry().result(timeout=T).content == "now"
