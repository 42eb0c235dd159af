"""Data against a JSON Schema: a user's, or one that a server sent. Pure; any thread.

A schema from elsewhere must not be able to hold the process up or reach the network: patterns are matched in
linear time, or, where that is not possible (look-around, back-references), not enforced; no reference is ever
fetched; what would take too many steps is not checked at all. `jsonschema_rs` does the work and is imported
here alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from nbagent.schemas.extract_json import OutputProblem

SCHEMA_BYTES = 1_000_000
SCHEMA_DEPTH = 100
_STEPS = 50_000  # of a check; a tenth of a millisecond each thousand
_STEPS_LISTED = 5_000  # of a check whose problems are all told; each costs as much as a hundred steps
_PATTERNS_REFUSED = 100
_PATTERN_BYTES = 1_000_000
_DIALECTS = ("draft-04", "draft-06", "draft-07", "2019-09", "2020-12")
_SAME_PLACE = ("allOf", "anyOf", "oneOf")
_SAME_PLACE_ONE = ("not", "if", "then", "else")
_DEEPER = (
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "unevaluatedItems",
    "contains",
)


class WrongSchemaError(ValueError):
    """A schema that is none; `place` is where in it, as `$.properties.x`, and the text what is wrong."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(what)
        self.place = place


class SchemaChecker:
    """A schema, compiled once. Raises WrongSchemaError for what is no schema, or is too large or too deep to be one.

    A reference that leads out of the schema is a problem of whatever is checked with it.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        _check_size(schema)
        self._schema = _plain(schema)
        self._unknown_reference = ""
        self._validator: Any = None
        self._compile()

    def problems(self, data: Any, most: int | None = None) -> list[str]:
        """Return what of `data` does not fit, each with its place; `most` bounds how many."""
        if self._unknown_reference:
            return [self._unknown_reference]
        steps = sum(1 for _ in itertools.islice(_steps(self._schema, self._schema, data), _STEPS + 1))
        if self._validator is None or steps > _STEPS:
            return []
        try:
            if self._validator.is_valid(data):
                return []
            if steps > _STEPS_LISTED:
                self._validator.validate(data)
            errors = sorted(self._validator.iter_errors(data), key=lambda one: str(_place(one.instance_path)))
        except ValueError as error:  # of `validate`, with the first problem; or text that is no Unicode
            errors = [error]
        return [_problem(error) for error in errors[:most]]

    def _compile(self) -> None:
        """Compile, leaving out one pattern after the other that cannot be matched in linear time."""
        import jsonschema_rs

        for _ in range(_PATTERNS_REFUSED):
            try:
                self._validator = jsonschema_rs.validator_for(
                    self._schema,
                    pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES),
                    retriever=_refuse,
                    validate_formats=False,
                )
            except jsonschema_rs.ValidationError as error:
                if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Referencing):
                    self._unknown_reference = f"unknown reference in the schema: {error.message:.200}"
                    return
                if not _without_pattern(self._schema, error):
                    raise WrongSchemaError("$" + _place(error.instance_path), error.message) from None
            except ValueError as error:
                raise WrongSchemaError("$", str(error)) from None
            else:
                return


def _check_size(schema: Mapping[str, Any]) -> None:
    from nbagent.core import dump_json

    try:
        size = len(dump_json(schema, default=None))
    except (ValueError, TypeError) as error:
        raise WrongSchemaError("$", str(error)) from None
    if size > SCHEMA_BYTES:
        raise WrongSchemaError("$", f"it has {size:,} bytes, more than {SCHEMA_BYTES:,}")
    level: list[Any] = [schema]
    depth = 0
    while level:
        depth += 1
        if depth > SCHEMA_DEPTH:
            raise WrongSchemaError("$", f"it is nested deeper than {SCHEMA_DEPTH} levels")
        inner = [item for node in level for item in (node.values() if isinstance(node, Mapping) else node)]
        level = [item for item in inner if isinstance(item, Mapping | list | tuple)]


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that patterns can be taken out of, without a dialect that nobody knows."""
    from nbagent.core import dump_json, load_json

    copy: dict[str, Any] = load_json(dump_json(schema))
    if not any(name in str(copy.get("$schema")) for name in _DIALECTS):
        copy.pop("$schema", None)
    return copy


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")


def _without_pattern(schema: Any, error: Any) -> bool:
    """Take the pattern that the compiler refused out of the schema; False where it refused something else."""
    *path, last = error.instance_path or [None]
    node = schema
    try:
        for step in path:
            node = node[step]
        if last == "pattern" or (path and path[-1] == "patternProperties"):
            return isinstance(node, dict) and node.pop(last, None) is not None
    except (KeyError, IndexError, TypeError):
        return False
    return False


def _steps(schema: Any, root: Any, data: Any) -> Iterator[None]:
    """Yield once for each pair of a part of the schema and a part of the data that a check may look at."""
    waiting = [(schema, data)]
    while waiting:
        node, value = waiting.pop()
        yield
        if not isinstance(node, dict):
            continue
        if isinstance(reference := node.get("$ref"), str) and reference.startswith("#"):
            waiting.append((_at(root, reference), value))
        for name in _SAME_PLACE:
            waiting += [(one, value) for one in _listed(node.get(name))]
        waiting += [(node[name], value) for name in _SAME_PLACE_ONE if name in node]
        if isinstance(value, dict):
            waiting += _of_object(node, value)
        elif isinstance(value, list):
            prefix = _listed(node.get("prefixItems"))
            waiting += zip(prefix, value, strict=False)
            waiting += [(node[name], item) for name in _DEEPER if name in node for item in value]


def _of_object(node: dict[str, Any], value: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    named = node.get("properties")
    if isinstance(named, dict):
        yield from ((named[name], value[name]) for name in named.keys() & value.keys())
    for keyword in ("patternProperties", "dependentSchemas", "dependencies"):
        found = node.get(keyword)
        for one in found.values() if isinstance(found, dict) else ():
            if keyword == "patternProperties":
                yield from ((one, item) for item in value.values())
            else:
                yield one, value
    yield from ((node[name], item) for name in _DEEPER if name in node for item in value.values())


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _at(root: Any, reference: str) -> Any:
    """Return what a reference inside of the schema leads to, None where it leads nowhere."""
    node = root
    for step in reference.lstrip("#").strip("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif key:
            return None
    return node


def _place(path: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _problem(error: Any) -> OutputProblem:
    kind = getattr(getattr(error, "kind", None), "name", None) or "invalid"
    return OutputProblem.at(
        f"{_place_text(error)}: {_problem_text(error):.300}", getattr(error, "instance_path", []), str(kind)
    )


def _place_text(error: Any) -> str:
    return _place(getattr(error, "instance_path", [])).lstrip(".") or "the value"


def _problem_text(error: Any) -> str:
    return str(getattr(error, "message", error))
