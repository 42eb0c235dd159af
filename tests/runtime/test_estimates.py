"""Where a server reports no usage, tokens and cost are estimated, and every limit holds by them; nothing is sold as reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, Team, settings, tool
from nbagent.events import Message, ToolRequest, Usage
from nbagent.models.protocol import ModelRequest, ReplyFinished, SchemaDefinition
from nbagent.models.token_estimates import estimate_of, estimated_tokens, tokens_of_messages
from tests.provider.chat_wire import chunk, end, text_reply, tool_reply
from tests.provider.server import ScriptedProvider

PRICES = {"openai-chat:scripted-1": {"input": 100.0, "output": 200.0}}
WORDS = "word " * 80  # 400 bytes: 100 tokens
NOTICE = "provider 'openai-chat' reports no usage: limits hold by an estimate"


@pytest.fixture(autouse=True)
def prices() -> Iterator[None]:
    """The scripted model costs something."""
    settings.configure("prices", PRICES)
    yield
    settings.configure("prices", None)


def model(provider: ScriptedProvider) -> OpenAIChat:
    return OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="k")


def agent(provider: ScriptedProvider, **limits: Any) -> Agent:
    return Agent(model=model(provider), limits=Limits(model_retries=0, **limits))


def said_of(run: nb.Run, begins: str) -> list[str]:
    """What the person was told of a run in words that begin so."""
    assert run.record is not None
    return [one for one in run.record.notices if one.startswith(begins)]


@tool
def again(word: str) -> str:
    """Say a word again."""
    return word * 100


# ------------------------------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("abcd" * 25, 25), ("ä" * 100, 50), ("日本語" * 40, 90), ("🙂" * 10, 10), ("\ud800" * 4, 1)],
)
def test_a_token_is_four_bytes_of_utf_8(text: str, tokens: int) -> None:
    """The rule is the same for a text of any language; broken text is counted too."""
    assert tokens_of_messages([Message(role="user", content=text)]) == tokens


def test_what_is_sent_counts_whole() -> None:
    """Tool calls in the history, tools and the schema are input like text."""
    call = ToolRequest(tool_call_id="1", name="look", arguments='{"at": "all of it"}')
    bare = ModelRequest(messages=(Message(role="user", content="x" * 40),))
    assert estimated_tokens(bare) == 10
    with_call = ModelRequest(messages=(*bare.messages, Message(role="assistant", tool_requests=(call,))))
    assert estimated_tokens(with_call) > 10
    schema = SchemaDefinition(
        name="City", json_schema={"type": "object", "properties": {"name": {"type": "string"}}}
    )
    assert estimated_tokens(ModelRequest(messages=bare.messages, schema=schema)) > 20


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (Usage(), (10, 100)),
        (Usage(input_tokens=7), (7, 100)),
        (Usage(output_tokens=90), (10, 90)),
        (Usage(total_tokens=150), (10, 140)),
        (Usage(total_tokens=4), (4, 0)),
        (Usage(input_tokens=7, total_tokens=50), (7, 43)),
    ],
)
def test_what_is_reported_is_kept(usage: Usage, counts: tuple[int, int]) -> None:
    """Only what the server left out is estimated."""
    request = ModelRequest(messages=(Message(role="user", content="x" * 40),))
    reply = ReplyFinished(text="y" * 400, finish_reason="stop", usage=usage)
    guess = estimate_of(request, reply, "openai-chat", None, "scripted-1")
    assert guess is not None
    assert (guess.input_tokens, guess.output_tokens) == counts
    assert guess.cost_usd == pytest.approx((counts[0] * 100 + counts[1] * 200) / 1e6)


@pytest.mark.parametrize(
    "reply",
    [
        ReplyFinished(text="", finish_reason="stop"),
        ReplyFinished(
            text="y", finish_reason="stop", usage=Usage(input_tokens=1, output_tokens=1, total_tokens=2)
        ),
        ReplyFinished(text="", finish_reason="error"),
    ],
    ids=["nothing-came", "reported", "failed"],
)
def test_where_there_is_nothing_to_estimate(reply: ReplyFinished) -> None:
    """A reported usage needs none, and what brought nothing is taken to have cost nothing."""
    assert estimate_of(ModelRequest(messages=()), reply, "openai-chat", "scripted-1") is None


# ------------------------------------------------------------------------------------------- what is shown


def test_estimates_stand_beside_what_is_known(provider: ScriptedProvider) -> None:
    """In the row, the run's metrics, the frames and the session: unknown stays unknown, the estimate says what it is."""
    provider.reply(text_reply(WORDS, usage=None), text_reply("ok"))
    guessed = agent(provider).run("x" * 40, session_id="s")
    agent(provider).run("Well?")
    (call,) = guessed.model_calls
    assert (call.usage_source, call.usage, call.cost_usd) == ("estimated", Usage(), None)
    assert (call.estimated_input_tokens, call.estimated_output_tokens) == (10, 100)
    metrics = guessed.metrics
    assert (metrics.total_tokens, metrics.cost_usd, metrics.estimated_tokens) == (None, None, 110)
    assert metrics.estimated_cost_usd == pytest.approx(0.021)
    assert nb.get(guessed.run_id).metrics.estimated_tokens == 110
    by_model = nb.metrics.by_model().iloc[0]
    assert (by_model["total_tokens"], by_model["estimated_tokens"], by_model["usage_known"]) == (18, 110, 0.5)
    assert by_model["estimated_cost_usd"] == pytest.approx(0.021)
    frame = nb.runs()
    assert frame["total_tokens"].isna().tolist() == [True, False]
    assert frame["estimated_tokens"].isna().tolist() == [False, True]
    assert nb.metrics.by_session(session="s")["estimated_tokens"].tolist() == [110]
    assert agent(provider).get_session_metrics("s").estimated_tokens == 110
    steps = nb.metrics.steps(guessed)
    assert steps["usage_source"].tolist() == ["estimated"]
    assert nb.sql("select usage_source, total_tokens from model_calls order by started_at")[
        "usage_source"
    ].tolist() == ["estimated", "reported"]


# ------------------------------------------------------------------------------------------- limits of a run

BOUNDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "tokens": ({"max_total_tokens": 100}, "max_total_tokens", "the run used "),
    "cost": ({"max_cost_usd": 0.01}, "max_cost", "the run cost $"),
    "both": ({"max_total_tokens": 10**6, "max_cost_usd": 0.01}, "max_cost", "the run cost $"),
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_runs_limits_hold_by_estimate(provider: ScriptedProvider, bound: str) -> None:
    """No further call is made once the estimate passes the limit, and the run says that it is one."""
    limits, reason, said = BOUNDS[bound]
    endless = tool_reply(("again", {"word": "tea" * 200}), usage=None)
    provider.otherwise(lambda _request: endless)
    run = Agent(model=model(provider), tools=[again], limits=Limits(model_retries=0, **limits)).start("Go")
    output = run.wait(60)
    assert output.stop_reason == reason
    assert said in (output.error or "")
    assert len(provider.requests) == 1
    assert said_of(run, NOTICE)


def test_a_run_without_limits_says_nothing(provider: ScriptedProvider) -> None:
    """Who set no limit is told of no estimate."""
    provider.reply(text_reply("ok", usage=None))
    run = agent(provider).start("Well?")
    run.result(60)
    assert not said_of(run, NOTICE)


def test_a_teams_limit_holds_by_estimate(provider: ScriptedProvider) -> None:
    """The sum over leader and members is bounded where none of their calls says its usage."""
    endless = tool_reply(("again", {"word": "tea" * 200}), usage=None)
    provider.otherwise(lambda _request: endless)
    member = Agent(model=model(provider), name="ann")
    team = Team(members=[member], model=model(provider), tools=[again], limits=Limits(max_total_tokens=100))
    output = team.run("Go")
    assert output.stop_reason == "max_total_tokens"
    assert len(provider.requests) == 1


# ------------------------------------------------------------------------------------------- limits of a batch


def unsaid(_request: Any) -> Any:
    return text_reply(WORDS, usage=None)


@pytest.mark.parametrize(
    ("limits", "asked"),
    [
        ({"max_tokens": 330}, 3),
        ({"max_cost": 0.0635}, 3),
        ({"max_cost": 0.001}, 1),
        ({"max_tokens": 10**6}, 8),
    ],
)
def test_a_batchs_limits_hold_by_estimate(
    provider: ScriptedProvider, limits: dict[str, float], asked: int
) -> None:
    """Rows end where the estimate does; frame, progress and metrics have it apart from what is known."""
    provider.otherwise(unsaid)
    rows = pd.DataFrame({"text": [f"{n}" * 40 for n in range(8)]})
    batch = agent(provider).map(rows, "{{ row.text }}", max_concurrency=1, **limits)
    frame = batch.result(60)
    assert (frame["status"] == "completed").sum() == len(provider.requests) == asked
    assert frame["cost_usd"].isna().all()
    assert frame["estimated_cost_usd"].sum() == pytest.approx(0.021 * asked)
    assert (batch.progress.cost_usd, batch.progress.tokens) == (None, 0)
    assert batch.progress.estimated_tokens == 110 * asked
    assert f"about ${0.021 * asked:.4f} by estimate" in str(batch.progress)
    assert (batch.metrics.total_tokens, batch.metrics.estimated_tokens) == (None, 110 * asked)
    assert batch.notices[0].startswith(NOTICE)
    assert len(batch.notices) == (1 if asked == 8 else 2)


def test_estimates_bound_a_batch_that_is_asked_again(provider: ScriptedProvider) -> None:
    """What was spent by estimate counts for `retry_failed` as well, also where the batch comes from the record."""
    said = iter([text_reply(WORDS, usage=None)] * 2 + [text_reply('{"n": 1}', usage=None)] * 9)
    provider.otherwise(lambda _request: next(said))
    batch = agent(provider, output_retries=0).map(
        ["a" * 40, "b" * 40], "{{ row }}", output_schema={"type": "object", "required": ["n"]}, max_concurrency=1,
        max_tokens=10**6, label="labels",
    )  # fmt: skip
    batch.wait(60)
    assert batch.progress.failed == 2
    spent = batch.progress.estimated_tokens
    assert nb.get("labels").progress.estimated_tokens == spent > 200
    batch.set_limits(max_tokens=spent)
    batch.retry_failed().wait(60)
    assert len(provider.requests) == 2


# ------------------------------------------------------------------------------------------- what cannot hold


def unpriced(_request: Any) -> Any:
    return (
        chunk({"role": "assistant", "content": "ok"}),
        *end(usage={"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}),
    )


def test_a_cost_that_nobody_knows_stops_the_batch(provider: ScriptedProvider) -> None:
    """OpenRouter says its prices; where it does not, and no table has one, a limit in dollars ends the batch, said."""
    provider.otherwise(unpriced)
    house = OpenAIChat(id="nobody/knows", provider="openrouter", base_url=provider.base_url, api_key="k")
    batch = Agent(model=house).map([1, 2, 3], "{{ row }}", max_cost=1.0, max_concurrency=1)
    frame = batch.result(60)
    assert frame["status"].tolist() == ["completed", "not asked", "not asked"]
    assert "nobody knows what a call cost" in batch.notices[0]


def test_a_cost_that_nobody_knows_stops_the_run(provider: ScriptedProvider) -> None:
    """The same for a run: no further call is made under a limit that cannot hold."""
    provider.otherwise(tool_reply(("again", {"word": "tea"})))
    house = OpenAIChat(id="nobody/knows", provider="openrouter", base_url=provider.base_url, api_key="k")
    output = Agent(model=house, tools=[again], limits=Limits(max_cost_usd=1.0)).run("Go")
    assert (output.stop_reason, len(provider.requests)) == ("max_cost", 1)
    assert "cannot hold" in (output.error or "")


@pytest.mark.parametrize(
    "launch",
    [
        lambda house: Agent(model=house, limits=Limits(max_cost_usd=1)).start("Hi"),
        lambda house: Agent(model=house).map(["a"], "{{ row }}", max_cost=1),
        lambda house: Team(
            members=[Agent(model=house)], model="demo:assistant", limits=Limits(max_cost_usd=1)
        ).start("Hi"),
    ],
    ids=["run", "map", "team"],
)
def test_a_price_that_nobody_knows_is_refused_at_launch(
    provider: ScriptedProvider, launch: Callable[[OpenAIChat], Any]
) -> None:
    """What is known to be void is refused in two lines, before anything is sent."""
    house = OpenAIChat(id="house-model", base_url=provider.base_url, api_key="k")
    with pytest.raises(
        nb.ConfigurationError, match=r"price of openai-chat:house-model is not in .*\ngive its US dollars"
    ):
        launch(house)
    assert not provider.requests


def test_a_free_model_is_bounded_by_nothing() -> None:
    """The demo model costs nothing, so that a limit in dollars always holds."""
    frame = (
        Agent(model="demo:assistant")
        .map(["Peru", "Chile"], "Capital of {{ row }}?", max_cost=0.01)
        .result(60)
    )
    assert (frame["status"] == "completed").all()
