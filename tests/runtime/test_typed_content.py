"""Typed answers: validated once, kept as the object, stored as the model's own JSON; and user classes that misbehave."""

from __future__ import annotations

import dataclasses
import enum
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationInfo,
    computed_field,
    field_serializer,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

import nbagent as nb
from nbagent import Agent, RunStatus, runtime
from nbagent.panel import RunSnapshot, card_row
from nbagent.run import RunOutput
from nbagent.schemas import deadline
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

T = TypeVar("T")


class Poll(BaseModel):
    share: float

    @field_validator("share")
    @classmethod
    def fraction(cls, value: float) -> float:
        return value / 100


class Price(BaseModel):
    price: float

    @field_validator("price", mode="before")
    @classmethod
    def number(cls, value: Any) -> float:
        return float(value.replace("$", "").replace(",", ""))


class Scratch(BaseModel):
    reasoning: str = Field(exclude=True)
    answer: int = Field(validation_alias=AliasChoices("answer", "result"), serialization_alias="out")

    @field_serializer("answer")
    def words(self, value: int) -> str:
        return f"{value} apples"


class Login(BaseModel):
    user: str
    password: SecretStr

    @computed_field
    @property
    def initial(self) -> str:
        return self.user[0]


class Counted(BaseModel):
    n: int

    @field_validator("n", mode="wrap")
    @classmethod
    def more(cls, value: Any, handler: Callable[[Any], int], info: ValidationInfo) -> int:
        return handler(value) + (1 if info.mode == "json" else 100)

    @model_validator(mode="after")
    def twice(self) -> Counted:
        self.n *= 2
        return self


class Box(BaseModel, Generic[T]):
    inside: T


class Mood(enum.Enum):
    good = "+"
    bad = "-"


class Row(TypedDict):
    mood: Mood
    poll: Poll


@dataclasses.dataclass
class Point:
    x: Annotated[float, Field(alias="across")]
    sum: float = dataclasses.field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.sum = self.x + 1


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    legs: Decimal


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def read_back(run_id: str) -> RunOutput:
    """Return a run as a kernel reads it that has not worked on it."""
    here = runtime.current()
    return here.typed(here.stored(run_id))


TYPES: list[tuple[Any, str, str]] = [
    # the type, the reply, the JSON in it
    (Poll, '{"share": 50}', '{"share": 50}'),
    (Price, 'Here:\n```json\n{"price":  "$1,200.50"}\n```', '{"price":  "$1,200.50"}'),
    (Scratch, 'So {"reasoning": "2+2", "answer": 4}.', '{"reasoning": "2+2", "answer": 4}'),
    (Scratch, '{"reasoning": "2+2", "result": 4}', '{"reasoning": "2+2", "result": 4}'),
    (Login, '{"user": "ann", "password": "hunter2"}', '{"user": "ann", "password": "hunter2"}'),
    (Counted, '{"n": 3}', '{"n": 3}'),
    (Box[Poll], '{"inside": {"share": 5e1}}', '{"inside": {"share": 5e1}}'),
    (Box[list[int]], '{"inside": [1, 12345678901234567890123]}', '{"inside": [1, 12345678901234567890123]}'),
    (list[Poll], '{"items": [{"share": 1}, {"share": 2.50}]}', '[{"share": 1}, {"share": 2.50}]'),
    (dict[str, Poll], '{"a": {"share": 1}}', '{"a": {"share": 1}}'),
    (Cat | Dog, '{"value": {"kind": "dog", "legs": 4.10}}', '{"kind": "dog", "legs": 4.10}'),
    (Pet, '{"kind": "cat", "lives": 9}', '{"kind": "cat", "lives": 9}'),
    (list[Cat | Dog | None], '[null, {"kind": "cat", "lives": 9}]', '[null, {"kind": "cat", "lives": 9}]'),
    (Point, '{"across": 1}', '{"across": 1}'),
    (Point, '{"x": 1}', '{"x": 1}'),
    (Row, '{"mood": "+", "poll": {"share": 1}}', '{"mood": "+", "poll": {"share": 1}}'),
    (Mood, "+", '"+"'),
    (Literal["yes", "no"], "yes", '"yes"'),
    (int | dict[str, int], '{"value": {"value": 1}}', '{"value": 1}'),
    (Poll | None, '{"value": null}', "null"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "reply", "json"), TYPES, ids=str)
def test_content_is_one_validation_of_the_json_in_the_answer(
    agent: Agent, provider: ScriptedProvider, target: Any, reply: str, json: str
) -> None:
    """Live, awaited, read back, in a batch and from the cache: what validating the answer's JSON once gives."""
    wanted = TypeAdapter(target).validate_json(json, by_alias=True, by_name=True)
    provider.reply(*[text_reply(reply)] * 2)
    run = agent.start("Well?", output_schema=target)
    output = run.result(timeout=60)
    batch = agent.map(["a"], "{{ row }}", output_schema=target)
    batch.result(60)
    again = agent.map(["a"], "{{ row }}", output_schema=target)
    again.result(60)
    cached = agent.start("Well?", output_schema=target, cache="replay")
    cached.wait(timeout=60)
    stored = [read_back(one.run_id) for one in (run, cached)]
    (row,), (reused,) = list(batch), list(again)
    assert reused.reused
    found = [run.content, output.content, row.content, reused.content, cached.content]
    found += [one.content for one in stored]
    assert found == [wanted] * 7
    assert all(type(one) is type(wanted) for one in found)
    assert run.content is output.content
    texts = nb.sql("select content from runs where content_type <> 'text'")["content"]
    assert set(texts) == {json}
    assert len(provider.requests) == 2


def raising(error: BaseException) -> type[BaseModel]:
    """Return a model whose validator raises `error` until it is given 1."""

    class Strict(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, value: int) -> int:
            if value != 1:
                raise error
            return value

    return Strict


class Unheard(BaseException):
    """No interrupt, and no Exception either."""


class MuteError(Exception):
    """An error that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no")


ERRORS: list[tuple[BaseException, str]] = [
    (KeyError(5), "KeyError: 5"),
    (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    (RecursionError("too deep"), "RecursionError: too deep"),
    (IndexError(), "IndexError"),
    (Unheard("so"), "Unheard: so"),
    (SystemExit(3), "SystemExit: 3"),
    (KeyboardInterrupt(), "KeyboardInterrupt"),
    (StopIteration(), "StopIteration"),
    (TimeoutError("late"), "TimeoutError: late"),
    (MuteError(), "MuteError"),
    (ValueError("odd"), "n: Value error, odd (got 2)"),
]


@pytest.mark.parametrize(("error", "said"), ERRORS, ids=lambda one: type(one).__name__)
def test_any_exception_of_a_validator_is_an_invalid_answer(
    agent: Agent, provider: ScriptedProvider, error: BaseException, said: str
) -> None:
    """It is sent back to the model once, named in full; the corrected answer is taken, a second wrong one ends the run."""
    target = raising(error)
    provider.reply(text_reply('{"n": 2}'), text_reply('{"n": 1}'), *[text_reply('{"n": 2}')] * 2)
    first = agent.start("A number?", output_schema=target).result(timeout=60)
    assert first.content == target(n=1)
    assert said in provider.requests[1].body["messages"][-1]["content"]
    second = agent.start("A number?", output_schema=target).wait(timeout=60)
    assert (second.status, second.stop_reason) == (RunStatus.error, "invalid_output")
    assert said in (second.error or "")
    assert second.content == '{"n": 2}'
    assert len(provider.requests) == 4


def waiting(event: threading.Event) -> type[BaseModel]:
    """Return a model whose validator waits for `event`."""

    class Slow(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, value: int) -> int:
            event.wait()
            return value

    return Slow


def test_a_validator_that_waits_stops_no_other_run(agent: Agent, provider: ScriptedProvider) -> None:
    """Other runs begin and end meanwhile; the run of the validator ends with its value once it goes on."""
    event = threading.Event()
    provider.reply(text_reply('{"n": 2}'))
    slow = agent.start("A number?", output_schema=waiting(event))
    while slow.metrics.model_calls == 0:
        pass
    provider.reply(text_reply("Here."))
    assert agent.start("There?").result(timeout=60).content == "Here."
    assert slow.status is RunStatus.running
    event.set()
    assert slow.result(timeout=60).content.n == 2


def test_a_validator_that_never_ends_is_an_invalid_answer(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time the run ends and says so; a run that is cancelled meanwhile ends at once."""
    event = threading.Event()
    provider.reply(*[text_reply('{"n": 2}')] * 2)
    cancelled = agent.start("A number?", output_schema=waiting(event))
    while cancelled.metrics.model_calls == 0:
        pass
    assert cancelled.cancel()
    monkeypatch.setattr(deadline, "CHECK_LIMIT_S", 0.05)
    run = agent.start("A number?", output_schema=waiting(event))
    output = run.wait(timeout=60)
    event.set()
    assert (output.stop_reason, output.content) == ("invalid_output", '{"n": 2}')
    assert "the validators of Slow had not ended after 0.05 s" in (output.error or "")
    assert len(provider.requests) == 2


class Hostile(BaseModel):
    n: int

    def __repr__(self) -> str:
        raise KeyError("repr")

    def __str__(self) -> str:
        raise KeyError("str")

    def __eq__(self, other: object) -> bool:
        raise KeyError("eq")

    def __bool__(self) -> bool:
        raise KeyError("bool")

    __hash__ = None  # type: ignore[assignment]

    @computed_field
    @property
    def bad(self) -> int:
        raise KeyError("computed")

    @field_serializer("n")
    def dump(self, value: int) -> int:
        raise KeyError(value)


def test_nothing_that_looks_at_a_run_raises_over_its_class(agent: Agent, provider: ScriptedProvider) -> None:
    """Getters, repr, tables, the card's view, waits and batches stand a class that raises wherever it can."""
    provider.reply(*[text_reply('{"n": 2}')] * 2)
    run = agent.start("A number?", output_schema=Hostile)
    output = run.result(timeout=60)
    stored = read_back(run.run_id)
    for one in (output, stored, run.future().result(60)):
        assert type(one.content) is Hostile
        assert "Hostile that cannot be shown: KeyError" in repr(one)
        assert one.run_id in str(one)
    assert "completed" in repr(run)
    assert run.to_frame().to_dict("list") == {"n": [2], "bad": [None]}
    assert run.record is not None
    for seen in (RunSnapshot.of_record(run.record), RunSnapshot.of_output(stored)):
        assert card_row(seen)["table"]["cells"] == [["2", ""]]
    frame = agent.map(["a"], "{{ row }}", output_schema=Hostile).result(60)
    assert list(frame["n"]) == [2]


def test_secrets_are_masked_where_a_value_is_shown(agent: Agent, provider: ScriptedProvider) -> None:
    """Tables and the card show a secret's mask; the object that the user gets holds it."""
    provider.reply(*[text_reply('{"user": "ann", "password": "hunter2"}')] * 2)
    run = agent.start("Who?", output_schema=Login)
    assert run.result(timeout=60).content.password.get_secret_value() == "hunter2"
    assert run.record is not None
    row = card_row(RunSnapshot.of_record(run.record))
    shown = [run.to_frame(), agent.map(["a"], "{{ row }}", output_schema=Login).result(60)]
    assert all(list(frame["password"]) == ["**********"] for frame in shown)
    assert "hunter2" not in f"{run!r} {run.output!r} {row['table']} {row['tree']}"


@pytest.mark.parametrize("said", ['{"a": 1}', '"quoted"', " as it is\n", "{not json", "```\ncode\n```"])
def test_str_takes_text_as_it_is(agent: Agent, provider: ScriptedProvider, said: str) -> None:
    """`output_schema=str` asks for no JSON and reads none."""
    provider.reply(*[text_reply(said)] * 2)
    run = agent.start("Say it.", output_schema=str)
    assert run.result(timeout=60).content == said
    assert "response_format" not in provider.requests[0].body
    stored = read_back(run.run_id)
    assert stored.content == said
    (row,) = list(agent.map(["a"], "{{ row }}", output_schema=str))
    assert row.content == said


def test_a_stored_run_is_validated_once_and_only_for_its_answer(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another kernel's getters run no validator; the answer runs it once, and where it hangs the data stays plain."""
    calls: list[str] = []

    class Noted(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, value: int) -> int:
            calls.append("check")
            if len(calls) > 2:
                threading.Event().wait()
            return value

    monkeypatch.setattr(sys.modules["__main__"], "Noted", Noted, raising=False)
    Noted.__module__, Noted.__qualname__ = "__main__", "Noted"
    provider.reply(text_reply('{"n": 2}'))
    run_id = agent.start("A number?", output_schema=Noted).result(timeout=60).run_id
    assert calls == ["check"]
    here = runtime.current()
    stored = nb.Run(run_id, "s", runtime=here)
    monkeypatch.setattr(here, "live", lambda _: None)
    assert stored.done()
    assert (stored.status, stored.text, stored.error) == (RunStatus.completed, '{"n": 2}', None)
    assert "completed" in repr(stored)
    assert calls == ["check"]
    assert stored.content == stored.result(timeout=60).content == Noted.model_construct(n=2)
    assert calls == ["check"] * 2
    monkeypatch.setattr(deadline, "CHECK_LIMIT_S", 0.05)
    assert nb.Run(run_id, "s", runtime=here).wait(timeout=60).content == {"n": 2}
