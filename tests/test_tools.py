"""Functions as tools: what a model is told, what it may write, and which functions are refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import functools
import json
import re
import subprocess
import sys
import types
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from nbagent.errors import ToolDefinitionError
from nbagent.tools import Tool, ToolArgumentsError, ToolOptions, parse_arguments, tool, tools_of


class Side(enum.Enum):
    buy = "b"
    sell = "s"


class Order(BaseModel):
    symbol: str
    amount: int


def price(symbol: str, day: dt.date | None = None) -> float:
    """Return a share's closing price.

    Prices are in dollars.

    Args:
        symbol: The ticker, as
            on the exchange.
        day (date): Of the close.
    """
    return 1.0


def price_numpy(symbol: str, day: dt.date | None = None) -> float:
    """Return a share's closing price.

    Parameters
    ----------
    symbol : str
        The ticker, as on the exchange.
    day
        Of the close.

    Returns
    -------
    float
    """  # noqa: D416 - NumPy's style is the case under test
    return 1.0


def price_sphinx(symbol: str, day: dt.date | None = None) -> float:
    """Return a share's closing price.

    :param symbol: The ticker, as on the exchange.
    :param day: Of the close.
    :returns: dollars
    """
    return 1.0


def everything(
    day: dt.date,
    side: Side,
    mode: Literal["fast", "slow"],
    orders: list[Order],
    pair: tuple[int, str],
    untyped,
    *,
    schema: dict[str, int],
    model_config: float = 1.5,
    _hidden: str = "h",
    note: str = None,  # type: ignore[assignment] # noqa: RUF013 - as people write it
) -> None:
    """Take everything."""


def only(source: object) -> Tool:
    """Return the one tool that a source stands for."""
    (found,) = tools_of(source)
    return found


@pytest.mark.parametrize("function", [price, price_numpy, price_sphinx], ids=lambda f: f.__name__)
def test_docstrings_of_each_style_describe_the_tool(function):
    """The text before the sections is the description; parameters are described from Google, NumPy and Sphinx sections."""
    found = only(function)
    more = "\n\nPrices are in dollars." if function is price else ""
    assert found.description == f"Return a share's closing price.{more}"
    assert found.parameters == {
        "type": "object",
        "properties": {
            "symbol": {"type": "string", "description": "The ticker, as on the exchange."},
            "day": {
                "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                "description": "Of the close.",
                "default": None,
            },
        },
        "required": ["symbol"],
        "additionalProperties": False,
    }


def test_annotations_win_over_the_docstring():
    """`Annotated` text and pydantic's Field descriptions and bounds reach the schema."""

    def buy(
        symbol: Annotated[str, "a ticker"],
        amount: Annotated[int, Field(ge=1, description="how many")],
        x: int = 3,
    ) -> None: ...

    buy.__doc__ = "\n    Args:\n        symbol: not this\n        x: this."

    found = only(buy)
    assert found.description == ""
    assert found.parameters["properties"] == {
        "symbol": {"type": "string", "description": "a ticker"},
        "amount": {"type": "integer", "minimum": 1, "description": "how many"},
        "x": {"type": "integer", "description": "this.", "default": 3},
    }


def test_arguments_arrive_in_the_types_of_the_signature():
    """Dates, enums, literals, models, tuples and parameters of any name are coerced; a default stays the function's."""
    text = json.dumps(
        {
            "day": "2026-01-02",
            "side": "s",
            "mode": "fast",
            "orders": [{"symbol": "A", "amount": "3"}],
            "pair": [1, "x"],
            "untyped": {"any": 1},
            "schema": {"a": 1},
            "note": None,
        }
    )
    assert parse_arguments(only(everything), text) == {
        "day": dt.date(2026, 1, 2),
        "side": Side.sell,
        "mode": "fast",
        "orders": [Order(symbol="A", amount=3)],
        "pair": (1, "x"),
        "untyped": {"any": 1},
        "schema": {"a": 1},
        "note": None,
    }


def test_a_default_without_a_json_form_is_left_to_the_function():
    """The schema leaves such a default out; the parameter is optional all the same."""

    def waits(x: Any = object()) -> None: ...  # noqa: B008 - the case under test

    assert only(waits).parameters["properties"] == {"x": {}}
    assert "required" not in only(waits).parameters


@pytest.mark.parametrize("text", ["", "  ", "null", "{}", None, '"{}"', '""'])
def test_no_arguments_are_an_empty_object(text):
    """Empty text and null are what models write for a tool without arguments."""
    assert parse_arguments(only(len_of_nothing), text) == {}


def len_of_nothing() -> int:
    """Return nought."""
    return 0


def test_json_in_a_json_string_is_read():
    """Some models write the JSON text as a string; it is unpacked once."""
    assert parse_arguments(only(price), json.dumps('{"symbol": "A"}')) == {"symbol": "A"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "symbol: Field required"),
        ('{"symbol": 1}', "symbol: Input should be a valid string (got 1)"),
        ('{"symbol": "A", "day": "soon"}', "day: Input should be a valid date"),
        ('{"symbol": "A", "ticker": "B"}', "ticker: not a parameter of this tool"),
        ('{"symbol": "A', "Invalid JSON"),
        ("symbol=A", "Invalid JSON"),
        ('"symbol', "Invalid JSON"),
        ("[1]", "the arguments: Input should be an object"),
        ('{"symbol": "\ud800"}', "not valid Unicode"),
    ],
)
def test_wrong_arguments_are_explained_to_the_model(text, says):
    """The message names the tool, the field and what is wrong with it."""
    with pytest.raises(ToolArgumentsError) as caught:
        parse_arguments(only(price), text)
    assert "'price'" in caught.value.what
    assert says in caught.value.what
    assert caught.value.todo


def test_a_paragraph_is_one_line():
    """A paragraph of several lines is joined, the paragraphs stay apart."""

    def wrapped() -> None: ...

    wrapped.__doc__ = "Return a\n    long story.\n\n    Only once."
    assert only(wrapped).description == "Return a long story.\n\nOnly once."


WHOLE = "Refund an order.\n\nOnly after the user has confirmed the amount. Never twice."
LISTED = "Refund an order.\n\nRules:\n- never twice\n- never above 100\n\n>>> refund('a')\n'ok'"


@pytest.mark.parametrize(
    ("documented", "told"),
    [
        (WHOLE, WHOLE),
        (f"{WHOLE}\n\nArgs:\n    order_id: the order\n        in words\n\nReturns:\n    what came of it", WHOLE),
        ("Refund an order.\n\nArgs:\n    order_id: the order\n\nOnly after the user has\nconfirmed the amount. Never twice.", WHOLE),
        (f"{WHOLE}\n\nParameters\n----------\norder_id : str\n    the order\n\nReturns\n-------\nstr", WHOLE),
        (f"{WHOLE}\n\n:param order_id: the order\n    in words\n:type order_id: str\n:returns: what came\n:raises KeyError: no such", WHOLE),
        ("Refund an order.\n\n:param order_id: the order\n\nOnly after the user has confirmed the amount. Never twice.", WHOLE),
        (f"{WHOLE}\n\n@param order_id: the order\n@return: what came of it", WHOLE),
        (f"{WHOLE}\n\nReturns: what came of it\n\nRaises:\n    KeyError: no such order", WHOLE),
        (LISTED, LISTED),
        (f"{LISTED}\n\nYields:\n    words", LISTED),
        (
            "Refund.\n\nParameters\n----------\norder_id : str\n    the order\n\nNotes\n-----\nNever twice.",
            "Refund.\n\nNotes\n-----\nNever twice.",
        ),
        (
            "Refund.\n\nArgs:\n    order_id: the order\n\nExample:\n    refund('a')",
            "Refund.\n\nExample:\n    refund('a')",
        ),
        ("Args:\n    order_id: the order", ""),
        (":param order_id: the order", ""),
        ("", ""),
        ("Rückerstattung: nur einmal.", "Rückerstattung: nur einmal."),
        ("Returns the weather in\na city.\n\nRaises no error.", "Returns the weather in a city.\n\nRaises no error."),
    ],
)  # fmt: skip
def test_the_whole_docstring_is_told_but_what_the_schema_says(documented, told):
    """Each paragraph reaches the model, in every style; parameters, returns and raises do not stand there again."""

    def refund(order_id: str) -> str:
        return order_id

    refund.__doc__ = documented
    found = only(refund)
    assert found.description == told
    described = found.parameters["properties"]["order_id"].get("description", "")
    assert described.startswith("the order") or "the order" not in documented


def test_many_problems_are_counted():
    """A model is told the first ten problems and how many more there are."""

    def many(numbers: list[int]) -> None: ...

    with pytest.raises(ToolArgumentsError, match="and 5 more"):
        parse_arguments(only(many), json.dumps({"numbers": ["x"] * 15}))


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_parsed_or_refused(text):
    """Whatever a model writes, it is arguments or a ToolArgumentsError."""
    with contextlib.suppress(ToolArgumentsError):
        assert isinstance(parse_arguments(only(price), text), dict)


@given(st.text(min_size=1), st.dates() | st.none())
def test_arguments_come_back_from_their_json(symbol, day):
    """What a model writes as JSON is what the function gets."""
    text = json.dumps({"symbol": symbol, "day": day.isoformat() if day else None})
    assert parse_arguments(only(price), text) == {"symbol": symbol, "day": day}


def test_a_tool_without_a_signature_takes_plain_data():
    """A tool that a server describes has no validator: its arguments stay JSON data, an object all the same."""
    remote = Tool(name="far", description="", parameters={"type": "object"}, function=dict)
    assert parse_arguments(remote, '{"a": [1]}') == {"a": [1]}
    for text in ("[1]", "{"):
        with pytest.raises(ToolArgumentsError):
            parse_arguments(remote, text)


def test_the_decorator_leaves_the_function_and_keeps_its_options():
    """`@tool` with and without options gives the plain function back; the options are on the tool."""

    @tool
    def one(x: int) -> int:
        return x + 1

    @tool(name="zwei", timeout=5, retries=2, idempotent=True, requires_approval=True)
    async def two(x: int) -> int:
        return x

    @tool(main_thread=True)
    def three() -> None: ...

    assert one(1) == 2
    assert isinstance(one, types.FunctionType)
    assert only(one).options == ToolOptions()
    assert not only(one).is_async
    found = only(two)
    assert (found.name, found.is_async) == ("zwei", True)
    assert found.options == ToolOptions(timeout_s=5.0, retries=2, idempotent=True, requires_approval=True)
    assert only(three).options.main_thread
    assert only(functools.partial(two, x=1)).options == found.options


class Base:
    unit = "dollars"

    def shared(self) -> str:
        """Be in the base."""
        return self.unit


class Toolkit(Base):
    def first(self, x: int) -> int:
        """Be first."""
        return x

    @staticmethod
    def second(y: str) -> str:
        """Be second."""
        return y

    @classmethod
    def third(cls) -> str:
        """Be third."""
        return cls.unit

    @property
    def trap(self) -> str:
        raise AssertionError("a property was touched")

    def _private(self) -> None: ...

    Inner = Base


class Marked:
    @tool(retries=1)
    def offered(self, x: int) -> int:
        """Be offered."""
        return x

    def internal(self, *args: object) -> None: ...


def test_an_objects_public_methods_are_tools():
    """Methods are tools, base class first, bound to their object; properties are never touched."""
    found = tools_of(Toolkit())
    assert [each.name for each in found] == ["shared", "first", "second", "third"]
    assert found[0].function() == "dollars"
    assert found[1].function(**parse_arguments(found[1], '{"x": 3}')) == 3
    assert "self" not in found[1].parameters["properties"]


def test_marked_methods_hide_the_others():
    """Where a method has `@tool`, only marked methods are tools, and they still work as methods."""
    found = only(Marked())
    assert (found.name, found.options.retries) == ("offered", 1)
    assert found.function(x=2) == Marked().offered(2) == 2


def test_sources_nest_and_the_same_function_counts_once():
    """None, sequences and Tools are sources too; a function given twice is one tool."""
    made = only(price)
    kit = Toolkit()
    names = [each.name for each in tools_of([price, (made, None), kit, [kit.first]])]
    assert names == ["price", "shared", "first", "second", "third"]
    assert tools_of(None) == tools_of([]) == ()


def test_a_partial_hides_what_it_gives():
    """Parameters that a partial fills in are not the model's, whatever their type."""

    def query(text: str, connection: types.ModuleType) -> str:
        """Ask the database."""
        return f"{text}{connection.__name__}"

    found = only(functools.partial(query, connection=sys))
    assert (found.name, found.description) == ("query", "Ask the database.")
    assert list(found.parameters["properties"]) == ["text"]
    assert found.function(text="x") == "xsys"


def takes_any(*args: object) -> None: ...
def takes_keys(**options: object) -> None: ...
def by_position(x: int, /) -> None: ...
def größe() -> None: ...  # noqa: PLC2401 - the case under test
def takes_module(where: types.ModuleType) -> None: ...
def misspelt(x: "list[") -> None: ...  # noqa: F722 - the case under test
def unresolved(x: Undefined) -> None: ...  # type: ignore[name-defined] # noqa: F821 - the case under test
def other_price() -> None: ...


other_price.__name__ = "price"


@pytest.mark.parametrize(
    ("source", "what", "todo"),
    [
        (lambda x: x, "lambda", "def"),
        (takes_any, "*args", "by name"),
        (takes_keys, "**options", "by name"),
        (by_position, "x of tests.test_tools.by_position can only be given by position", "by name"),
        (größe, "'größe' is no name", "@tool(name="),
        (takes_module, "takes_module cannot be told to a model", "types that JSON can carry"),
        (unresolved, "name 'Undefined' is not defined", "run the cell"),
        (misspelt, "a type of 'misspelt' cannot be read", "correct"),
        (max, "'max' has no signature", "def"),
        (len, "by position", "by name"),
        (Toolkit, "'Toolkit' is a class", "Toolkit(...)"),
        (Toolkit.first, "Toolkit.first is a method without its object", "thing.first"),
        ("price", "'price' is no tool", "function"),
        (3, "3 is no tool", "function"),
        ({"a": price}, "is no tool", "function"),
        ([price, other_price], "two tools are named 'price'", "@tool(name="),
    ],
    ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", str(value)),  # the same in each process of a session
)
def test_what_a_model_could_not_call_is_refused(source, what, todo):
    """Each refusal names the function and the reason, and says what to write instead."""
    with pytest.raises(ToolDefinitionError) as caught:
        tools_of(source)
    assert what.replace("tests.test_tools", __name__) in caught.value.what
    assert todo in caught.value.todo


def test_a_duplicate_names_both_places():
    """Two functions of one name are told apart by where they are defined."""

    def price() -> None: ...

    with pytest.raises(ToolDefinitionError) as caught:
        tools_of([globals()["price"], price])
    assert f"{__name__}.price and {__name__}.test_a_duplicate" in caught.value.what


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"timeout": "5"}, {"timeout": True}, {"timeout": float("nan")}, {"retries": -1}, {"retries": 1.5},
     {"name": ""}, {"name": "my tool"}, {"name": "x" * 65}],
    ids=str,
)  # fmt: skip
def test_options_without_a_meaning_are_refused(options):
    """A bad option is an error where it is written, with its value."""
    with pytest.raises(ToolDefinitionError, match="@tool"):
        tool(**options)


def test_the_decorator_refuses_at_once():
    """What no model could call fails at `@tool`, not when an agent is built."""
    with pytest.raises(ToolDefinitionError, match="3 is no function"):
        tool(3)  # type: ignore[type-var]
    for wrong in (takes_any, print, Toolkit().first, async_on_main):
        with pytest.raises(ToolDefinitionError):
            tool(main_thread=True)(wrong)  # type: ignore[type-var]


async def async_on_main() -> None: ...


def test_postponed_annotations_of_a_notebook_resolve():
    """Names from `__main__` resolve in a cell that postpones annotations, also ones defined after the function."""
    cell = (
        "from __future__ import annotations\n"
        "from nbagent.tools import tool, tools_of, parse_arguments\n"
        "@tool\n"
        "def place(order: Order, when: dt.date): 'Place it.'\n"
        "import datetime as dt\n"
        "from pydantic import BaseModel\n"
        "class Order(BaseModel):\n"
        "    amount: int\n"
        "(t,) = tools_of(place)\n"
        'a = parse_arguments(t, \'{"order": {"amount": 1}, "when": "2026-01-02"}\')\n'
        "print(a['order'] == Order(amount=1), a['when'] == dt.date(2026, 1, 2))\n"
    )
    done = subprocess.run([sys.executable, "-c", cell], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def compiled(body: str) -> Tool:
    """Return the tool of a function that has bytecode and no source."""
    space: dict[str, Any] = {}
    exec(compile(f"def f(x: int = 1):\n    return {body}", "<nowhere>", "exec"), space)  # noqa: S102 - no file, on purpose
    return only(space["f"])


def test_the_fingerprint_follows_the_code():
    """The same code has the same fingerprint, another body another; with source and without."""
    assert only(price).fingerprint == only(price).fingerprint
    assert only(price).fingerprint != only(price_numpy).fingerprint
    assert compiled("x + 1").fingerprint == compiled("x + 1").fingerprint
    assert compiled("x + 1").fingerprint != compiled("x + 2").fingerprint
    assert compiled("(lambda y: y)(x)").fingerprint == compiled("(lambda y: y)(x)").fingerprint
