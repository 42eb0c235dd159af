"""Output schemas: from a type or dict to JSON Schema, from a model's text to a value, and to plain data and back."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import threading
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
from nbagent.events import TypedAnswer
from nbagent.prompts import json_schema_of
from nbagent.schemas.extract_json import InvalidOutputError, JsonValue, OutputProblem, json_values
from nbagent.schemas.type_names import provider_name, short_name, type_name
from nbagent.schemas.user_code import runs_user_code
from nbagent.schemas.validation import SchemaChecker, WrongSchemaError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSchema:
    """What an answer must be. `json_schema` always has an object at its root, as strict modes demand.

    `type` is the Python type, None for a JSON Schema dict. `wrapper` is the key under which a provider gets a
    schema whose root is no object: "items" for a list, "value" for the rest; answers are accepted with and
    without it. `is_text`: any text is an answer as it stands, and there is nothing to check. `runs_code`: a
    check calls functions of the user and may take any time (see `deadline.py`).
    """

    name: str
    json_schema: Mapping[str, Any]
    type: Any = None
    wrapper: Literal["items", "value"] | None = None
    adapter: TypeAdapter[Any] | None = field(default=None, repr=False, compare=False)
    runs_code: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def of(cls, target: object) -> OutputSchema:
        """Return the schema that `target` stands for.

        That is a pydantic model, dataclass, TypedDict, Enum, Literal or primitive, a list or union of these,
        a JSON Schema dict, or an OutputSchema. Raises SchemaError for anything else.
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

    @property
    def is_text(self) -> bool:
        """True for `str`: the reply's text is the answer."""
        return self.type is str

    def validate_text(self, text: str) -> TypedAnswer:
        """Return the value that `text` holds, and its JSON as it stands there, without fences, prose and wrapper.

        Each value found is validated once. Raises InvalidOutputError for text without JSON, JSON that is cut
        or broken (nothing is guessed), a value that does not fit, and several different values that do; also
        for whatever a validator of the user raises.
        """
        fitting: list[TypedAnswer] = []
        distinct: list[Any] = []
        first_error: InvalidOutputError | None = None
        for candidate in json_values(text, bare_text=self.wrapper == "value"):
            data = self._bare(candidate).data
            if any(_form(data) == _form(other) for other in distinct):
                continue
            distinct.append(data)
            try:
                found = self.read(candidate)
            except InvalidOutputError as error:
                first_error = first_error or error
                continue
            if self.adapter is None or not any(_same(found.value, other.value) for other in fitting):
                fitting.append(found)
        if len(fitting) > 1:
            raise InvalidOutputError([f"{len(fitting)} different values fit the schema; give one"])
        if fitting:
            return fitting[0]
        raise first_error or InvalidOutputError(["there is no JSON value in the answer"])

    def value_of(self, data: Any) -> Any:
        """Return the typed value for plain JSON `data`; InvalidOutputError if it does not fit."""
        return self.read(JsonValue.of(data)).value

    def read(self, given: JsonValue) -> TypedAnswer:
        """Return the typed value of JSON as a model gives it, in our wrapper or without."""
        bare = self._bare(given)
        forms = [bare] if bare is given else [bare, given]
        problems: list[str] = []
        for form in forms:
            found = self.problems_or_value(form)
            if isinstance(found, TypedAnswer):
                return found
            problems = problems or found
        raise InvalidOutputError(_limited(problems))

    def _bare(self, given: JsonValue) -> JsonValue:
        if self.wrapper and isinstance(given.data, dict) and given.data.keys() == {self.wrapper}:
            return given.only_member()
        return given

    def problems_or_value(self, given: JsonValue) -> TypedAnswer | list[str]:
        """Return the typed value of JSON just as it stands, or what is wrong with it. One validation, of this text."""
        if self.adapter is None:
            problems = _json_schema_problems(given.data, self._inner_schema())
            return problems or TypedAnswer(given.text, given.data)
        try:
            value = self.adapter.validate_json(given.text, by_alias=True, by_name=True)
        except ValidationError as error:
            return _problems(error)
        except BaseException as error:
            # not the user's only where the person stops the very thread that checks
            if isinstance(error, KeyboardInterrupt) and _on_main_thread():
                raise
            return [f"a validator raised {named(error)}"]
        return TypedAnswer(given.text, value)

    def _inner_schema(self) -> Mapping[str, Any]:
        """Return the schema as the user wrote it, without our wrapper."""
        if self.wrapper is None:
            return self.json_schema
        inner = dict(self.json_schema["properties"][self.wrapper])
        return inner | {key: item for key, item in self.json_schema.items() if key in _DEFINITIONS}


def to_plain(value: Any) -> Any:
    """Return `value` as plain JSON data to look at; fields by their Python names, secrets masked.

    A field whose serializer fails is shown as its text.
    """
    return pydantic_core.to_jsonable_python(value, by_alias=False, round_trip=True, serialize_unknown=True)


def named(error: BaseException) -> str:
    """Return an exception as `KeyError: 5`, whatever its class does."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's own class
        text = ""
    name = type(error).__name__
    return f"{name}: {text:.300}" if text else name


def _form(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


def _same(one: Any, other: Any) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # noqa: BLE001 - the user's own class
        return False


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _problems(error: ValidationError) -> list[str]:
    try:
        return [_problem(detail) for detail in error.errors(include_url=False, include_context=False)]
    except Exception as second:  # noqa: BLE001 - an error of the user whose text or input cannot be shown
        return [f"{error.title}: {error.error_count()} problems that cannot be shown: {named(second)}"]


def _from_json_schema(target: Mapping[str, Any]) -> OutputSchema:
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
    _check_references(schema, schema)
    try:
        SchemaChecker(schema)
    except WrongSchemaError as error:
        raise SchemaError(f"the JSON Schema is wrong at {error.place}: {error}", "correct it") from None
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
    made = _wrapped(provider_name(short_name(target)), schema, target, adapter)
    return dataclasses.replace(made, runs_code=runs_user_code(adapter.core_schema))


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
    return OutputProblem.at(f"{where or 'the value'}: {detail['msg']}{given}", detail["loc"], detail["type"])


def _json_schema_problems(data: Any, schema: Mapping[str, Any]) -> list[str]:
    return SchemaChecker(schema).problems(data)


def _limited(problems: list[str]) -> list[str]:
    if len(problems) <= _PROBLEMS:
        return problems
    return [*problems[:_PROBLEMS], f"and {len(problems) - _PROBLEMS} more"]
