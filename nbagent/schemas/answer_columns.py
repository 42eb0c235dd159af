"""The columns of a schema's answers: their names and types follow from the schema alone, whatever was answered.

Called where a run or a batch is shown as a DataFrame, on any thread. An object's fields are columns, those of
an object inside it too (`city.name`); a list is one column, or its elements are rows of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.schemas.rows import fields_of, plain_cell

if TYPE_CHECKING:
    from nbagent.schemas.output_schema import OutputSchema

Explode = bool | str | None
_SCALARS = {"integer": "Int64", "number": "Float64", "boolean": "boolean", "string": "string"}
_MOMENTS = {
    "date-time": "datetime64[us, UTC]",
    "naive-date-time": "datetime64[us]",
    "duration": "timedelta64[us]",
}
_INSIDE = ""  # among the references that led to a place: a step into a field or element
_TEXTS = {"", "email", "idn-email"}  # strings of other formats are objects: a UUID, a URL, a date


@dataclass(frozen=True, slots=True)
class Shape:
    """What a place in a schema holds: the `fields` of an object, the `items` of a list, or a plain value of `dtype`."""

    dtype: str = "object"
    fields: Mapping[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    is_open: bool = False  # it may have fields that the schema does not name


@dataclass(frozen=True, slots=True)
class Column:
    """A column: where its values are in an answer, or in an element of the list that is taken apart."""

    name: str
    dtype: str
    path: tuple[str, ...] = ()
    of_element: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a schema's answers. `exploded` is the way to the list whose elements are rows; None for none."""

    columns: tuple[Column, ...]
    exploded: tuple[str, ...] | None = None
    is_open: bool = False
    alone: str = "value"  # the name of the column of an answer that is no object

    @property
    def is_whole(self) -> bool:
        """True where the schema says nothing of the fields that an answer, or each of its elements, may have."""
        return [(one.path, one.dtype) for one in self.columns] == [((), "object")]

    def rows_of(self, value: Any, *, of_nothing: bool) -> list[list[Any]]:
        """Return an answer's rows; a list without elements is one row without them if `of_nothing`, or beside others."""
        if self.exploded is None:
            return [[_found(value, column.path) for column in self.columns]]
        found = _found(value, self.exploded)
        elements = list(found) if isinstance(found, list) else []
        beside = any(not column.of_element for column in self.columns)
        if not elements and (of_nothing or beside):
            elements = [None]
        return [
            [_found(one if column.of_element else value, column.path) for column in self.columns]
            for one in elements
        ]

    def more_of(self, value: Any) -> dict[str, Any]:
        """Return what of an answer no column has: fields that an open schema does not name, or a value that is no object.

        The latter is what a validator of the user made of an object.
        """
        if (found := fields_of(value)) is None:
            of_fields = all(column.path and not column.of_element for column in self.columns)
            return {self.alone: plain_cell(value)} if of_fields and value is not None else {}
        if not self.is_open:
            return {}
        named = {column.path[0] for column in self.columns if column.path and not column.of_element}
        return {name: one for name, one in found.items() if name not in named}


def layout_of(schema: OutputSchema, *, explode: Explode, alone: str) -> Layout:
    """Return the columns of a schema's answers; `alone` names that of an answer that is no object.

    `explode` makes a row of each element of a list: None of the one list of objects, True of the one list
    there is, a name of that field, False of none. Raises UnknownOptionError for a name that is no list's.
    """
    shape = _shape_of_schema(schema)
    lists = {name: way for name, way, one in _lists_in(shape, alone)}
    way = _exploded(shape, explode, lists)
    columns = list(_columns_of(shape, alone, without=way))
    if way is not None:
        items = _at(shape, way).items or Shape()
        name = next(name for name, one in lists.items() if one == way)
        inner = [Column(one.name, one.dtype, one.path, True) for one in _columns_of(items, name)]
        taken = {one.name for one in inner}
        columns = [
            Column(f"parent.{one.name}" if one.name in taken else one.name, one.dtype, one.path)
            for one in columns
        ]
        columns += inner
    is_open = shape.is_open and bool(shape.fields)
    return Layout(tuple(_unique_columns(columns)), way, is_open, alone)


def _exploded(shape: Shape, explode: Explode, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    if explode is False:
        return None
    if isinstance(explode, str):
        if explode not in lists:
            raise UnknownOptionError(
                f"explode is {explode!r}, and no list of the schema has that name{did_you_mean(explode, lists)}",
                f"give one of {', '.join(map(repr, lists))}"
                if lists
                else "leave it out: the schema has no list",
            )
        return lists[explode]
    near = [way for way in lists.values() if len(way) <= 1]
    of_objects = [way for way in near if way == () or (_at(shape, way).items or Shape()).fields]
    if len(of_objects) == 1:
        return of_objects[0]
    return near[0] if explode and len(near) == 1 else None


def _lists_in(shape: Shape, alone: str) -> Iterator[tuple[str, tuple[str, ...], Shape]]:
    """Yield the lists that a shape holds outside of other lists: the column's name, the way there, the list."""
    if shape.items is not None:
        yield alone, (), shape
    for name, one in shape.fields.items():
        for _, way, found in _lists_in(one, name):
            whole = (name, *way)
            yield ".".join(whole), whole, found


def _at(shape: Shape, way: Sequence[str]) -> Shape:
    for name in way:
        shape = shape.fields[name]
    return shape


def _columns_of(shape: Shape, alone: str, *, without: tuple[str, ...] | None = None) -> Iterator[Column]:
    """Yield the columns of a shape, but that of the list at `without`."""

    def within(one: Shape, way: tuple[str, ...]) -> Iterator[Column]:
        if way == without:
            return
        if not one.fields:
            yield Column(".".join(way) or alone, one.dtype, way)
        for name, inner in one.fields.items():
            yield from within(inner, (*way, name))

    yield from within(shape, ())


def _unique_columns(columns: Sequence[Column]) -> Iterator[Column]:
    """Yield the columns under names that differ: a field may be named as another one inside an object is."""
    taken: set[str] = set()
    for column in columns:
        name, number = column.name, 1
        while name in taken:
            number += 1
            name = f"{column.name}.{number}"
        taken.add(name)
        yield Column(name, column.dtype, column.path, column.of_element)


def _found(value: Any, path: Sequence[str]) -> Any:
    """Return what is at a path of an answer, in the form for a cell; None where nothing is."""
    for name in path:
        fields = fields_of(value)
        if fields is None:
            return None
        value = fields.get(name)
    return plain_cell(value)


# ----------------------------------------------------------------------- from a schema


class _ColumnSchema(GenerateJsonSchema):
    """Says what values a typed answer has: fields by their Python names, computed ones too, whatever is serialized."""

    def ser_schema(self, schema: Any) -> Any:  # noqa: ARG002 - the signature is pydantic's
        return None

    def field_is_present(self, field: Any) -> bool:  # noqa: ARG002 - the same
        return True

    def decimal_schema(self, schema: Any) -> Any:  # noqa: ARG002 - the same
        return {"type": "string", "format": "decimal"}

    def datetime_schema(self, schema: Any) -> Any:
        naive = schema.get("tz_constraint") == "naive"
        return {"type": "string", "format": "naive-date-time" if naive else "date-time"}


def _shape_of_schema(schema: OutputSchema) -> Shape:
    if isinstance(schema.adapter, TypeAdapter):
        try:
            root = schema.adapter.json_schema(
                by_alias=False, mode="serialization", schema_generator=_ColumnSchema
            )
        except (
            PydanticInvalidForJsonSchema
        ):  # of a computed field: it has no say in what a model is asked for
            root = dict(schema.json_schema)
        return _shape_of(root, _Root(root, typed=True), ())
    root = dict(schema.json_schema)
    inner = root["properties"][schema.wrapper] if schema.wrapper else root
    return _shape_of(inner, _Root(root, typed=False), ())


@dataclass(frozen=True, slots=True)
class _Root:
    """The whole schema, for its definitions. `typed`: strings of some formats are objects of Python's."""

    schema: Mapping[str, Any]
    typed: bool

    def at(self, reference: str) -> Any:
        """Return what a reference leads to, an empty schema for one that leads nowhere."""
        found: Any = self.schema
        for step in reference.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, Mapping):
                found = found.get(key, {})
            else:
                return {}
        return found


def _shape_of(node: Any, root: _Root, above: tuple[str, ...]) -> Shape:
    """Return the shape of a place; a schema that refers to itself is whole where it does."""
    forms = list(_forms(node, root, above))
    kinds = {_kind(form) for form, _ in forms}
    if kinds == {"object"} and all(
        _names_its_fields(form, is_root=_INSIDE not in above) for form, _ in forms
    ):
        names = dict.fromkeys(name for form, _ in forms for name in form["properties"])
        fields = {}
        for name in names:
            several = [(form["properties"][name], way) for form, way in forms if name in form["properties"]]
            fields[name] = _merged([_shape_of(one, root, (*way, _INSIDE)) for one, way in several])
        return Shape(fields=fields, is_open=any(_is_open(form) for form, _ in forms))
    if kinds == {"array"}:
        inner = [_shape_of(form.get("items", {}), root, (*way, _INSIDE)) for form, way in forms]
        return Shape(items=_merged(inner))
    dtypes = {_dtype(form, root) for form, _ in forms}
    if dtypes == {"Int64", "Float64"}:
        return Shape("Float64")
    return Shape(dtypes.pop()) if len(dtypes) == 1 else Shape()


def _merged(shapes: Sequence[Shape]) -> Shape:
    """Return the one shape of a field that several alternatives have; whole, where they differ."""
    return shapes[0] if all(one == shapes[0] for one in shapes) else Shape()


def _forms(
    node: Any, root: _Root, above: tuple[str, ...]
) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """Yield the alternatives that a place has beside null, each with the references that led there."""
    if not isinstance(node, Mapping):
        yield {}, above
        return
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference in above:
            yield {}, above
        else:
            yield from _forms(root.at(reference), root, (*above, reference))
        return
    several = node.get("anyOf") or node.get("oneOf")
    whole = node.get("allOf")
    if several is None and isinstance(whole, list) and len(whole) == 1 and "properties" not in node:
        several = whole
    if isinstance(several, list) and "properties" not in node:
        for one in several:
            yield from _forms(one, root, above)
    elif isinstance(node.get("type"), list):
        for kind in node["type"]:
            yield from _forms({**node, "type": kind}, root, above)
    elif _kind(node) != "null":
        yield node, above


def _kind(form: Mapping[str, Any]) -> str:
    if "const" in form and form["const"] is None:
        return "null"
    if "properties" in form and "type" not in form:
        return "object"
    return str(form.get("type", ""))


def _names_its_fields(form: Mapping[str, Any], *, is_root: bool) -> bool:
    return bool(form.get("properties")) and (is_root or not _is_open(form))


def _is_open(form: Mapping[str, Any]) -> bool:
    return form.get("additionalProperties") not in (None, False)


def _dtype(form: Mapping[str, Any], root: _Root) -> str:
    values = form.get("enum", [form["const"]] if "const" in form else None)
    if isinstance(values, list):
        kinds = {type(one) for one in values if one is not None}
        if kinds == {int, float}:
            return "Float64"
        names = {bool: "boolean", int: "Int64", float: "Float64", str: "string"}
        return names.get(kinds.pop(), "object") if len(kinds) == 1 else "object"
    kind, form_of_text = _kind(form), str(form.get("format", ""))
    if kind == "string" and root.typed and form_of_text not in _TEXTS:
        return _MOMENTS.get(form_of_text, "object")
    return _SCALARS.get(kind, "object")
