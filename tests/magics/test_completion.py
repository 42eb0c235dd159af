"""Tab in the magics' lines: flags from the parsers, values from the notebook and the record, never a delay or an error."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.interactiveshell import InteractiveShell
from pydantic import BaseModel

import nbagent as nb
from nbagent.magics import parsers
from nbagent.magics.completion import completer, values
from nbagent.magics.completion.deadline_cache import WAIT_S, DeadlineCache
from nbagent.store import Store
from tests.harness.waiting import until
from tests.magics.shell import loaded_shell
from tests.panel.filled_store import end, launch
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

Tab = Callable[..., list[str]]


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """One shell for the file; each test gets its own variables."""
    with loaded_shell() as running:
        running.Completer.use_jedi = (
            False  # half a second wherever nothing of ours fits; the kernel's test has it
        )
        yield running


@pytest.fixture
def tab(shell: InteractiveShell) -> Iterator[Tab]:
    """Press Tab at the end of a text (or `back` characters before it) and get what the front end would list."""

    def press(text: str, back: int = 0) -> list[str]:
        at = len(text) - back
        with provisionalcompleter():
            found = list(rectify_completions(text, shell.Completer.completions(text, at)))
        return [one.text for one in found]

    before = set(shell.user_ns)
    yield press
    for name in set(shell.user_ns) - before:
        del shell.user_ns[name]


def of_ours(found: list[str]) -> list[str]:
    """What is left without IPython's own: magics, files and Python's names, where nothing of ours fits."""
    return [text for text in found if text.startswith("--")]


@pytest.mark.parametrize(
    ("line", "parser"), [("%%agent_bg --", parsers.AGENT_BG), ("%%agent --", parsers.AGENT)]
)
def test_flags_are_those_of_the_parser(tab: Tab, line: str, parser: parsers.LineParser) -> None:
    """All long flags in the parser's order, and nothing else; a dash alone gives the short ones too."""
    assert tab(line) == [flag for flag in parser.flags if flag.startswith("--")]
    assert tab(line[:-1]) == list(parser.flags)
    assert tab(line + "mod") == ["--model", "--mode"]


def test_every_verb_and_its_flags(tab: Tab) -> None:
    """`%agent` gives the verbs, a verb its own flags; the same in an assignment and below other lines."""
    assert tab("%agent ") == list(parsers.VERBS)
    assert tab("%agent re") == ["resume", "retry", "record"]
    for verb in parsers.VERBS:
        parser = parsers.verb_parser(verb)
        assert parser is not None
        flags = [flag for flag in parser.flags if flag.startswith("--")]
        if flags:
            assert tab(f"%agent {verb} --") == flags
    assert tab("x = 1\nframe = %agent metrics m") == ["model", "member"]


def test_choices_come_from_the_parser(tab: Tab) -> None:
    """A flag with choices gives them, after a space and after `=`; what was typed narrows them."""
    assert tab("%%agent_bg --mode ") == ["coordinate", "route", "broadcast"]
    assert tab("%%agent_bg --if-exists=a") == ["attach"]
    assert tab("%agent metrics ") == [*parsers.METRICS, "--session", "--since", "--label", "--batch"]


def test_an_options_choices_complete_its_flag() -> None:
    """A flag named after an option takes that option's values, whether its parser repeats them or not."""
    parser = parsers.LineParser("%%some")
    action = parser.add_argument("--on-busy")
    asked = values.CompletionRequest(names={}, begun="")
    assert list(values.values_of(action, asked)) == ["queue", "reject", "parallel", "cancel"]


def test_a_flag_comes_once_unless_it_may_come_again(tab: Tab) -> None:
    """What is on the line is not offered again; `-c` may come several times."""
    flags = tab("%%agent_bg -m openai:gpt-5-mini -c a --quiet --")
    assert not {"--model", "--quiet"} & set(flags)
    assert "--context" in flags


def test_agents_members_tools_sessions_and_schemas_of_the_notebook(tab: Tab, shell: InteractiveShell) -> None:
    """Each argument gets the variables that fit it; lists go on after a comma; private names are left out."""

    class City(BaseModel):
        name: str

    def price(symbol: str) -> float:
        """A price."""
        return 1.0

    shell.push(
        {
            "analyst": nb.Agent(name="analyst"),
            "writer": nb.Agent(name="writer"),
            "_hidden": nb.Agent(),
            "trip": nb.Session("trip-1"),
            "City": City,
            "BaseModel": BaseModel,
            "price": price,
            "cities": ["Tokyo"],
        }
    )
    assert tab("%%agent_bg ")[:2] == ["analyst", "writer"]
    assert tab("%%agent_bg w") == ["writer"]
    assert tab("%%agent_bg --members analyst,w") == ["writer"]
    assert tab("%%agent_bg --tools ") == ["price"]
    assert tab("%%agent_bg --session ") == ["trip"]
    assert tab("%%agent_bg --schema ") == ["City", "list[City]"]
    assert tab("%%agent_bg --schema list[") == ["list[City]"]
    assert tab("%%agent_bg -c ci") == ["cities"]
    assert "--model" in tab("%%agent_bg analyst ")
    assert "writer" not in tab("%%agent_bg analyst ")


def test_files_go_with_a_prompt(tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-c` completes paths as they are written, folders with a slash, hidden ones only where asked for."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prices.csv").touch()
    (tmp_path / ".secret").touch()
    monkeypatch.chdir(tmp_path)
    assert tab("%%agent_bg -c d") == ["data/"]
    assert tab("%%agent_bg -c data/") == ["data/prices.csv"]
    assert tab("%%agent_bg -c .s") == [".secret"]
    assert tab(f"%%agent_bg -c {tmp_path}/da") == [f"{tmp_path}/data/"]


def test_models_by_provider(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers first; after the colon the models that are known without asking anybody."""
    assert tab("%%agent_bg -m op") == ["openai:", "openai-chat:", "openrouter:"]
    monkeypatch.setenv("NBAGENT_PRICES", '{"vllm:own-model": {"input": 1, "output": 1}}')
    monkeypatch.setenv("NBAGENT_MODEL", "vllm:house-model")
    monkeypatch.setattr(
        "nbagent.magics.completion.deadline_cache.WAIT_S", 10.0
    )  # the price list is loaded by the first that asks
    assert tab("%%agent_bg -m vllm:") == ["vllm:own-model", "vllm:house-model"]
    assert tab("%%agent_bg --model=demo:") == ["demo:assistant"]
    assert "openai:gpt-5-mini" in tab("%%agent_bg -m openai:gpt-5")


def write_runs(count: int) -> Store:
    """Write ended runs into this test's store, the last the newest; every third has a label."""
    store = Store(os.environ["NBAGENT_STORE"])
    at = datetime.now(UTC) - timedelta(minutes=count)
    futures = []
    for number in range(count):
        given = {"label": f"q{number}" if number % 3 == 0 else None}
        futures += [store.submit(launch(number, at + timedelta(seconds=number), **given))]
        futures += [store.submit(end(number, at, "error" if number % 2 else "completed"))]
    wait(futures)
    store.close()
    return store


def soon(tab: Tab, text: str) -> list[str]:
    """Press Tab until the record has answered: the first press only asks it where it is slow to open."""
    return until(
        lambda: [one for one in tab(text) if re.match(r"run-\d|q\d|session-\d", one)],
        f"a completion of {text!r}",
    )


def test_runs_of_other_kernels_newest_first(tab: Tab) -> None:
    """Labels and ids from the file, newest first, those that the verb is good for; sessions by their ids."""
    write_runs(7)
    assert soon(tab, "%agent show ") == [
        "q6", "run-000006", "run-000005", "run-000004", "q3", "run-000003", "run-000002", "run-000001", "q0",
        "run-000000",
    ]  # fmt: skip
    assert soon(tab, "%agent resume ") == ["run-000005", "q3", "run-000003", "run-000001"]
    assert soon(tab, "%agent retry q6 run-000006 run-00000") == [f"run-00000{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert tab("%agent cancel ")[0] == "--all"
    assert soon(tab, "%%agent_bg --session session-")[0] == "session-6"


def test_runs_of_this_kernel_are_there_at_once(tab: Tab, provider: ScriptedProvider) -> None:
    """A run just launched completes before any file is read; its status decides where, and its session is offered."""
    agent = nb.Agent(model=nb.OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="none"))
    provider.otherwise(text_reply("Hi."))
    agent.start("Well?", label="alone").result(timeout=60)
    run = agent.start("Well?", label="greeting", session="small-talk")
    run.result(timeout=60)
    assert tab("%agent show gree") == ["greeting"]
    assert tab(f"%agent retry {run.run_id[:-1]}") == [run.run_id]
    assert tab("%%agent_bg --session ") == ["small-talk"]
    assert tab("%agent cancel gree") == []


def test_nothing_is_made_for_a_press_of_tab(tab: Tab) -> None:
    """Where nobody has run anything, completion makes no file and starts no writer."""
    assert of_ours(tab("%agent cancel ")) == ["--all"]
    tab("%%agent_bg --session ")
    assert not Path(os.environ["NBAGENT_STORE"]).parent.exists()


def test_a_slow_answer_is_waited_for_no_longer_than_a_moment() -> None:
    """The wait ends, the question goes on and is asked once; its answer is there at a later press, an error never."""
    patience: DeadlineCache[str] = DeadlineCache()
    gate, asked = threading.Event(), []

    def look() -> list[str]:
        asked.append(1)
        gate.wait(60)
        return ["answer"]

    began = time.monotonic()
    assert list(patience.ask("q", look)) == []
    assert time.monotonic() - began > WAIT_S * 0.9
    assert list(patience.ask("q", look)) == []
    gate.set()
    patience._asking["q"].join(60)
    assert list(patience.ask("q", lambda: 1 / 0)) == ["answer"]
    assert asked == [1]


def test_tab_raises_nothing(
    tab: Tab,
    shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A broken option, a record that is no database, a variable that fails when looked at: no traceback, no output."""
    path = Path(os.environ["NBAGENT_STORE"])
    path.parent.mkdir(parents=True)
    path.mkdir()  # a folder where the file should be
    shell.push({"analyst": nb.Agent(), "odd": type("Odd", (), {"__class__": property(lambda _: 1 / 0)})()})
    for text in ("%agent show ", "%%agent_bg --session x", "%%agent_bg --tools ", "%%agent_bg --schema "):
        tab(text)
    assert tab("%%agent_bg ana") == ["analyst"]
    monkeypatch.setenv("NBAGENT_STORE", "~nobody-here/runs.duckdb")
    assert of_ours(tab("%agent cancel ")) == []
    assert tab("%agent cancel --") == ["--all"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "%%agent_bg -i 'Be --",
        "%%agent_bg -o x\nWhat about --",
        "%%timeit\n%agent cancel --",
        "%agents --",
        "%agent nonsense --",
        "y = 3 %agent cancel --",
        "agent --",
    ],
)
def test_other_text_is_left_alone(tab: Tab, text: str) -> None:
    """Inside of quotes, in a cell's text, in other magics' cells and lines, nothing of ours is offered."""
    assert of_ours(tab(text)) == []


def test_in_the_middle_of_a_line(tab: Tab) -> None:
    """What stands before the cursor counts, in a cell that goes on below."""
    text = "\n%%agent_bg --mo -o x\nWhat?"
    assert tab(text, back=len(" -o x\nWhat?")) == ["--model", "--mode"]


def test_load_is_idempotent_and_unload_takes_all_back(shell: InteractiveShell, tab: Tab) -> None:
    """One matcher however often the extension is loaded, none after it is unloaded; other people's stay."""

    def other(text: str) -> list[str]:
        return []

    def ours() -> int:
        ids = [getattr(one, "matcher_identifier", "") for one in shell.Completer.custom_matchers]
        return ids.count(completer.MATCHER)

    shell.Completer.custom_matchers.append(other)
    nb.load_ipython_extension(shell)
    assert ours() == 1
    nb.unload_ipython_extension(shell)
    assert (ours(), of_ours(tab("%%agent_bg --"))) == (0, [])
    assert shell.Completer.custom_matchers == [other]
    shell.Completer.custom_matchers.remove(other)
    nb.load_ipython_extension(shell)
    assert tab("%agent re") == ["resume", "retry", "record"]
