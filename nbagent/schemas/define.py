"""Output schemas: from a type or dict to JSON Schema, from a model's text to a value, and to plain data and back."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic_core
import typing_extensions
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from nbagent.errors import SchemaError
from nbagent.rendering import json_schema_of
from nbagent.schemas.answer import InvalidOutputError, json_values
from nbagent.schemas.names import class_named, provider_name, short_name, type_name

_PROBLEMS = 20
_DEFINITIONS = ("$defs", "definitions")
_SAYS_SOMETHING = {
    "type",
    "properties",
    "$ref",
    "anyOf",
    "oneOf",
    "allOf",
    "enum",
    "const",
    "items",
    "prefixItems",
}


@dataclass(frozen=True, slots=True)
class Validated:
    """An answer that fits: `value` in the schema's type, `data` the same as plain JSON data."""

    value: Any
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSchema:
    """What an answer must be. `json_schema` always has an object at its root, as strict modes demand.

    `type` is the Python type, None for a JSON Schema dict. `wrapper` is the key under which a provider gets a
    schema whose root is no object: "items" for a list, "value" for the rest; answers are accepted with and
    without it.
    """

    name: str
    json_schema: Mapping[str, Any]
    type: Any = None
    wrapper: Literal["items", "value"] | None = None
    adapter: TypeAdapter[Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, target: object) -> OutputSchema:
        """Return the schema that `target` stands for.

        That is a pydantic model, dataclass, TypedDict, Enum, Literal or primitive, a list or union of these, a
        JSON Schema dict, or an OutputSchema. Raises SchemaError for anything else.
        """
        if isinstance(target, OutputSchema):
            return target
        if isinstance(target, Mapping):
            return _from_json_schema(target)
        return _from_type(target)

    @property
    def content_type(self) -> str:
        """What `content_type` in the store says of values of this schema."""
        return "json" if self.adapter is None else type_name(self.type)

    def validate_text(self, text: str) -> Validated:
        """Return the value that `text` holds; code fences and prose around one JSON value are left out.

        Raises InvalidOutputError for text without JSON, JSON that is cut or broken (nothing is guessed), a value
        that does not fit, and several different values that do.
        """
        fitting: list[Validated] = []
        first_error: InvalidOutputError | None = None
        for candidate in json_values(text, bare_text=self.wrapper == "value"):
            try:
                found = self._validated(candidate)
            except InvalidOutputError as error:
                first_error = first_error or error
                continue
            if all(found.data != other.data for other in fitting):
                fitting.append(found)
        if len(fitting) > 1:
            raise InvalidOutputError([f"{len(fitting)} different values fit the schema; give one"])
        if fitting:
            return fitting[0]
        raise first_error or InvalidOutputError(["there is no JSON value in the answer"])

    def value_of(self, data: Any) -> Any:
        """Return the typed value for plain JSON `data`, as read from the store; InvalidOutputError if it does not fit."""
        return self._validated(data).value

    def _validated(self, data: Any) -> Validated:
        forms = [data]
        if self.wrapper and isinstance(data, dict) and data.keys() == {self.wrapper}:
            forms.insert(0, data[self.wrapper])
        problems: list[str] = []
        for form in forms:
            found = self._problems_or_value(form)
            if isinstance(found, Validated):
                return found
            problems = problems or found
        raise InvalidOutputError(_limited(problems))

    def _problems_or_value(self, data: Any) -> Validated | list[str]:
        if self.adapter is None:
            problems = _json_schema_problems(data, self._inner_schema())
            return problems or Validated(data, data)
        try:
            value = self.adapter.validate_json(pydantic_core.to_json(data), by_alias=True, by_name=True)
        except ValidationError as error:
            return [_problem(detail) for detail in error.errors(include_url=False, include_context=False)]
        return Validated(value, data_of(value))

    def _inner_schema(self) -> Mapping[str, Any]:
        """The schema as the user wrote it, without our wrapper."""
        if self.wrapper is None:
            return self.json_schema
        inner = dict(self.json_schema["properties"][self.wrapper])
        return inner | {key: item for key, item in self.json_schema.items() if key in _DEFINITIONS}


def data_of(value: Any) -> Any:
    """Return `value` as plain JSON data that `OutputSchema.value_of` turns back; fields by their Python names."""
    return pydantic_core.to_jsonable_python(value, by_alias=False, round_trip=True, serialize_unknown=True)


def rebuild(content_type: str, data: Any, namespace: Mapping[str, Any]) -> Any:
    """Return `data` as the class that `content_type` names, or as it is where that class is not at hand.

    The class is looked up in `namespace` (a notebook's variables) and in modules that are loaded already:
    reading a record imports no code. Data that no longer fits its class stays plain.
    """
    target = class_named(content_type, namespace)
    if target is None:
        return data
    try:
        return OutputSchema.of(target).value_of(data)
    except (SchemaError, InvalidOutputError):
        return data


def _from_json_schema(target: Mapping[str, Any]) -> OutputSchema:
    import jsonschema

    try:
        schema = json.loads(json.dumps(dict(target)))
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"the schema dict is not JSON: {error}",
            "give a JSON Schema, or a pydantic model, dataclass or TypedDict for Python types",
        ) from None
    if not _SAYS_SOMETHING & schema.keys():
        raise SchemaError(
            f"the dict with the keys {', '.join(map(repr, schema)) or 'none'} is no JSON Schema",
            'give one like {"type": "object", "properties": {...}}',
        )
    try:
        jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(
            schema
        )
    except jsonschema.SchemaError as error:
        raise SchemaError(
            f"the JSON Schema is wrong at {error.json_path}: {error.message}", "correct it"
        ) from None
    _check_references(schema, schema)
    return _wrapped(provider_name(str(schema.get("title", "output"))), schema, None, None)


def _check_references(node: Any, root: Mapping[str, Any]) -> None:
    """Raise SchemaError for a `$ref` that leads nowhere in the schema; none is ever fetched."""
    if isinstance(node, list):
        for item in node:
            _check_references(item, root)
    if not isinstance(node, dict):
        return
    reference = node.get("$ref")
    if isinstance(reference, str) and not _leads_somewhere(reference, root):
        raise SchemaError(
            f"the JSON Schema refers to {reference!r}, which it does not hold", "put it under $defs"
        )
    for item in node.values():
        _check_references(item, root)


def _leads_somewhere(reference: str, root: Any) -> bool:
    start, *steps = reference.split("/")
    for step in steps:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(root, list) and key.isdecimal() and int(key) < len(root):
            root = root[int(key)]
        elif isinstance(root, dict) and key in root:
            root = root[key]
        else:
            return False
    return start == "#"


def _from_type(target: Any) -> OutputSchema:
    if target is None or isinstance(target, str | int | float | list | tuple | set) or _is_instance(target):
        what = f"{target!r:.80} is a value" if not isinstance(target, str) else f"{target!r} is text"
        todo = (
            f"give the class: {type(target).__name__}"
            if _is_instance(target)
            else "give a class or a JSON Schema dict"
        )
        raise SchemaError(f"{what}, not a schema", todo)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(_portable(target))
        schema = json_schema_of(adapter)
    except (
        PydanticUserError,
        PydanticUndefinedAnnotation,
        pydantic_core.SchemaError,
        TypeError,
        NameError,
    ) as error:
        reason = str(error).partition("\n")[0]
        raise SchemaError(
            f"{short_name(target)} cannot be a schema: {reason}",
            "use a pydantic model, dataclass or TypedDict (of typing_extensions before Python 3.12), or a list of one",
        ) from None
    return _wrapped(provider_name(short_name(target)), schema, target, adapter)


def _is_instance(target: object) -> bool:
    cls = type(target)
    return isinstance(target, BaseModel) or (dataclasses.is_dataclass(cls) and not isinstance(target, type))


def _wrapped(
    name: str, schema: dict[str, Any], target: Any, adapter: TypeAdapter[Any] | None
) -> OutputSchema:
    """Give the schema an object as its root: the definition it refers to, or a wrapper."""
    schema = _root_inlined(schema)
    if schema.get("type") == "object" or "properties" in schema:
        return OutputSchema(name=name, json_schema=schema, type=target, adapter=adapter)
    wrapper: Literal["items", "value"] = "items" if schema.get("type") == "array" else "value"
    inner = {key: item for key, item in schema.items() if key not in {*_DEFINITIONS, "$schema"}}
    outer: dict[str, Any] = {
        "type": "object",
        "properties": {wrapper: inner},
        "required": [wrapper],
        "additionalProperties": False,
    }
    outer |= {key: item for key, item in schema.items() if key in _DEFINITIONS}
    return OutputSchema(name=name, json_schema=outer, type=target, wrapper=wrapper, adapter=adapter)


def _root_inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace a root that is only a reference (a recursive model) by what it refers to."""
    found = re.fullmatch(r"#/\$defs/([^/]+)", str(schema.get("$ref", "")))
    if not found or found[1] not in schema.get("$defs", {}):
        return schema
    rest = {key: item for key, item in schema.items() if key != "$ref"}
    return {**schema["$defs"][found[1]], **rest}


def _portable(target: Any) -> Any:
    """Return `target` with typing's TypedDicts made into typing_extensions' own, which pydantic asks for before 3.12."""
    if sys.version_info >= (3, 12):
        return target
    if typing.is_typeddict(target) and not type(target).__module__.startswith("typing_extensions"):
        return _portable_typed_dict(target)
    origin, arguments = typing.get_origin(target), tuple(map(_portable, typing.get_args(target)))
    if origin in (typing.Union, types.UnionType):
        return typing.Union[arguments]  # noqa: UP007 - made at run time
    return origin[arguments] if origin in (list, dict) else target


def _portable_typed_dict(target: Any) -> Any:
    marks = (typing.Required, typing.NotRequired)
    fields: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(target, include_extras=True).items():
        mark = typing.get_origin(hint)
        inner = _portable(typing.get_args(hint)[0] if mark in marks else hint)
        # __required_keys__ does not see a mark inside a postponed annotation
        needed = mark is typing.Required or (
            mark is not typing.NotRequired and name in target.__required_keys__
        )
        fields[name] = inner if needed else typing.NotRequired[inner]
    make: Any = typing_extensions.TypedDict
    shape = make(target.__name__, fields)
    shape.__doc__ = target.__doc__
    return shape


def _problem(detail: Any) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"]).lstrip(
        "."
    )
    given = "" if detail["type"] in {"missing", "extra_forbidden"} else f" (got {detail['input']!r:.80})"
    return f"{where or 'the value'}: {detail['msg']}{given}"


def _json_schema_problems(data: Any, schema: Mapping[str, Any]) -> list[str]:
    import jsonschema

    validator_class = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    errors = sorted(validator_class(schema).iter_errors(data), key=lambda error: error.json_path)
    return [
        f"{error.json_path.removeprefix('$').lstrip('.') or 'the value'}: {error.message:.300}"
        for error in errors
    ]


def _limited(problems: list[str]) -> list[str]:
    if len(problems) <= _PROBLEMS:
        return problems
    return [*problems[:_PROBLEMS], f"and {len(problems) - _PROBLEMS} more"]
