"""Hints name what can be done where the person stands: in a magic's line, in Python, or in a script without magics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import nbagent as nb
from nbagent.core.hints import by_place, how_to_set, magics_loaded, says_magic
from nbagent.errors import ConfigurationError, NBAgentError

HOUSE = nb.OpenAIChat(id="house-model", base_url="http://127.0.0.1:9/v1", api_key="k")


@pytest.fixture
def guide() -> nb.Agent:
    return nb.Agent(model="demo:assistant")


@pytest.fixture
def notebook() -> Iterator[None]:
    """The magics are loaded."""
    magics_loaded(there=True)
    yield
    magics_loaded(there=False)


def told(call: Callable[[], Any]) -> str:
    """What to do about the error of a call."""
    with pytest.raises(NBAgentError) as caught:
        call()
    return caught.value.todo


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ top }} {{ row }}", "top"),
        ("{% if limit %}{{ row }}{% endif %}", "limit"),
        ("{{ row }} {{ f(row) }}", "f"),
    ],
)
def test_a_map_in_python_is_told_of_names(guide: nb.Agent, template: str, name: str) -> None:
    """A variable that stands in a cell is not seen by `map`: it is given; in a magic's cell it has to be defined."""
    given = f'names={{"{name}": {name}}}'
    assert given in told(lambda: guide.map(["a"], template))
    assert given in told(lambda: guide.map(["a"], template, names={"other": 1}))
    assert "define it in a cell" in told(says_magic(lambda: guide.map(["a"], template, names={})))


WAYS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "no-such-run": (lambda: nb.get("nobody"), "nb.runs()", "%agent list"),
    "resume-nobody": (lambda: nb.resume("nobody"), "nb.runs()", "%agent list"),
    "export-form": (lambda: nb.export_runs("runs.xls"), "format=", "--format"),
    "export-answers": (lambda: nb.export_answers("a.jsonl"), "everything=True", "--all"),
    "sql-writes": (lambda: nb.sql("delete from launches"), "nb.clear_runs()", "%agent clear"),
    "two-statements": (lambda: nb.sql("select 1; select 2"), "nb.export_runs()", "%agent export"),
    "replay": (
        lambda: nb.Agent(model="demo:assistant").start("Hi", cache="replay"),
        'cache="use"',
        "--cache use",
    ),
    "no-price": (
        lambda: nb.Agent(model=HOUSE, limits=nb.Limits(max_cost_usd=1)).start("Hi"),
        "max_total_tokens",
        "--max-total-tokens",
    ),
    "no-price-of-a-map": (
        lambda: nb.Agent(model=HOUSE).map(["a"], "{{ row }}", max_cost=1),
        "max_tokens",
        "--max-total-tokens",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_python_and_magics_are_told_their_own_way(way: str) -> None:
    """A flag is no help in Python, and a call none in a magic's line."""
    call, python, magic = WAYS[way]
    in_python, in_magic = told(call), told(says_magic(call))
    assert python in in_python
    assert "%agent" not in in_python
    assert " --" not in in_python
    assert magic in in_magic


@pytest.mark.parametrize(
    ("option", "value", "with_magics", "without"),
    [
        (
            "max_message_bytes",
            None,
            "%config NBAgent.max_message_bytes",
            "NBAGENT_MAX_MESSAGE_BYTES in the environment",
        ),
        ("traces", '"off"', '%config NBAgent.traces = "off"', "NBAGENT_TRACES=off in the environment"),
        (
            "prices",
            '{"a:b": {}}',
            '%config NBAgent.prices = {"a:b": {}}',
            "NBAGENT_PRICES='{\"a:b\": {}}' in the environment",
        ),
    ],
)
def test_options_are_set_where_the_person_can(
    request: pytest.FixtureRequest, option: str, value: str | None, with_magics: str, without: str
) -> None:
    """`%config NBAgent` is there once the magics are; a script has the environment."""
    assert how_to_set(option, value) == without
    request.getfixturevalue("notebook")
    assert how_to_set(option, value) == with_magics


@pytest.mark.usefixtures("notebook")
def test_a_price_that_nobody_knows_is_asked_for_by_config() -> None:
    """The two lines of the refusal name the model, and how its price is given here."""
    agent = nb.Agent(model=HOUSE, limits=nb.Limits(max_cost_usd=1))
    with pytest.raises(ConfigurationError, match="price of openai-chat:house-model is not in") as caught:
        agent.start("Hi")
    assert '%config NBAgent.prices = {"openai-chat:house-model": {' in caught.value.todo


def test_a_magic_that_fails_leaves_python_as_it_was() -> None:
    """What is told after a magic, in the same cell, is Python's again."""
    with pytest.raises(ZeroDivisionError):
        says_magic(lambda: 1 / 0)()
    assert by_place(python="p", magic="m") == "p"
    assert says_magic(by_place)(python="p", magic="m") == "m"
