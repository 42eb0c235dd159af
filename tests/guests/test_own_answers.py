"""What agents of other frameworks answer by themselves: types of their own, validators, states. Wants them all installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from typing_extensions import TypedDict

import nbagent as nb
from nbagent.errors import ConfigurationError
from tests.guests.objects import make, says
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]  # what others warn of is theirs
COUNTED: list[str] = []


class Price(pydantic.BaseModel):
    """An answer with a form; how often it was checked is counted."""

    ticker: str
    dollars: float

    @pydantic.field_validator("ticker")
    @classmethod
    def counted(cls, ticker: str) -> str:
        """Count."""
        COUNTED.append(ticker)
        return ticker


class Nothing(pydantic.BaseModel):
    """Another answer."""

    why: str


def _native(kind: Any) -> Any:
    from pydantic_ai import NativeOutput

    return NativeOutput(kind)


def _tool(kind: Any) -> Any:
    from pydantic_ai import ToolOutput

    return ToolOutput(kind, name="final_result_Price")


def _wrapped(kind: Any) -> Any:
    from agents import AgentOutputSchema

    return AgentOutputSchema(kind, strict_json_schema=False)


OWN: dict[str, tuple[str, Callable[[], Any]]] = {
    "a model": ("pydantic_ai", lambda: Price),
    "several": ("pydantic_ai", lambda: [Price, Nothing]),
    "a tool's": ("pydantic_ai", lambda: [_tool(Price), Nothing]),
    "the model's own": ("pydantic_ai", lambda: _native(Price)),
    "agents' model": ("openai_agents", lambda: Price),
    "agents' wrapped": ("openai_agents", lambda: _wrapped(Price)),
    "agents' union": ("openai_agents", lambda: Price | Nothing),
}


@pytest.mark.parametrize("own", OWN)
def test_an_own_type_comes_back_as_its_object_and_is_checked_once(
    own: str, provider: ScriptedProvider
) -> None:
    """What the framework has made and checked is the answer, whatever says so: a type, several, or a wrapped one."""
    framework, kind = OWN[own]
    answer = {"ticker": "NVDA", "dollars": 180.5}
    name = "final_result" if own == "a model" else "final_result_Price"
    if framework == "pydantic_ai" and own != "the model's own":
        provider.reply(tool_reply((name, answer)))
    else:
        provider.otherwise(says(json.dumps({"response": answer} if own == "agents' union" else answer)))
    agent = nb.guest(make(framework, provider.base_url, output_type=kind()))
    COUNTED.clear()
    run = agent.start("?")
    output = run.result(timeout=60)
    assert output.content == Price(ticker="NVDA", dollars=180.5)
    assert output.output_valid
    assert COUNTED == ["NVDA"] * 2  # the framework's, and the one of the line above
    assert run.to_frame()[["ticker", "dollars"]].to_dict("records") == [answer]


def test_texts_beside_types_and_functions_are_answers(provider: ScriptedProvider) -> None:
    """Where an answer may be a text, or is made by a function, nbagent checks nothing."""

    def priced(ticker: str) -> str:
        """Give a price."""
        return f"{ticker}: 180.5"

    provider.reply(text_reply("no idea"), tool_reply(("final_result", {"ticker": "NVDA"})))
    assert (
        nb.guest(make("pydantic_ai", provider.base_url, output_type=[Price, str])).run("?").content
        == "no idea"
    )
    assert (
        nb.guest(make("pydantic_ai", provider.base_url, output_type=priced)).run("?").content == "NVDA: 180.5"
    )


def test_output_validators_and_retries_are_the_frameworks(provider: ScriptedProvider) -> None:
    """An agent with a validator runs as it is; what the validator sends back is a call of its own."""
    from pydantic_ai import ModelRetry

    agent = make("pydantic_ai", provider.base_url)

    @agent.output_validator
    def short(said: str) -> str:
        if len(said) > 3:
            raise ModelRetry("shorter, please")
        return said

    provider.reply(text_reply("a long answer"), text_reply("yes"))
    output = nb.guest(agent).run("?")
    assert (output.content, len(output.model_calls)) == ("yes", 2)


class State(TypedDict):
    """A graph's own state."""

    question: str
    left: str
    right: str


def _graph(url: str) -> Any:
    """A graph whose two nodes ask a model at once, and a third that joins them."""
    from langchain_openai import ChatOpenAI
    from langgraph.graph import END, START, StateGraph

    model = ChatOpenAI(model="m", base_url=url, api_key="k", stream_usage=True, max_retries=0)  # type: ignore[arg-type]

    async def left(state: State) -> dict[str, str]:
        return {"left": str((await model.ainvoke(f"left {state['question']}")).text)}

    async def right(state: State) -> dict[str, str]:
        return {"right": str((await model.ainvoke(f"right {state['question']}")).text)}

    async def joined(state: State) -> dict[str, str]:
        return {"question": f"{state['left']} and {state['right']}"}

    graph = StateGraph(State)
    for name, node in (("go_left", left), ("go_right", right), ("join", joined)):
        graph.add_node(name, node)
    for edge in ((START, "go_left"), (START, "go_right"), (["go_left", "go_right"], "join"), ("join", END)):
        graph.add_edge(*edge)
    return graph.compile()


def test_a_graph_with_a_state_of_its_own(provider: ScriptedProvider) -> None:
    """`input` and `output` map it; calls that were on their way at once each have their own tokens."""
    provider.otherwise(lambda request: text_reply(request.body["messages"][-1]["content"].split()[0]))
    agent = nb.guest(
        _graph(provider.base_url),
        input=lambda prompt: {"question": prompt},
        output=lambda state: state["question"],
    )
    output = agent.run("now")
    assert output.content == "left and right"
    assert [call.usage.total_tokens for call in output.model_calls] == [18, 18]
    with pytest.raises(ConfigurationError) as refused:
        nb.guest(_graph(provider.base_url))
    assert str(refused.value).splitlines() == [
        "the graph's state has no 'messages'; it has 'question', 'left', 'right'",
        "say how it is filled and read: nb.guest(graph, input=lambda prompt: {...}, output=lambda state: ...)",
    ]


def test_a_graph_that_says_nothing_has_no_answer() -> None:
    """The user's own message, which is the last one, is not what the graph has said."""
    from langgraph.graph import END, START, MessagesState, StateGraph

    async def nothing(_: Any) -> dict[str, Any]:
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("nothing", nothing)
    graph.add_edge(START, "nothing")
    graph.add_edge("nothing", END)
    assert nb.guest(graph.compile()).run("my own words").content == ""
