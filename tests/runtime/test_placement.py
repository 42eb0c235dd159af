"""Where a launch is worked on, as far as no server is needed: addresses of agents, and what a record in a file refuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

import nbagent as nb
from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.runtime.placement.addresses import address_of

DESK = nb.Agent(model="demo:assistant", name="desk")
CREW = nb.Team(model="demo:assistant", members=[DESK])


async def shout(prompt: str) -> str:
    """Answer loudly."""
    return prompt.upper()


GUEST = nb.guest(shout)


@pytest.fixture
def modules() -> Iterator[dict[str, ModuleType]]:
    """Two modules that both have an agent, and one that nobody can import."""
    made = {name: ModuleType(name) for name in ("team.agents", "app", "made_by_hand")}
    for name, module in made.items():
        module.desk = nb.Agent(model="demo:assistant", name="desk")  # type: ignore[attr-defined]
        module.__spec__ = ModuleSpec(name, None) if name != "made_by_hand" else None
    made["app"].desk = made["team.agents"].desk  # type: ignore[attr-defined]
    sys.modules.update(made)
    yield made
    for name in made:
        del sys.modules[name]


@pytest.mark.parametrize(("agent", "name"), [(DESK, "DESK"), (CREW, "CREW"), (GUEST, "GUEST")])
def test_a_module_level_object_has_an_address(agent: Any, name: str) -> None:
    """Agents, teams and guests alike: module and name."""
    assert address_of(agent) == f"{__name__}:{name}"


def test_the_address_that_is_served_comes_first(modules: dict[str, ModuleType]) -> None:
    """Of several modules that have an object, the one that a worker serves; else the one with the shortest path."""
    desk = modules["app"].desk
    assert address_of(desk) == "app:desk"
    assert address_of(desk, lambda: {"team.agents:desk"}) == "team.agents:desk"
    assert address_of(desk, lambda: {"elsewhere:desk"}) == "app:desk"


def test_an_address_holds_as_long_as_the_module_has_the_object(modules: dict[str, ModuleType]) -> None:
    """What a launch has found is no longer said once the name means another agent, as after a reload, or is gone."""
    desk = modules["app"].desk
    assert address_of(desk) == "app:desk"
    modules["app"].desk = nb.Agent(name="another")
    assert address_of(desk) == "team.agents:desk"
    del modules["team.agents"].desk
    with pytest.raises(ConfigurationError, match="is in no module"):
        address_of(desk)


def test_what_no_module_has_is_refused(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made in a function, in the notebook, as a changed copy, or in a module that cannot be imported: two lines."""
    in_notebook = nb.Agent(name="mine")
    monkeypatch.setattr(sys.modules["__main__"], "mine", in_notebook, raising=False)
    for agent in (nb.Agent(), in_notebook, replace(DESK, name="other"), modules["made_by_hand"].desk):
        with pytest.raises(ConfigurationError, match="is in no module that a worker can import") as refused:
            address_of(agent)
        assert len(str(refused.value).splitlines()) == 2
        assert "%%agent_module agents.py" in str(refused.value)


@pytest.mark.parametrize("by_option", [True, False])
def test_a_record_in_a_file_has_no_workers(by_option, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines name the file and what to set; `on="kernel"` works as ever, and a tool's launches stay with it."""
    if by_option:
        monkeypatch.setenv("NBAGENT_ON", "workers")
    with pytest.raises(ConfigurationError, match=r"this one is the file .*runs\.duckdb") as refused:
        DESK.start("Hi", on=None if by_option else "workers")
    assert len(str(refused.value).splitlines()) == 2
    assert DESK.start("What is the capital of Peru?", on="kernel").result(60).content
    assert len(nb.runs()) == 1


def test_a_place_that_there_is_not_is_refused() -> None:
    """By its name, as every choice."""
    with pytest.raises(UnknownOptionError, match="'kernel', 'workers'"):
        DESK.start("Hi", on="cloud")  # type: ignore[arg-type]


@pytest.mark.parametrize("by_option", [True, False])
def test_a_batch_for_workers_wants_a_server(by_option, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run does: two lines name the file and what to set, and nothing is recorded; `on="kernel"` works as ever."""
    if by_option:
        monkeypatch.setenv("NBAGENT_ON", "workers")
    with pytest.raises(ConfigurationError, match=r"this one is the file .*runs\.duckdb") as refused:
        DESK.map(["Peru"], "What is the capital of {{ row }}?", on=None if by_option else "workers")
    assert len(str(refused.value).splitlines()) == 2
    found = DESK.map(["Peru"], "What is the capital of {{ row }}?", on="kernel").result(60)
    assert "Lima" in str(found.iloc[0])
    assert len(nb.runs()) == 1
