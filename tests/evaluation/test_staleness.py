"""`nb.stale`: what would be asked otherwise today, and what nobody can know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import Agent, Limits, ModelSettings, Team
from nbagent.template import render


@pytest.fixture
def notebook() -> Iterator[Any]:
    """A notebook with an agent `guide` that has a tool and a schema, a team, and some variables."""
    main = sys.modules["__main__"]
    before = dict(vars(main))
    names = vars(main)
    names.update(Agent=Agent, Team=Team, Limits=Limits, ModelSettings=ModelSettings, BaseModel=BaseModel)
    cell(names, PRICE)
    cell(names, CITY)
    cell(names, GUIDE)
    cell(names, TEAM)
    names.update(country="Peru", people=["ada", "bob"])
    yield names
    for name in set(vars(main)) - set(before):
        del vars(main)[name]
    vars(main).update(before)


def cell(names: dict[str, Any], code: str) -> None:
    """Run a cell in the notebook; its functions have a source, as IPython's have."""
    import linecache

    file = f"<cell {abs(hash(code))}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    exec(compile(code, file, "exec"), names)  # noqa: S102 - a cell of the test's own


PRICE = 'def price(symbol: str) -> float:\n    "Last price of a stock."\n    return 190.5\n'
CITY = "class City(BaseModel):\n    name: str\n"
GUIDE = (
    "guide = Agent(name='guide', model='demo:assistant', instructions='Be brief.', tools=[price],"
    " output_schema=City, settings=ModelSettings(temperature=0.5))\n"
)
TEAM = (
    "desk = Team(name='desk', model='demo:assistant',"
    " members=[Agent(name='geo', model='demo:assistant', instructions='Know.')])\n"
)
PROMPT = "What is the capital of {{ country }}?"


def ask(names: dict[str, Any], agent: str = "guide", template: str = PROMPT, **options: Any) -> nb.Run:
    """Ask an agent of the notebook, by a template as a cell does."""
    run = names[agent].start(render(template, names), label="asked", **options)
    run.wait(timeout=60)
    return run


def state(**options: Any) -> tuple[str, str | None]:
    """The state of the one run, and what has changed."""
    (row,) = nb.stale(every=True, **options).to_dict("records")
    return row["state"], row["changed"] if isinstance(row["changed"], str) else None


Change = Callable[[dict[str, Any]], Any]
CHANGES: list[tuple[str, str, Change, str, str | None]] = [
    # agent, template, the change, state, what has changed
    ("guide", PROMPT, lambda _: None, "fresh", None),
    ("guide", PROMPT, lambda names: names.update(country="Chile"), "stale", "prompt"),
    ("guide", PROMPT, lambda names: names.update(country="Pe" + "ru"[:2]), "fresh", None),
    ("guide", PROMPT, lambda names: names.update(people=[]), "fresh", None),
    ("guide", "Who: {{ people }}", lambda names: names["people"].append("cy"), "stale", "prompt"),
    ("guide", "Who: {{ people }}", lambda names: names.update(people=["ada", "bob"]), "fresh", None),
    ("guide", "{% for one in people %}{{ one }} {% endfor %}?", lambda names: names.update(people=["x"]), "stale", "prompt"),
    ("guide", "{{ country | upper }}", lambda names: names.update(country="peru"), "fresh", None),
    ("guide", "{{ country | upper }}", lambda names: names.update(country="chile"), "stale", "prompt"),
    ("guide", "{{ country.lower() }}", lambda _: None, "unknown", None),
    ("guide", "{{ country.lower() }}", lambda names: names.update(country="Chile"), "unknown", None),
    ("guide", PROMPT, lambda names: names.pop("country"), "unknown", None),
    ("guide", "A plain cell", lambda names: names.update(country="Chile"), "fresh", None),
    ("guide", PROMPT, lambda names: cell(names, PRICE), "fresh", None),
    ("guide", PROMPT, lambda names: (cell(names, PRICE.replace("190.5", "1.0")), cell(names, GUIDE)), "stale", "tool price"),
    ("guide", PROMPT, lambda names: (cell(names, PRICE.replace("symbol", "ticker")), cell(names, GUIDE)), "stale", "tool price"),
    ("guide", PROMPT, lambda names: cell(names, GUIDE.replace("tools=[price],", "")), "stale", "tool price: gone"),
    ("guide", PROMPT, lambda names: cell(names, GUIDE.replace("[price]", "[price, len_of]").replace("guide =", "def len_of(x: str) -> int:\n    'Length.'\n    return 1\nguide =")), "stale", "tool len_of: new"),
    ("guide", PROMPT, lambda names: cell(names, CITY), "fresh", None),
    ("guide", PROMPT, lambda names: cell(names, CITY + "    people: int\n"), "stale", "schema"),
    ("guide", PROMPT, lambda names: cell(names, GUIDE), "fresh", None),
    ("guide", PROMPT, lambda names: cell(names, GUIDE.replace("brief", "long")), "stale", "instructions"),
    ("guide", PROMPT, lambda names: cell(names, GUIDE.replace("0.5", "0.6")), "stale", "settings"),
    ("guide", PROMPT, lambda names: cell(names, GUIDE.replace("assistant", "slow")), "stale", "model: demo:slow"),
    ("guide", PROMPT, lambda names: cell(names, GUIDE.replace("Agent(name", "Agent(limits=Limits(max_steps=9), name")), "fresh", None),
    ("desk", PROMPT, lambda names: cell(names, TEAM), "fresh", None),
    ("desk", PROMPT, lambda names: cell(names, TEAM.replace("Know.", "Think.")), "stale", "member geo: instructions"),
    ("desk", PROMPT, lambda names: cell(names, TEAM.replace("'geo'", "'map'")), "stale", "member geo: gone; member map: new"),
    ("desk", PROMPT, lambda names: cell(names, TEAM.replace("name='desk'", "name='desk', mode='route'")), "stale", "mode"),
    ("guide", PROMPT, lambda names: (names.update(country="Chile"), cell(names, GUIDE.replace("brief", "long"))), "stale", "prompt; instructions"),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "template", "change", "wanted", "what"), CHANGES)
def test_what_has_changed_is_said_and_nothing_else(
    notebook: dict[str, Any], agent: str, template: str, change: Change, wanted: str, what: str | None
) -> None:
    """Each kind of change makes a run stale, by name; a change without effect leaves it fresh."""
    ask(notebook, agent, template)
    change(notebook)
    assert state() == (wanted, what)


def test_a_plain_text_is_never_fresh(notebook: dict[str, Any]) -> None:
    """What made a plain string is not known; what is known of its agent still counts."""
    notebook["guide"].start(f"Capital of {notebook['country']}?").wait(timeout=60)
    assert state() == ("unknown", None)
    assert nb.stale().empty
    cell(notebook, GUIDE.replace("brief", "long"))
    assert state() == ("stale", "instructions")


def test_a_session_that_has_gone_on(notebook: dict[str, Any]) -> None:
    """A run after it in its session changes what it would be asked with."""
    ask(notebook, session="talk")
    assert state() == ("fresh", None)
    notebook["guide"].start("And then?", session="talk", label="later").wait(timeout=60)
    found = nb.stale(label="asked")
    assert list(found["changed"]) == ["session: 1 later turn"]


def test_attachments_are_not_looked_at(notebook: dict[str, Any]) -> None:
    """A run with a variable attached is unknown, and stale where its own text has changed."""
    ask(notebook, files={"people": notebook["people"]})
    assert state()[0] == "unknown"


def test_the_latest_of_a_label_counts_and_is_asked_again(notebook: dict[str, Any]) -> None:
    """An earlier run of a label is past; a retry of the stale asks today's prompt, which is fresh then."""
    from nbagent.evaluation import stale_prompts
    from nbagent.runtime import current

    first = ask(notebook)
    notebook["country"] = "Chile"
    assert list(nb.stale()["run_id"]) == [first.run_id]
    ((run_id, prompt),) = stale_prompts().items()
    again = current().retry(run_id, prompt=prompt)
    again.wait(timeout=60)
    assert again.output.prompt == "What is the capital of Chile?"
    assert nb.stale().empty
    assert state() == ("fresh", None)


ECHO = 'async def echo(prompt):\n    "Say it again."\n    return prompt\n'
GUEST = "import nbagent as nb\nhost = nb.guest(echo, name='host')\n"
PAIR = "pair = Team(name='pair', model='demo:assistant', members=[echo])\n"
GUESTS: list[tuple[str, Change, str, str | None]] = [
    # agent, the change, state, what has changed
    ("host", lambda _: None, "unknown", None),
    ("host", lambda names: cell(names, GUEST), "unknown", None),
    ("host", lambda names: names.update(country="Chile"), "stale", "prompt"),
    ("host", lambda names: (cell(names, ECHO.replace("again", "twice")), cell(names, GUEST)), "stale", "instructions"),
    ("host", lambda names: names.pop("host"), "unknown", None),
    ("host", lambda names: cell(names, "host = Agent(name='host', model='demo:assistant')"), "stale",
     "guest: gone; instructions; model: demo:assistant"),
    ("echo", lambda _: None, "unknown", None),
    ("echo", lambda names: cell(names, ECHO.replace("again", "twice")), "stale", "instructions"),
    ("pair", lambda names: cell(names, PAIR), "unknown", None),
    ("pair", lambda names: (cell(names, ECHO.replace("again", "twice")), cell(names, PAIR)), "stale", "member echo: instructions"),
    ("pair", lambda names: cell(names, PAIR.replace("[echo]", "[Agent(name='echo', model='demo:assistant')]")), "stale",
     "member echo: guest: gone; member echo: instructions"),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "change", "wanted", "what"), GUESTS)
def test_a_guest_is_compared_by_what_it_tells_and_never_fresh(
    notebook: dict[str, Any], agent: str, change: Change, wanted: str, what: str | None
) -> None:
    """A guest's default model is no model of ours; what its own code does nobody knows, in a team neither."""
    for code in (ECHO, GUEST, PAIR):
        cell(notebook, code)
    launched = notebook[agent] if agent != "echo" else nb.guest(notebook["echo"])
    launched.start(render(PROMPT, notebook), label="asked").wait(timeout=60)
    change(notebook)
    assert state(label="asked") == (wanted, what)
    (row,) = nb.stale(every=True, label="asked").to_dict("records")
    assert row["unknown"] == "what a guest's own code does"
