"""Models that others write: a class in a provider's row, and packages that bring providers by entry point."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import AsyncGenerator

import pytest

from nbagent import Agent
from nbagent.errors import ConfigurationError, UnknownModelError
from nbagent.models import (
    ModelEvent,
    ModelRequest,
    OpenAIChat,
    Provider,
    ReplyFinished,
    ReplyStarted,
    TextDelta,
    provider_status,
    register_provider,
    resolve_model,
)
from nbagent.models.catalog import table as providers_module


class Parrot:
    """A model of somebody else's: it says its own name."""

    def __init__(self, id: str, *, provider: str | Provider = "parrot") -> None:  # noqa: A002 - as ours
        self.id = id
        self.provider = provider.name if isinstance(provider, Provider) else provider

    def check(self) -> None:
        """Nothing can be missing."""

    async def stream(self, _: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answer at once."""
        yield ReplyStarted()
        yield TextDelta(self.id)
        yield ReplyFinished(text=self.id, finish_reason="stop")


def make_parrot(id: str, provider: Provider) -> Parrot:  # noqa: A002 - as ours
    """Make one, as a factory does."""
    return Parrot(f"made {id}", provider=provider)


@pytest.fixture(autouse=True)
def _own_table(monkeypatch):
    """Rows that a test adds are gone after it."""
    monkeypatch.setattr(providers_module, "_rows", dict(providers_module._rows))


WIRES = {
    "a class": ({"wire": Parrot}, "polly"),
    "a class, in wires": ({"wires": (Parrot,)}, "polly"),
    "a class before one of ours": ({"wire": Parrot, "wires": ("chat",)}, "polly"),
    "a function": ({"wire": make_parrot}, "made polly"),
    "a partial": ({"wire": functools.partial(make_parrot)}, "made polly"),
}


@pytest.mark.parametrize(("fields", "says"), WIRES.values(), ids=WIRES)
def test_a_row_names_a_class_of_models(fields, says):
    """A name of such a provider is a model of that class, and its runs are runs; it needs no base URL."""
    register_provider(Provider(name="parrot", key_required=False, **fields))
    output = Agent(model="parrot:polly").run("Who are you?")
    assert (output.content, output.error) == (says, None)
    (entry,) = (one for one in provider_status() if one["provider"] == "parrot")
    assert entry["configured"] is True
    assert all(isinstance(wire, str) for wire in entry["wire_formats"])


UNKNOWN = {
    "a word": ("messages", "unknown wire format: 'messages'"),
    "a near miss": ("response", "unknown wire format: 'response' (did you mean 'responses'?)"),
    "no wire at all": (7, "unknown wire format: 7"),
    "a class that takes no provider": (str.upper, "cannot be called with id= and provider="),
    "a model already": (OpenAIChat(id="m"), "unknown wire format: OpenAIChat(id='m'"),
}


@pytest.mark.parametrize("field", ["wire", "wires"])
@pytest.mark.parametrize(("wire", "says"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_wire_format_is_refused_when_it_is_added(field, wire, says):
    """Two lines that name the provider, what was given and what can be; nothing is added."""
    row = Provider(
        name="house", base_url="http://x/v1", **{field: wire if field == "wire" else ("chat", wire)}
    )
    with pytest.raises(ConfigurationError) as caught:
        register_provider(row)
    assert "'house'" in caught.value.what
    assert says in caught.value.what
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(UnknownModelError):
        resolve_model("house:m")


@pytest.mark.parametrize("made", [None, "polly", object()])
def test_a_factory_that_makes_no_model_is_named(made):
    """What it made is said, at the first use of the name."""
    register_provider(Provider(name="house", wire=lambda **_: made))
    with pytest.raises(ConfigurationError, match="wire format of provider 'house' made no model of 'm'"):
        resolve_model("house:m")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package `zoo` of these sources, with these entry points, where imports are looked for."""

    def install(source: str, **entries: str) -> None:
        (tmp_path / "zoo_of_tests.py").write_text(textwrap.dedent(source))
        info = tmp_path / "zoo_of_tests-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-of-tests\nVersion: 1.0\n")
        lines = (f"{name} = zoo_of_tests:{attribute}\n" for name, attribute in entries.items())
        (info / "entry_points.txt").write_text("[nbagent.models]\n" + "".join(lines))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "zoo_of_tests", raising=False)

    return install


ZOO = """
    from nbagent.models import Provider
    from tests.models.test_own_wires import Parrot

    ROW = Provider(name="house", base_url="http://127.0.0.1:1/v1", key_required=False, label="the zoo's")
    def make(): return ROW
    class Own(Parrot): pass
    def broken(): raise RuntimeError("no licence")
    NOTHING = 7
    OTHER = Provider(name="shed", base_url="http://127.0.0.1:1/v1")
    UNKNOWN = Provider(name="house", base_url="http://127.0.0.1:1/v1", wire="messages")
"""


@pytest.mark.parametrize(("attribute", "kind"), [("ROW", OpenAIChat), ("make", OpenAIChat), ("Own", Parrot)])
def test_a_package_brings_a_provider(package, attribute, kind):
    """A row, a function that returns one or a class of models: by the entry point's name, loaded at its first use."""
    package(ZOO, house=attribute)
    assert "house" not in providers_module.provider_names()
    model = resolve_model("house:m")
    assert isinstance(model, kind)
    assert (model.provider, model.id) == ("house", "m")
    assert "house" in providers_module.provider_names()


def test_a_model_object_names_a_packages_provider(package):
    """`OpenAIChat(provider="house")` finds it as a name does."""
    package(ZOO, house="ROW")
    assert OpenAIChat(id="m", provider="house").row.label == "the zoo's"


BROKEN = {
    "a missing module": ("import nowhere_to_be_found", "ROW", "ModuleNotFoundError"),
    "a missing name": (ZOO, "GONE", "AttributeError"),
    "a syntax error": ("def", "ROW", "SyntaxError"),
    "a function that raises": (ZOO, "broken", "RuntimeError: no licence"),
    "no provider": (ZOO, "NOTHING", "it gives no Provider but 7"),
    "another name": (ZOO, "OTHER", "its provider is named 'shed'"),
    "an unknown wire format": (ZOO, "UNKNOWN", "unknown wire format: 'messages'"),
}


@pytest.mark.parametrize(("source", "attribute", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_entry_point_is_named(package, source, attribute, says):
    """Two lines: which entry point of which package, why, and what to do."""
    package(source, house=attribute)
    with pytest.raises(ConfigurationError) as caught:
        resolve_model("house:m")
    assert f"entry point 'house' (nbagent.models: zoo_of_tests:{attribute})" in caught.value.what
    assert "package 'zoo-of-tests'" in caught.value.what
    assert says in caught.value.what
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["openai:m", "ollama:m", "mine:m"])
def test_a_known_provider_loads_no_package(package, name):
    """The table counts before entry points: a package cannot take a name that is taken."""
    register_provider(Provider(name="mine", base_url="http://127.0.0.1:1/v1", key_required=False))
    package("raise RuntimeError", openai="ROW", ollama="ROW", mine="ROW")
    assert resolve_model(name).provider == name.partition(":")[0]


def test_a_packages_providers_are_proposed(package):
    """A near miss of a provider that a package brings is understood, without loading it."""
    package("raise RuntimeError", parrots="ROW")
    with pytest.raises(UnknownModelError, match=r"did you mean 'parrots'\?"):
        resolve_model("parots:m")
