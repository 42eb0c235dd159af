"""A magic's line as a person writes it: comments, lines that go on, names in any script; nothing is expanded in it."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from nbagent import settings
from nbagent.errors import UnknownOptionError
from nbagent.magics.parsers import AGENT_BG, agent_line, without_comment
from tests.magics.shell import loaded_shell
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.reference.wire_formats import WIRES


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("-o x  # the first", "-o x  "),
        ("# all of it", ""),
        ("-o x # don't", "-o x "),
        ("-i 'Answer #1' -o x", "-i 'Answer #1' -o x"),
        ('-i "say \\" # no" # yes', '-i "say \\" # no" '),
        ("--session team#1", "--session team#1"),
        ("-i it\\'s # one", "-i it\\'s "),
        ("", ""),
    ],
)
def test_a_comment_begins_at_a_word_outside_quotes(line: str, left: str) -> None:
    """As in Python and in shells."""
    assert without_comment(line) == left


@pytest.mark.parametrize(
    ("line", "cell", "given", "body"),
    [
        ("-o x \\", "   --schema City\nWhat?\n", {"output": "x", "schema": "City"}, "What?\n"),
        ("-o x \\", "-q \\\n--schema City # both\nWhat?", {"quiet": True, "schema": "City"}, "What?"),
        (
            '-i "Be brief \\',
            'and kind" -o x\nWhat?',
            {"instructions": "Be brief and kind", "output": "x"},
            "What?",
        ),
        ("-o x # a comment \\", "What?", {"output": "x"}, "What?"),
        ("-i C:\\\\", "What?", {"instructions": "C:\\"}, "What?"),
        ("-o x", "a line that ends so \\\nWhat?", {"output": "x"}, "a line that ends so \\\nWhat?"),
    ],
)
def test_a_backslash_takes_the_next_line_in(
    line: str, cell: str, given: dict[str, object], body: str
) -> None:
    """IPython hands the rest of a cell magic's line over with the body."""
    options, left = AGENT_BG.parse_cell(line, cell)
    assert {name: getattr(options, name) for name in given} == given
    assert left == body


def test_a_line_magic_goes_on_too() -> None:
    """Also where it is called with both lines, and with a comment."""
    verb, options = agent_line("wait a \\\n b --timeout 3 # both")
    assert (verb, options.runs, options.timeout) == ("wait", ["a", "b"], 3.0)
    assert agent_line("# all runs")[0] == "panel"
    assert agent_line("sql select #1 from runs # newest")[1] == "select #1 from runs"
    assert agent_line("sql select '# 1'") == ("sql", "select '# 1'")


@pytest.mark.parametrize("name", ["größe", "答え", "cafe\u0301", "ﬁ", "match", "_", "x1"])
def test_any_identifier_names_the_output(name: str) -> None:
    """In the form that Python reads it in, so that the next cell finds it."""
    (read,) = compile(name, "", "eval").co_names
    assert AGENT_BG.parse(f"-o {name}").output == read


@pytest.mark.parametrize("name", ["class", "None", "await", "1x", "a-b", "a.b", "a[0]", "print"])
def test_what_is_no_name_is_refused_in_two_lines(name: str) -> None:
    """Keywords and names of Python's own as well."""
    with pytest.raises(UnknownOptionError) as caught:
        AGENT_BG.parse(f"-o {name}")
    assert len(str(caught.value).splitlines()) == 2
    assert repr(name) in str(caught.value)


CALLS = {
    "argument": "def ask(topic):\n    magic('about {{ topic }}')\nask('LOCAL')",
    "local": "def ask():\n    topic = 'LOCAL'\n    magic('about {{ topic }}')\nask()",
    "closure": "def make():\n    topic = 'LOCAL'\n    def ask():\n        magic('about {{ topic }}', topic)\n    ask()\nmake()",
    "method": "class A:\n    def ask(self, topic):\n        magic('about {{ topic }}')\nA().ask('LOCAL')",
    "comprehension": "[magic('about {{ topic }}') for topic in ['LOCAL']]",
    "in a function": "def ask():\n    topic = 'LOCAL'\n    return [magic('about {{ topic }}') for _ in [1]]\nask()",
    "coroutine": "async def ask(topic):\n    magic('about {{ topic }}')\nimport asyncio\nasyncio.run(ask('LOCAL'))",
    "global": "topic = 'LOCAL'\nmagic('about {{ topic }}')",
}


@pytest.mark.parametrize("code", CALLS.values(), ids=CALLS)
def test_a_magic_sees_what_its_caller_sees(provider: ScriptedProvider, code: str) -> None:
    """The variables of the function that it is called in come before the notebook's."""
    provider.reply(text_reply("ok"))
    with loaded_shell() as shell:
        shell.user_ns.update(topic="GLOBAL", agent=agent_of(provider))
        # the call itself must stand in the caller
        source = code.replace("magic(", "get_ipython().run_cell_magic('agent', 'agent -q', ")
        source = source.replace("', topic)", "' + topic[:0])")
        shell.run_cell(source).raise_error()
    assert provider.bodies[-1]["messages"][-1]["content"] == "about LOCAL"


def test_flags_see_them_too(provider: ScriptedProvider) -> None:
    """An agent, a tool or a table of the function may be named on the line."""
    provider.reply(text_reply("ok"))
    with loaded_shell() as shell:
        shell.user_ns["given"] = agent_of(provider)
        call = "get_ipython().run_cell_magic('agent', 'mine -q -i {it} -c note', 'What?')"
        shell.run_cell(f"def ask(mine, note):\n    {call}\nask(given, 'a note of mine')").raise_error()
    assert "a note of mine" in str(provider.bodies[-1]["messages"])


@pytest.mark.parametrize(
    "text", ["Answer as JSON {name, age}", "costs are in $price", "{{name}} and {name}", "$HOME"]
)
def test_lines_are_not_expanded(provider: ScriptedProvider, text: str) -> None:
    """IPython puts no variable in; braces and dollars are sent as they are."""
    provider.reply(text_reply("ok"))
    with loaded_shell() as shell:
        shell.user_ns.update(name="bob", age=3, price=5, agent=agent_of(provider))
        shell.run_cell(f'%%agent agent -q -i "{text}"\nhi').raise_error()
        shell.run_cell(f'%config NBAgent.instructions = "{text}"').raise_error()
        assert settings.get("instructions") == text
        shell.run_cell("%config NBAgent.instructions = None").raise_error()
    assert provider.bodies[-1]["messages"][0]["content"] == text


def test_config_of_others_is_ipythons_own() -> None:
    """Expanded as ever, and given back when the extension goes."""
    with loaded_shell() as shell:
        shell.user_ns["many"] = 7
        shell.run_cell("%config InteractiveShell.cache_size = {many}").raise_error()
        assert shell.cache_size == 7
        ours = shell.magics_manager.magics["line"]["config"]
        shell.run_line_magic("unload_ext", "nbagent")
        assert shell.magics_manager.magics["line"]["config"] is not ours
        assert isinstance(shell.config, Config)
        shell.run_line_magic("load_ext", "nbagent")


def agent_of(provider: ScriptedProvider) -> object:
    """An agent that asks the scripted provider."""
    from nbagent import Agent

    return Agent(model=WIRES["chat"].model(provider.base_url))
