"""Structured answers as rows of a table. Called where a run or a batch is shown as a DataFrame, on any thread."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Return `value` as rows for a table.

    A list is a row per element. An object with exactly one field that is a list of objects is a row per
    element of that list; its other fields are repeated on each row, as `parent.NAME` where the element has a
    field of that name. A typed object with nothing but an empty list of objects is no row, any other object
    is one row. Objects inside a row are flattened with dots (`city.name`), lists of plain values stay lists.
    A plain value is one row with the column `value`; None is no row. Dates and numbers keep their Python
    types, enums become their values, secrets their mask. A computed field that fails is None.
    """
    plain = _shallow(value)
    if plain is None:
        return []
    if isinstance(plain, list):
        return [_flat(item) if isinstance(item, dict) else {"value": item} for item in map(_shallow, plain)]
    if not isinstance(plain, dict):
        return [{"value": plain}]
    fields = {str(name): _shallow(item) for name, item in plain.items()}
    lists = [name for name, item in fields.items() if _is_list_of_objects(item)]
    if not lists and _is_empty_list_of_objects(value, fields):
        return []
    if len(lists) != 1:
        return [_flat(fields)]
    elements = [_flat(_shallow(item)) for item in fields.pop(lists[0])]
    return [_with_parent(_flat(fields), element) for element in elements]


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return an object's fields by name, as they are; None for what is no object."""
    plain = _shallow(value)
    return {str(name): item for name, item in plain.items()} if isinstance(plain, dict) else None


def plain_cell(value: Any) -> Any:
    """Return a value for a cell: sequences as lists, enums as their values, secrets as their mask, objects as they are."""
    plain = _shallow(value)
    return value if isinstance(plain, dict) else plain


def _shallow(value: Any) -> Any:
    """Return objects as dicts and sequences as lists, one level deep; other values as they are."""
    if isinstance(value, RootModel):
        return _shallow(value.root)
    if isinstance(value, BaseModel):
        names = [*type(value).model_fields, *type(value).model_computed_fields, *(value.model_extra or {})]
        return {name: _read(value, name) for name in names}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _read(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, SecretStr | SecretBytes | Secret):
        return str(value)
    return value.value if isinstance(value, enum.Enum) else value


def _read(value: Any, name: str) -> Any:
    """Return an attribute; None where the user's property, or a field that was deleted, raises."""
    try:
        return getattr(value, name)
    except Exception:  # noqa: BLE001 - the user's own class: one bad cell costs no table
        return None


def _is_list_of_objects(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(_shallow(part), dict) for part in item)


def _is_empty_list_of_objects(value: Any, fields: Mapping[str, Any]) -> bool:
    """Say whether `value` has one field only, an empty list that its class declares to hold objects."""
    if list(fields.values()) != [[]] or not (isinstance(value, BaseModel) or dataclasses.is_dataclass(value)):
        return False
    try:
        hints = typing.get_type_hints(type(value))
    except NameError:  # a class whose annotations name what is gone by now
        return False
    return any(_holds_objects(hints.get(name)) for name in fields)


def _holds_objects(hint: Any) -> bool:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is not list or len(arguments) != 1:
        return False
    element = arguments[0]
    return isinstance(element, type) and (
        issubclass(element, BaseModel) or dataclasses.is_dataclass(element) or typing.is_typeddict(element)
    )


def _flat(row: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in row.items():
        plain = _shallow(item)
        if isinstance(plain, dict) and plain:
            flat.update(_flat(plain, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = plain
    return flat


def _with_parent(parent: Mapping[str, Any], element: Mapping[str, Any]) -> dict[str, Any]:
    repeated = {(f"parent.{name}" if name in element else name): item for name, item in parent.items()}
    return {**repeated, **element}
