"""Whatever type is asked for: content is one validation of the answer's JSON, wherever it is looked at."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nbagent import Agent, runtime
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.runtime.random_types import (
    HOOKS,
    KINDS,
    ROOTS,
    SERIALIZERS,
    TYPES,
    VALIDATORS,
    json_of,
    type_of,
    wanted_of,
)

_numbers = itertools.count()
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(st.characters(codec="utf-8"), max_size=8),
    "secret": st.text("abc", max_size=8),
    "date": st.dates().map(str),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    "ints": st.lists(st.integers(), max_size=3),
    "choice": st.sampled_from("ab"),
    "maybe": st.none() | st.integers(),
    "either": st.integers() | st.text("xyz", max_size=3),
}
REPLIES = (
    "{}",
    "```json\n{}\n```",
    "Here it is: {}\n",
    '{{"items": {}}}',
    '{{"value": {}}}',
)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """A type as data."""
    kind = draw(st.sampled_from(KINDS))
    fields = [
        {
            "name": f"field_{number}",
            "type": draw(st.sampled_from(sorted(TYPES))),
            "alias": draw(st.sampled_from([None, f"Alias{number}"])),
            "validator": draw(st.sampled_from(VALIDATORS)),
            "serializer": draw(st.sampled_from(SERIALIZERS)),
            "exclude": draw(st.booleans()),
        }
        for number in range(draw(st.integers(1, 3)))
    ]
    return {
        "name": f"Shape{next(_numbers)}",
        "kind": kind,
        "hook": draw(st.sampled_from(HOOKS)) if kind == "model" else "",
        "root": draw(st.sampled_from(ROOTS)),
        "fields": fields,
    }


@pytest.fixture
def other_kernel() -> Iterator[subprocess.Popen[str]]:
    """A process that reads runs back, with the types that it is told."""
    command = [sys.executable, "-m", "tests.runtime.random_types"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(shape=shapes(), data=st.data())
def test_content_is_what_one_validation_gives_everywhere(
    agent: Agent,
    provider: ScriptedProvider,
    other_kernel: subprocess.Popen[str],
    shape: dict[str, Any],
    data: st.DataObject,
) -> None:
    """Live, read back here and by another process, as a batch's row, reused and cached."""
    target = type_of(shape)
    values = {one["name"]: data.draw(VALUES[one["type"]]) for one in shape["fields"]}
    text = json_of(shape, values, by_name=data.draw(st.booleans()))
    try:
        wanted = wanted_of(target, text)
    except (ValidationError, TypeError):  # a plain validator may leave what a later one does not take
        assume(False)
    wrapper = {"list": 3, "boxes": 3, "optional": 4, "union": 4}.get(shape["root"])
    form = REPLIES[data.draw(st.sampled_from([0, 1, 2, *([wrapper] if wrapper else [])]))]
    prompt, reply = f"{shape['name']}?", form.format(text)
    provider.reply(*[text_reply(reply)] * 2)
    run = agent.start(prompt, output_schema=target)
    output = run.result(timeout=60)
    cached = agent.start(prompt, output_schema=target, cache="replay").result(timeout=60)
    (asked,) = list(agent.map([prompt], "Row {{ row }}", output_schema=target))
    (reused,) = list(agent.map([prompt], "Row {{ row }}", output_schema=target))
    here = runtime.current()
    stored = here.typed(here.stored(run.run_id))
    found = [run.content, output.content, cached.content, stored.content, asked.content, reused.content]
    assert found == [wanted] * 6
    assert {type(one) for one in found} == {type(wanted)}
    assert (asked.reused, reused.reused) == (False, True)
    assert (output.answer_json, stored.answer_json) == (text, text)
    assert other_kernel.stdin is not None
    assert other_kernel.stdout is not None
    for run_id in (run.run_id, cached.run_id):
        other_kernel.stdin.write(json.dumps({"shape": shape, "json": text, "run_id": run_id}) + "\n")
        other_kernel.stdin.flush()
        assert other_kernel.stdout.readline() == "same\n"
