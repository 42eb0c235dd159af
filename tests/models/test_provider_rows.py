"""The rows of the table of providers: each says where it is, which variable opens it and how it is asked."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pytest

from nbagent import Agent
from nbagent.errors import ConfigurationError, MissingKeyError
from nbagent.events import Message, ToolRequest
from nbagent.models import ModelRequest, OpenAIChat, Provider, provider_names, provider_row, resolve_model
from nbagent.models.capabilities import CapabilityMemory
from nbagent.models.openai.chat import chat_body
from nbagent.models.pricing import has_price, is_free, price_key
from nbagent.spec import ModelSettings

ROWS = {name: row for name in provider_names() if (row := provider_row(name)) is not None}
NAMED_IN_THE_ISSUE = """
    anthropic gemini mistral xai together fireworks cerebras huggingface moonshot dashscope zai minimax lm-studio sglang
    bedrock nvidia github perplexity
""".split()
WITH_KEY = {name: row for name, row in ROWS.items() if row.key_required}
WITH_REGION = {name: row for name, row in ROWS.items() if row.region_variables}


def region_of(row: Provider) -> str:
    """Return a region that this provider has."""
    return next(iter(row.regions), "eu-central-1")


@pytest.mark.parametrize("name", NAMED_IN_THE_ISSUE)
def test_a_provider_is_known_by_name(name):
    """`"name:model"` makes a model of that provider; nothing is asked and no key is needed for that."""
    model = resolve_model(f"{name}:some/model:tag")
    assert (model.provider, model.id) == (name, "some/model:tag")


@pytest.mark.parametrize("name", WITH_KEY)
def test_a_missing_key_is_named(monkeypatch, name):
    """A launch without a key says which variable it is, in two lines, once it is known where the provider is."""
    row = WITH_KEY[name]
    if row.base_url_variable and row.base_url is None:
        monkeypatch.setenv(row.base_url_variable, "https://house.example")
    for variable in row.region_variables[:1]:
        monkeypatch.setenv(variable, region_of(row))
    with pytest.raises(MissingKeyError) as raised:
        Agent(model=f"{name}:m").start("Hi")
    assert raised.value.what == f"no API key for provider {name!r}"
    assert raised.value.todo == f'set {row.key_variable} or use model="demo:assistant"'


@pytest.mark.parametrize("name", [name for name, row in WITH_REGION.items() if row.region is None])
def test_a_missing_region_is_named(monkeypatch, name):
    """A launch without a region says which variable it is and what may stand there, before it asks for a key."""
    row = WITH_REGION[name]
    monkeypatch.setenv(row.key_variable or "", "k-12345678")
    with pytest.raises(ConfigurationError) as raised:
        Agent(model=f"{name}:m").start("Hi")
    assert raised.value.what == f"no region for provider {name!r}"
    assert raised.value.todo.startswith(f"set {row.region_variables[0]} to ")
    for region in row.regions:
        assert region in raised.value.todo


HOSTILE = [
    "evil.example/",
    "x@evil.example",
    "a.b",
    "-",
    "us-east-1?",
    "\u0435u",
    "a" * 64,
    "us east",
    "..",
    "#",
]


@pytest.mark.parametrize("region", HOSTILE)
@pytest.mark.parametrize("name", WITH_REGION)
def test_a_region_is_no_way_to_another_host(monkeypatch, name, region):
    """What is no region's name is refused with its variable: the key goes to nobody else."""
    row = WITH_REGION[name]
    monkeypatch.setenv(row.key_variable or "", "k-12345678")
    monkeypatch.setenv(row.region_variables[0], region)
    model = resolve_model(f"{name}:m")
    with pytest.raises(ConfigurationError) as raised:
        model.check()
    assert f"provider {name!r} has no region" in raised.value.what
    assert row.region_variables[0] in raised.value.todo
    assert model.address is None


@pytest.mark.parametrize("name", WITH_REGION)
def test_a_region_stands_in_the_address(monkeypatch, name):
    """Each region has its own host, with no brace left; the address is the provider's own, its limits too."""
    row = WITH_REGION[name]
    monkeypatch.setenv(row.key_variable or "", "k-12345678")
    hosts = set()
    for region in row.regions or ("us-east-1", "eu-central-1"):
        monkeypatch.setenv(row.region_variables[0], f" {region} ")
        model = OpenAIChat(id="m", provider=name)
        model.check()
        url = model.address or ""
        assert "{" not in url
        hosts.add(urlsplit(url).hostname)
        assert model._endpoint.limit_parameter(url) == row.limit_parameter
    assert len(hosts) == len(row.regions or "ab")


def test_a_second_variable_says_the_region_too(monkeypatch):
    """AWS has two variables for it: the second counts where the first is not set."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert resolve_model("bedrock:m").address == "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert resolve_model("bedrock:m").address == "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"


def test_an_address_of_ones_own_needs_no_region(monkeypatch):
    """A workspace's own address stands for the region, from its variable or given."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "k-12345678")
    given = "https://w.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1"
    OpenAIChat(id="m", provider="dashscope", base_url=given).check()
    monkeypatch.setenv("DASHSCOPE_BASE_URL", given)
    model = resolve_model("dashscope:m")
    model.check()
    assert model.address == given


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_whole(name):
    """Each has a label, an address or a word on where to get it, and no variable of another provider."""
    row = ROWS[name]
    assert row.label
    own_client = str(row.wires[0]).endswith("PydanticAIModel")
    assert row.base_url or row.base_url_variable or row.find_base_url or own_client
    if row.base_url is not None:
        url = row.own_url({variable: region_of(row) for variable in row.region_variables}) or ""
        assert urlsplit(url).scheme in ("http", "https")
        assert not url.endswith("/")
    if row.regions:
        assert row.region is None or row.region in row.regions
    assert row.key_variable or not row.key_required


def test_variables_are_of_one_provider():
    """A key's variable belongs to one provider: two that share one are OpenAI's own two wire formats."""
    keys = [row.key_variable for row in ROWS.values() if row.key_variable]
    assert [key for key in set(keys) if keys.count(key) > 1] == ["OPENAI_API_KEY"]


# ---------------------------------------------------------------------------------------- how they are asked


def body_for(name: str, request: ModelRequest) -> dict[str, object]:
    """Return the body of a Chat Completions request to this provider."""
    row = ROWS[name]
    return chat_body(request, "m", row, CapabilityMemory(row).plan(request))


ASKED = ModelRequest(
    messages=(
        Message(role="user", content="Add 1 and 2, and 3 and 4."),
        Message(
            role="assistant",
            content="",
            reasoning="I add.",
            tool_requests=(
                ToolRequest(tool_call_id="call_Ab3_xYz-0123456789", name="add", arguments='{"a":1}'),
                ToolRequest(tool_call_id="abcDEF123", name="add", arguments='{"a":3}'),
            ),
        ),
        Message(role="tool", content="3", tool_call_id="call_Ab3_xYz-0123456789"),
        Message(role="tool", content="7", tool_call_id="abcDEF123"),
    ),
    settings=ModelSettings(seed=7, max_output_tokens=50, temperature=0.1),
)


@pytest.mark.parametrize("name", ROWS)
def test_usage_is_asked_for_where_it_has_to_be(name):
    """`stream_options` goes to who needs it, and to nobody who tells usage unasked or never."""
    body = body_for(name, ASKED)
    assert ("stream_options" in body) is (ROWS[name].usage == "include_usage")


def test_mistral_is_asked_in_its_own_words():
    """It refuses what it does not know: its names, ids of nine characters that match, no reasoning, no options."""
    body = body_for("mistral", ASKED)
    assert body["random_seed"] == 7
    assert body["max_tokens"] == 50
    assert not {"seed", "stream_options", "max_completion_tokens"} & body.keys()
    _, turn, first, second = body["messages"]  # type: ignore[misc]
    ids = [call["id"] for call in turn["tool_calls"]]
    assert all(len(one) == 9 and one.isalnum() and one.isascii() for one in ids)
    assert ids == [first["tool_call_id"], second["tool_call_id"]]
    assert ids[1] == "abcDEF123"
    assert "reasoning_content" not in turn


@pytest.mark.parametrize("call_id", ["", "call_1", "call_2", "ü" * 9, "\ud83d", "a" * 5000, "123456789"])
def test_mistrals_ids_are_the_same_for_the_same_call(call_id):
    """Whatever an id is, the call and its result have the same nine characters, and no two calls have."""
    give = ROWS["mistral"].call_ids
    assert give is not None
    assert give(call_id) == give(call_id)
    assert len(give(call_id)) == 9
    assert give(call_id) != give(call_id + "x")


def test_minimax_is_asked_to_keep_thoughts_apart():
    """Without `reasoning_split` they come in tags and once more beside them; the user's `extra_body` wins."""
    assert body_for("minimax", ASKED)["reasoning_split"] is True
    own = ModelRequest(messages=ASKED.messages, settings=ModelSettings(extra_body={"reasoning_split": False}))
    assert body_for("minimax", own)["reasoning_split"] is False


@pytest.mark.parametrize("name", ["moonshot", "deepseek"])
def test_reasoning_goes_back_where_a_tool_turn_without_it_is_refused(name):
    """The turn that called tools holds the thoughts that led to them."""
    turn = body_for(name, ASKED)["messages"][1]  # type: ignore[index]
    assert turn["reasoning_content"] == "I add."


@pytest.mark.parametrize(
    ("name", "model", "key"),
    [
        ("gemini", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("openai-chat", "gpt-5-mini", ("openai", "gpt-5-mini")),
        ("xai", "grok-4", ("x-ai", "grok-4")),
        ("moonshot", "kimi-k2", ("moonshotai", "kimi-k2")),
        ("bedrock", "openai.gpt-oss-120b-1:0", ("aws", "openai.gpt-oss-120b-1:0")),
        ("huggingface", "openai/gpt-oss-120b:groq", ("huggingface_groq", "openai/gpt-oss-120b")),
        ("huggingface", "openai/gpt-oss-120b", ("huggingface", "openai/gpt-oss-120b")),
        ("mistral", "m:v1", ("mistral", "m:v1")),
        ("nowhere", "m", ("nowhere", "m")),
    ],
)
def test_prices_are_looked_up_by_the_rows_names(name, model, key):
    """The row says under which names the price list has its models."""
    assert price_key(name, model) == key


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("mistral", "mistral-small-latest"), ("xai", "grok-3"), ("moonshot", "kimi-k2-thinking"),
        ("cerebras", "gpt-oss-120b"), ("zai", "GLM-4.5"), ("minimax", "MiniMax-M2"),
        ("together", "MiniMaxAI/MiniMax-M3"), ("fireworks", "accounts/fireworks/models/deepseek-v4-flash"), ("groq", "openai/gpt-oss-120b"),
        ("huggingface", "openai/gpt-oss-120b:groq"), ("perplexity", "anything"), ("openrouter", "anything"),
    ],
)  # fmt: skip
def test_a_price_is_known(name, model):
    """A limit in dollars can be set on a model of these providers."""
    pytest.importorskip("genai_prices")
    assert has_price(name, model)


def test_only_the_demo_model_is_free():
    """What costs nothing is said by a row; a server of one's own has no price, which is another thing."""
    assert [name for name in ROWS if is_free(name)] == ["demo"]


def test_rows_read_no_environment_before_they_are_used(monkeypatch):
    """A variable that is set in a later cell counts: rows hold names, never values."""
    model = resolve_model("bedrock:m")
    assert model.address is None
    monkeypatch.setitem(os.environ, "AWS_REGION", "eu-west-1")
    assert "eu-west-1" in (model.address or "")
