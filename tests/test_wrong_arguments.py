"""Arguments of the wrong kind at the public door: two lines, what was given and what to give."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, ModelSettings, Team
from nbagent.errors import ConfigurationError


def agent(**fields: Any) -> Agent:
    """An agent on the demo model."""
    return Agent(model="demo:assistant", **fields)


def refused(call: Callable[[], Any], what: str) -> None:
    """Assert that a call raises one of our errors: two lines, the first of which says `what`."""
    with pytest.raises(ConfigurationError) as caught:
        call()
    lines = str(caught.value).splitlines()
    assert len(lines) == 2, lines
    assert what in lines[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limits", 5),
        ("limits", {"max_steps": 3}),
        ("limits", ModelSettings()),
        ("settings", {"temperature": 0}),
        ("settings", None),
        ("settings", Limits()),
        ("name", 5),
        ("name", None),
        ("name", ["a"]),
    ],
)
def test_an_agent_refuses_fields_of_another_type(field: str, value: Any) -> None:
    """A wrong field is refused where the agent or team is made, and at a launch where it was assigned later."""
    refused(lambda: agent(**{field: value}), f"{field} is ")
    refused(lambda: Team(members=[agent()], **{field: value}), f"{field} is ")
    changed = agent()
    setattr(changed, field, value)
    refused(lambda: changed.start("hi"), f"{field} is ")
    refused(lambda: changed.map(["a"], "{{ row }}"), f"{field} is ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tags", 5),
        ("tags", "q3"),
        ("tags", ["a"]),
        ("label", 5),
        ("label", b"x"),
        ("label", ["x"]),
        ("cell_id", 5),
        ("cell_id", object()),
        ("cell_id", ("a",)),
    ],
)
def test_a_launch_refuses_names_that_the_record_cannot_hold(name: str, value: Any) -> None:
    """Labels and cells are texts, tags a mapping, for a run and for a batch."""
    refused(lambda: agent().start("hi", **{name: value}), f"{name} is ")
    refused(lambda: agent().map(["a"], "{{ row }}", **{name: value}), f"{name} is ")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("names", 5, "names is 5"),
        ("names", ["tone"], "names is ['tone']"),
        ("names", "tone", "names is 'tone'"),
        ("group", "x", "group is 'x'"),
        ("group", True, "group is True"),
        ("group", 1.5, "group is 1.5"),
        ("repeat", "x", "repeat is 'x'"),
        ("repeat", 0, "repeat is 0"),
        ("repeat", None, "repeat is None"),
        ("key", 5, "the rows have no column 5"),
        ("key", datetime(2026, 1, 1), "the rows have no column datetime"),  # noqa: DTZ001 - any object
        ("key", ["a", 7], "the rows have no column 7"),
    ],
)
def test_map_refuses_options_of_another_type(name: str, value: Any, what: str) -> None:
    """None of them is ignored, and none fails with Python's own error."""
    table = {"a": [1, 2]}
    refused(lambda: agent().map(table, "{{ row.a }}", **{name: value}), what)


@pytest.mark.parametrize("value", ["x", [], True, float("nan"), object()])
def test_a_wait_refuses_what_is_no_time(value: Any) -> None:
    """Every wait takes seconds or None."""
    run = agent().start("What is the capital of Italy?")
    batch = agent().map(["Italy"], "What is the capital of {{ row }}?")
    for wait in (run.wait, run.result, batch.wait, batch.result):
        refused(lambda wait=wait: wait(timeout=value), "timeout is ")
    refused(lambda: nb.gather(run, batch, timeout=value), "timeout is ")
    assert nb.gather(run, batch, timeout=30)


@pytest.mark.parametrize("value", [5, None, ["hi"], b"hi"])
def test_a_prompt_is_text(value: Any) -> None:
    """A launch and a forecast refuse anything else."""
    for call in (agent().start, agent().run, agent().forecast):
        refused(lambda call=call: call(value), "the prompt is ")


@pytest.mark.parametrize("value", [5, "print", [print]])
@pytest.mark.parametrize("name", ["on_event", "on_text"])
def test_a_listener_is_a_function(name: str, value: Any) -> None:
    """One that cannot be called is refused at the launch, not at the first event."""
    refused(lambda: agent().start("hi", **{name: value}), f"{name} is ")


@pytest.mark.parametrize("value", [5, 2.5, ("a",)])
def test_a_choice_of_another_type_is_no_choice(value: Any, tmp_path: Path) -> None:
    """An option that is one of several names refuses what is no name."""
    path = tmp_path / "runs.csv"
    refused(lambda: nb.export_runs(path, table=value), f"{value!r}")
    refused(lambda: nb.export_runs(path, format=value), f"{value!r}")
    refused(lambda: nb.plot_cost(value), f"{value!r}")
    refused(lambda: agent().map(["a"], "{{ row }}", on_error=value), f"{value!r}")


def test_names_of_another_type_are_refused_where_rows_are_asked_again() -> None:
    """Also where no row has failed."""
    batch = agent().map(["a"], "{{ row }}")
    refused(lambda: batch.retry_failed(names=5), "names is 5")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [3, None, 2.5, object()])
def test_what_is_no_run_is_refused_by_name(value: Any) -> None:
    """gather, resume, get and cancel_run say what names no run."""
    for call in (nb.gather, nb.resume, nb.get, nb.cancel_run):
        refused(lambda call=call: call(value), "names no run")
    refused(lambda: nb.gather([value]), "names no run")


@pytest.mark.parametrize("value", [5, None, [], 2.5])
def test_what_is_no_path_is_refused(value: Any) -> None:
    """A file is given as text or as a path."""
    for call in (nb.export_runs, nb.export_answers, nb.import_answers, nb.export_record, nb.import_record):
        refused(lambda call=call: call(value), "is no path")


@pytest.mark.parametrize("name", ["label", "session", "agent", "batch"])
@pytest.mark.parametrize("value", [3, 2.5, [4], object()])
def test_a_filter_of_another_type_finds_no_empty_frame(name: str, value: Any) -> None:
    """What can name no run is refused: an empty frame would say that there is none."""
    refused(lambda: nb.runs(**{name: value}), f"{name} is ")
    refused(lambda: nb.metrics.by_model(**{name: value}), f"{name} is ")


@pytest.mark.parametrize(
    ("prompts", "options", "what"),
    [
        (5, {}, "the prompts 5"),
        (None, {}, "the prompts None"),
        ("hi", {"repeat": "x"}, "repeat is 'x'"),
        ("hi", {"repeat": 0}, "repeat is 0"),
        ("hi", {"timeout": "x"}, "timeout is 'x'"),
    ],
)
def test_compare_refuses_prompts_and_options_of_another_type(prompts: Any, options: Any, what: str) -> None:
    """Nothing is launched for them."""
    refused(lambda: nb.compare(["demo:assistant"], prompts, **options), what)
    assert nb.runs().empty
