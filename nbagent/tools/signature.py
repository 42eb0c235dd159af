"""A function's signature and docstring as the JSON Schema of its arguments. Called by `definition.py`.

pydantic makes the schema and the validator from the type hints; `docstring.py` gives the descriptions.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, NotRequired

import pydantic_core
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict

from nbagent.errors import ToolDefinitionError
from nbagent.prompts import json_schema_of
from nbagent.tools.docstring import parameter_texts


def parameters_of(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    """Return the parameters that a model gives, without those that a partial gives already."""
    bound = function.keywords if isinstance(function, functools.partial) else {}
    try:
        parameters = [
            found for found in inspect.signature(function).parameters.values() if found.name not in bound
        ]
    except (ValueError, TypeError):
        raise ToolDefinitionError(
            f"{name!r} has no signature that Python can read", "wrap it in a def with typed parameters"
        ) from None
    return parameters


def signature_schema(
    function: Callable[..., Any], name: str, documented: str
) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    """Return the validator of a call's arguments, and their JSON Schema.

    A TypedDict holds the arguments: its keys may have any name, and a parameter that was not given stays
    absent, so that the function's own default applies.
    """
    hints = _hints(function, name)
    fields: dict[str, Any] = {}
    defaults: dict[str, object] = {}
    for parameter in parameters_of(function, name):
        annotation = hints.get(parameter.name, Any)
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
            if parameter.default is None:  # models write null for what they leave out
                annotation = typing.Optional[annotation]  # noqa: UP045 - `| None` fails on strings inside
            annotation = NotRequired[annotation]
        fields[parameter.name] = annotation
    make: Any = TypedDict  # made at run time, as its fields are
    shape = make(name, fields)
    shape.__pydantic_config__ = ConfigDict(extra="forbid")
    try:
        validator: TypeAdapter[Any] = TypeAdapter(shape)
        schema = json_schema_of(validator)
    except (PydanticUserError, pydantic_core.SchemaError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ToolDefinitionError(
            f"the parameters of {definition_site(function)} cannot be told to a model: {reason}",
            "use types that JSON can carry: str, int, float, bool, list, dict, date, Enum, Literal, pydantic models",
        ) from None
    schema.pop("title", None)
    _describe(schema, documented, hints, defaults)
    return validator, schema


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    plain = inner_function(function)
    try:
        return typing.get_type_hints(plain, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"{name!r} has a type that is not defined: {error}",
            "run the cell that defines it at top level, then build the agent again",
        ) from None
    except (TypeError, SyntaxError) as error:
        raise ToolDefinitionError(
            f"a type of {name!r} cannot be read: {error}", "correct the annotation"
        ) from None


def _describe(
    schema: dict[str, Any], documented: str, hints: Mapping[str, Any], defaults: Mapping[str, object]
) -> None:
    """Add each parameter's description and default to the schema of the arguments."""
    texts = parameter_texts(documented)
    schema.setdefault("properties", {})
    for name, entry in schema["properties"].items():
        note = _annotated_text(hints.get(name)) or texts.get(name)
        if note:
            entry.setdefault("description", note)
        if name in defaults:
            # the function applies its default in any case; the model sees it where JSON can carry it
            with contextlib.suppress(ValueError, TypeError):
                entry.setdefault("default", pydantic_core.to_jsonable_python(defaults[name]))


def _annotated_text(hint: object) -> str | None:
    """Return the text in `Annotated[X, "text"]`."""
    return next((item for item in getattr(hint, "__metadata__", ()) if isinstance(item, str)), None)


def inner_function(function: object) -> Any:
    """Return what a partial or bound method is made of."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__func__", function)


def definition_site(function: object) -> str:
    """Return where `function` is defined, as `module.name`."""
    plain = inner_function(function)
    return f"{getattr(plain, '__module__', None)}.{getattr(plain, '__qualname__', repr(plain))}"


def source_of(function: Callable[..., Any]) -> str:
    """Return the source of `function`, else its bytecode, as text that is the same in every process."""
    plain = inspect.unwrap(inner_function(function))
    try:
        return inspect.getsource(plain)
    except (OSError, TypeError):
        code = getattr(plain, "__code__", None)
        return _code_text(code) if code is not None else definition_site(function)


def _code_text(code: Any) -> str:
    """Return bytecode and constants as text without any memory address."""
    constants = [_code_text(item) if inspect.iscode(item) else repr(item) for item in code.co_consts]
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, constants))
