"""Data against schemas that came from elsewhere: nothing hangs, nothing is fetched, what does not fit is said."""

from __future__ import annotations

import time

import pytest

from nbagent.schemas import SchemaChecker, WrongSchemaError


def nested(depth: int) -> dict:
    """A schema of objects in objects."""
    schema: dict = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "data", "problems"),
    [
        ({"type": "object", "required": ["a"]}, {}, ['the value: "a" is a required property']),
        ({"properties": {"a": {"type": "integer"}}}, {"a": "x"}, ['a: "x" is not of type "integer"']),
        ({"items": {"properties": {"b": {"maximum": 1}}}}, [{"b": 1}, {"b": 2}], ["[1].b: 2 is greater than the maximum of 1"]),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "z"}, ['a: "z" is not one of "x" or "y"']),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"q": 1}, ["the value: Additional properties are not allowed ('q' was unexpected)"]),
        ({"type": "integer"}, 15511210043330985984000000, []),
        ({"format": "email"}, "none", []),
        ({"$schema": "https://nobody.example/dialect", "type": "string"}, "x", []),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}, 1, ['the value: 1 is not of type "string"']),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}}, 2, ["the value: 1 was expected"]),
    ],
)  # fmt: skip
def test_problems_have_a_place_and_say_what_is_wrong(schema, data, problems):
    """What a model is told names where and what."""
    assert SchemaChecker(schema).problems(data) == problems


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(x+x+)+y", "^([a-zA-Z0-9])+([-_.]?[a-zA-Z0-9])*$", "(.*a){25}"],
)
def test_a_pattern_takes_linear_time(pattern):
    """A regular expression that backtracks for ever elsewhere is answered at once, and enforced."""
    checker = SchemaChecker({"properties": {"x": {"pattern": pattern}}})
    assert len(checker.problems({"x": "a" * 20_000 + "!"})) in (0, 1)
    assert not checker.problems({"y": "a" * 20_000 + "!"})


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "^(?!x)", "(a)\\1", "(?<=a)b", "(", "a{1,1000}{1,1000}{1,1000}"]
)
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties"])
def test_a_pattern_that_cannot_be_linear_is_not_enforced(pattern, keyword):
    """Look-around and back-references are left out; the rest of the schema holds."""
    inner = {"pattern": pattern} if keyword == "pattern" else {"patternProperties": {pattern: False}}
    given = {"properties": {"a": inner, "n": {"type": "integer"}}, "required": ["n"]}
    checker = SchemaChecker(given)
    assert checker.problems({"a": "zzz", "n": 1}) == []
    assert checker.problems({"a": "zzz"}) == ['the value: "n" is a required property']
    assert given["properties"]["a"] == inner


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/s", "https://example.com/s", "file:///etc/passwd", "other.json"]
)
def test_no_reference_is_fetched(uri):
    """A reference to elsewhere is a problem of what is checked, and nothing is opened."""
    (problem,) = SchemaChecker({"properties": {"a": {"$ref": uri}}}).problems({"a": 1})
    assert problem.startswith("unknown reference")


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "strin"}, "strin"),
        ({"properties": 5}, "5 is not of type"),
        ({"properties": {"a": {"minimum": "x"}}}, '"x" is not of type'),
        (nested(101), "nested deeper"),
        (nested(5000), "nested"),
        ({"description": "x" * 1_000_001}, "more than 1,000,000"),
        ({"enum": [f"choice {n}" for n in range(100_000)]}, "more than 1,000,000"),
    ],
    ids=["type", "properties", "inner", "deep", "deeper", "long", "wide"],
)
def test_what_is_no_schema_is_said(schema, what):
    """A wrong one, one too deep and one too large are each an error that says so."""
    with pytest.raises(WrongSchemaError, match=what):
        SchemaChecker(schema)


def doubled(levels: int) -> dict:
    """A schema of two references to the next definition on each level: 2 to the power of `levels` checks."""
    definitions: dict = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**definitions, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def branching(depth: int) -> tuple[dict, dict]:
    """A schema that looks at each level of data twice, and such data."""
    one = {"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}}
    data: dict = {}
    for _ in range(depth):
        data = {"x": data}
    return {"$defs": {"a": {"anyOf": [one, {**one, "title": "b"}]}}, "$ref": "#/$defs/a"}, {
        "x": data | {"x": 5}
    }


@pytest.mark.parametrize(
    ("schema", "data"),
    [(doubled(12), 5), (doubled(60), 5), branching(40), ({"properties": {"x": {"$ref": "#/properties/x"}}}, {"x": 1}),
     ({"$ref": "#"}, {"x": 1})],
    ids=["some", "many", "recursive", "itself", "root"],
)  # fmt: skip
def test_a_check_that_would_never_end_is_not_made(schema, data):
    """A few lines of schema that mean more steps than anyone can wait for are left to the server."""
    began = time.process_time()
    assert isinstance(SchemaChecker(schema).problems(data), list)
    print(f"{time.process_time() - began:.3f} s")


def test_a_long_list_is_checked():
    """What is only large is checked; of many problems the first are told."""
    checker = SchemaChecker({"items": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}})
    assert checker.problems([{"a": n} for n in range(10_000)]) == []
    assert checker.problems([{"a": "x"} for _ in range(10_000)], 10) == [
        '[0].a: "x" is not of type "integer"'
    ]
    assert len(checker.problems([{"a": "x"} for _ in range(1_000)], 10)) == 10
