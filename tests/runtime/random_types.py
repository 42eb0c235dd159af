"""Types built from plain data, the same in every process; `python -m tests.runtime.random_types` reads runs of them back.

A shape is JSON data: {"name", "kind", "hook", "root", "fields": [{"name", "type", "alias", "validator", "serializer",
"exclude"}]}. No validator here gives the same when it runs twice, so that a second one shows.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    TypeAdapter,
    WrapValidator,
    computed_field,
    create_model,
    model_validator,
)
from typing_extensions import TypedDict

import nbagent as nb

T = TypeVar("T")
Shape = Mapping[str, Any]

TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "secret": SecretStr,
    "date": dt.date,
    "decimal": Decimal,
    "ints": list[int],
    "choice": Literal["a", "b"],
    "maybe": int | None,
    "either": int | str,
}
KINDS = ("model", "dataclass", "typeddict")
HOOKS = ("", "before", "after", "wrap", "computed")
ROOTS = ("one", "list", "optional", "dict", "union", "box", "boxes")
VALIDATORS = ("", "before", "after", "wrap", "plain")
SERIALIZERS = ("", "text", "raises")


def changed(value: Any) -> Any:
    """Return another value of the same type, and yet another one of that."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return value * 2 + 1
        case str() if value not in ("a", "b"):
            return f"{value}!" if not value.startswith("20") else value
        case Decimal():
            return value + 1
        case list():
            return [*value, len(value)]
    return value


def _wrapped(value: Any, handler: Callable[[Any], Any]) -> Any:
    return changed(handler(changed(value)))


def _raising(value: Any) -> Any:
    raise ZeroDivisionError(value)


_VALIDATOR = {
    "before": BeforeValidator(changed),
    "after": AfterValidator(changed),
    "wrap": WrapValidator(_wrapped),
    "plain": PlainValidator(changed, json_schema_input_type=int),
}
_SERIALIZER = {"text": PlainSerializer(lambda value: f"<{value}>"), "raises": PlainSerializer(_raising)}


class Plain(BaseModel):
    pass


class Before(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def first(cls, data: Any) -> Any:
        return {name: changed(value) for name, value in data.items()} if isinstance(data, dict) else data


class After(BaseModel):
    @model_validator(mode="after")
    def last(self) -> After:
        for name, value in list(self.__dict__.items()):
            self.__dict__[name] = changed(value)
        return self


class Wrap(BaseModel):
    @model_validator(mode="wrap")
    @classmethod
    def around(cls, data: Any, handler: Any) -> Any:
        made = handler(data)
        for name, value in list(made.__dict__.items()):
            made.__dict__[name] = changed(value)
        return made


class Computed(BaseModel):
    @computed_field
    @property
    def count(self) -> int:
        return len(self.__dict__)


class Other(BaseModel):
    other_thing: int


class Box(BaseModel, Generic[T]):
    inside: T


_BASES = {"": Plain, "before": Before, "after": After, "wrap": Wrap, "computed": Computed}
_ROOTS: dict[str, Callable[[Any], Any]] = {
    "one": lambda one: one,
    "list": lambda one: list[one],
    "optional": lambda one: one | None,
    "dict": lambda one: dict[str, one],
    "union": lambda one: Other | one,
    "box": lambda one: Box[one],
    "boxes": lambda one: list[Box[one]],
}
_AROUND: dict[str, Callable[[str], str]] = {
    "list": lambda one: f"[{one}, {one}]",
    "dict": lambda one: f'{{"k": {one}}}',
    "box": lambda one: f'{{"inside": {one}}}',
    "boxes": lambda one: f'[{{"inside": {one}}}]',
}


def type_of(shape: Shape) -> Any:
    """Return the type of a shape; its class is in this module from then on, as a notebook's are in theirs."""
    fields = {one["name"]: _annotated(one) for one in shape["fields"]}
    name = shape["name"]
    made: Any
    if shape["kind"] == "model":
        given: dict[str, Any] = {key: (hint, ...) for key, hint in fields.items()}
        made = create_model(name, __base__=_BASES[shape["hook"]], __module__=__name__, **given)
    elif shape["kind"] == "dataclass":
        made = dataclasses.make_dataclass(name, list(fields.items()))
    else:
        made = TypedDict(name, fields)  # type: ignore[operator]
    made.__module__ = "tests.runtime.random_types"
    setattr(sys.modules["tests.runtime.random_types"], name, made)
    return _ROOTS[shape["root"]](made)


def _annotated(one: Mapping[str, Any]) -> Any:
    notes = [_VALIDATOR.get(one["validator"]), _SERIALIZER.get(one["serializer"])]
    field = Field(alias=one["alias"], exclude=one["exclude"] or None)
    return Annotated[(TYPES[one["type"]], *filter(None, notes), field)]  # type: ignore[return-value]


def json_of(shape: Shape, values: Mapping[str, Any], *, by_name: bool) -> str:
    """Return the JSON of an answer, with the fields under their names or their aliases."""
    keys = {
        one["name"]: one["name"] if by_name or not one["alias"] else one["alias"] for one in shape["fields"]
    }
    text = json.dumps({keys[name]: value for name, value in values.items()}, indent=1)
    return _AROUND.get(shape["root"], str)(text)


def wanted_of(target: Any, text: str) -> Any:
    """Return what one validation of the JSON gives."""
    return TypeAdapter(target).validate_json(text, by_alias=True, by_name=True)


def read_back() -> None:
    """For each line {shape, json, run_id}, say whether this process reads what one validation gives."""
    for line in sys.stdin:
        asked = json.loads(line)
        target = type_of(asked["shape"])
        found = nb.get(asked["run_id"]).content
        wanted = wanted_of(target, asked["json"])
        same = found == wanted and type(found) is type(wanted)
        print("same" if same else f"{found!r} is not {wanted!r}", flush=True)


if __name__ == "__main__":
    from tests.runtime import random_types

    random_types.read_back()
