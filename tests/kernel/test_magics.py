"""The magics as a person types them, in a real kernel: what they give, and what they say to mistakes."""

from __future__ import annotations

import ast
import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent.store import Store
from tests.harness.kernel import RealKernel
from tests.harness.waiting import until
from tests.provider.chat_wire import json_reply, text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait, answer

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;]*m")
KEYLESS = {"OPENAI_API_KEY": ""}


@pytest.fixture
def shell(tmp_path: Path, provider: ScriptedProvider) -> Iterator[RealKernel]:
    """A kernel with the extension, in which `-m` may be left out: the scripted provider is configured."""
    with RealKernel(tmp_path / "kernel") as kernel:
        kernel.run(
            "%load_ext nbagent\nimport nbagent as nb\n"
            f"import os; os.environ.update(OPENAI_BASE_URL={provider.base_url!r}, OPENAI_API_KEY='sk-test')\n"
            "%config NBAgent.model = 'openai-chat:scripted-1'\n%config NBAgent.model_retries = 0"
        )
        yield kernel


def shown(kernel: RealKernel, code: str) -> list[str]:
    """The lines that a failing cell shows."""
    error = kernel.execute(code).error
    assert error is not None, f"{code!r} did not fail"
    return [line for line in ANSI.sub("", "\n".join(error.traceback)).splitlines() if line.strip()]


def test_launch_wait_and_read(shell: RealKernel, provider: ScriptedProvider) -> None:
    """The prompt is back while the run waits; `-o` names the handle; the template sees the notebook's variables."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("Paris", ".")))
    shell.run("country = 'France'")
    launched = shell.run("%%agent_bg -o facts\nWhat is the capital of {{ country }}? {literal}")
    assert launched.displays
    provider.wait_for_requests(1)
    assert shell.run("print(facts.status.value)").stdout.strip() == "running"
    gate.open()
    assert shell.run("%agent wait facts").stdout.strip() == "1 run: 1 completed"
    assert (
        shell.run("print(facts.content, nb.get('facts').run_id == facts.run_id)").stdout.strip()
        == "Paris. True"
    )
    assert provider.bodies[0]["messages"][-1]["content"] == "What is the capital of France? {literal}"


def test_schema_tools_session_and_instructions(shell: RealKernel, provider: ScriptedProvider) -> None:
    """Flags reach the run: a typed result, a tool of the notebook, a session with history, instructions."""
    shell.run(
        "from pydantic import BaseModel\n"
        "class City(BaseModel):\n    name: str\n    people: int\n"
        "def population(city: str) -> int:\n    'People in a city.'\n    return 37\n"
    )
    provider.reply(
        tool_reply(("population", {"city": "Tokyo"})),
        json_reply({"items": [{"name": "Tokyo", "people": 37}]}),
        text_reply("ok"),
    )
    shell.run(
        "%%agent_bg -o city --schema list[City] --tools population --session s -i 'Be exact.' --run-id mine --timeout 30\nTokyo?"
    )
    printed = shell.run(
        "print(city.result(timeout=60).content)\nprint(city.to_frame().to_dict('records'))"
    ).stdout
    assert printed.splitlines() == ["[City(name='Tokyo', people=37)]", "[{'name': 'Tokyo', 'people': 37}]"]
    shell.run("%%agent_bg --session s -q\nAnd now?")
    shell.run("%agent wait")
    bodies = provider.bodies
    assert bodies[0]["messages"][0] == {"role": "system", "content": "Be exact."}
    assert [message["role"] for message in bodies[2]["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


def test_a_session_object_is_named_like_its_id(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`--session NAME` is a Session of the notebook where there is one of that name, else an id."""
    shell.run(
        "import nbagent as nb\ntrip = nb.Session.from_dict({'messages': [{'role': 'user', 'content': 'I am Ada.'}]})"
    )
    provider.otherwise(text_reply("Ada."))
    shell.run("%%agent_bg --session trip -o first -q\nWho am I?")
    shell.run("%%agent_bg --session other -o second -q\nWho am I?")
    shell.run("%agent wait first second")
    said = shell.run(
        "print([m.content for m in trip.messages()], first.session_id == trip.session_id, second.session_id)"
    )
    assert said.stdout.strip() == "['I am Ada.', 'Who am I?', 'Ada.'] True other"


def test_a_cell_run_again_supersedes_its_unfinished_run(
    shell: RealKernel, provider: ScriptedProvider
) -> None:
    """The earlier run of the same cell is cancelled, said in one line; another cell's run goes on."""
    provider.otherwise((*text("Once"), Silence()))
    code = "%%agent_bg -o story\nWrite a story"
    shell.execute_async("%%agent_bg -o other\nWrite another", cell_id="b").wait()
    shell.execute_async(code, cell_id="a").wait()
    shell.run("first = story")
    again = shell.execute_async(code, cell_id="a").wait()
    assert again.stdout.startswith("cancelled this cell's earlier run ")
    assert shell.run("print(first.status.value, story.done(), other.done())").stdout.split() == [
        "cancelled",
        "False",
        "False",
    ]
    assert shell.run("%agent cancel --all").stdout.strip() == "cancelled 2 of 2 runs"


def test_the_foreground_streams_and_fails_its_cell(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`%%agent` has the text on its card as it comes, `-q` prints it; a run that fails shows two lines in its cell."""
    provider.reply(text_reply("**Par", "is**."), text_reply("Par", "is."), answer(500, "boom"))
    cell = shell.run("%%agent\nCapital of France?")
    assert (cell.stdout, cell.text) == ("", None)
    assert "<strong>Paris</strong>" in cell.displays[-1]["text/html"]
    assert "tokens 11 in, 7 out" in cell.displays[-1]["text/html"]
    assert shell.run("%%agent -q\nCapital of France?").stdout == "Paris.\n"
    lines = shown(shell, "%%agent\nWell?")
    assert len(lines) == 2
    assert lines[0].startswith("RunError: ")


def test_list_show_and_attach(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`%agent list` is a DataFrame, `%agent show` a card, `--if-exists attach` joins the run of that id."""
    provider.otherwise(text_reply("yes"))
    shell.run("%%agent_bg -o one --run-id mine\nWell?")
    shell.run("one.result(timeout=60)")
    shell.run("%%agent_bg -o two --run-id mine --if-exists attach\nWell?")
    assert shell.run("print(two.run_id == one.run_id)").stdout.strip() == "True"
    assert shell.run(
        "import pandas\nruns = %agent list\nprint(isinstance(runs, pandas.DataFrame), list(runs['status']))"
    ).stdout.split() == [
        "True",
        "['completed']",
    ]
    assert shell.run("%agent show mine").displays
    assert len(provider.requests) == 1


MISTAKES = {
    "unknown provider": ("%%agent_bg -m opanai:gpt-5\nhi", "UnknownModelError", "opanai"),
    "no provider": ("%%agent_bg -m gpt-5\nhi", "UnknownModelError", "openai:gpt-5"),
    "missing key": ("%%agent_bg -m groq:llama\nhi", "MissingKeyError", "GROQ_API_KEY"),
    "unknown flag": ("%%agent_bg --tiemout 3\nhi", "UnknownOptionError", "--timeout"),
    "bad value": ("%%agent_bg --timeout soon\nhi", "UnknownOptionError", "soon"),
    "unclosed quote": ("%%agent_bg -i 'be brief\nhi", "UnknownOptionError", "quot"),
    "second word": ("%%agent_bg a b\nhi", "UnknownOptionError", "'b'"),
    "unknown agent": ("anna = nb.Agent()\n", "", ""),
    "misspelt agent": ("%%agent_bg ana\nhi", "UnknownNameError", "anna"),
    "undefined variable": ("cities = ['Paris']\n", "", ""),
    "misspelt variable": ("%%agent_bg\nFacts about {{ citis }}", "TemplateError", "cities"),
    "broken template": ("%%agent_bg\nFacts about {{ cities", "TemplateError", "line 1"),
    "unknown schema": ("%%agent_bg --schema Citty\nhi", "UnknownNameError", "Citty"),
    "no schema": ("%%agent_bg --schema cities\nhi", "SchemaError", "Paris"),
    "unknown tool": ("%%agent_bg --tools pricee\nhi", "UnknownNameError", "pricee"),
    "no tool": ("%%agent_bg --tools cities\nhi", "ToolDefinitionError", ""),
    "blank prompt": ("%%agent_bg\n  \n", "PromptError", "prompt"),
    "empty template": ("%%agent_bg\n{{ '' }}", "PromptError", "prompt"),
    "unknown verb": ("%agent lst", "UnknownOptionError", "list"),
    "unknown run": ("%agent show nobody", "UnknownNameError", "nobody"),
    "cancel of nothing": ("%agent cancel", "UnknownOptionError", "--all"),
}


def test_mistakes_get_two_lines(shell: RealKernel, provider: ScriptedProvider) -> None:
    """Each mistake says what happened and what to do, without a traceback, and launches nothing."""
    for name, (code, error, mentioned) in MISTAKES.items():
        if not error:
            shell.run(code)
            continue
        lines = shown(shell, code)
        assert len(lines) == 2, f"{name}: {lines}"
        assert lines[0].startswith(f"{error}: "), f"{name}: {lines}"
        assert mentioned in " ".join(lines), f"{name}: {lines}"
    assert provider.requests == []
    assert shell.run("print(len(nb.runs()))").stdout.strip() == "0"


def test_a_used_run_id_gets_two_lines_that_name_the_first_run(
    shell: RealKernel, provider: ScriptedProvider
) -> None:
    """The first run stays as it is."""
    provider.otherwise(text_reply("yes"))
    shell.run("%%agent_bg -o one --run-id mine\nWell?")
    shell.run("%agent wait")
    lines = shown(shell, "%%agent_bg --run-id mine\nAgain?")
    assert len(lines) == 2
    assert "mine" in lines[0]
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("url", "mentioned"),
    [("http://127.0.0.1:9/v1", "no server answers"), ("html", "web page")],
)
def test_a_server_that_cannot_answer_leaves_a_row_with_two_lines(
    shell: RealKernel, provider: ScriptedProvider, url: str, mentioned: str
) -> None:
    """Launching is fine; the run ends as error with the message, and the row is there."""
    provider.otherwise(answer(200, "<!doctype html><title>Sign in</title>"))
    base_url = provider.base_url if url == "html" else url
    shell.run(f"os.environ['OPENAI_BASE_URL'] = {base_url!r}")
    shell.run("%%agent_bg -o lost\nWell?")
    assert shell.run("%agent wait").stdout.strip() == "1 run: 1 error"
    lines = shell.run("print(lost.error)").stdout.splitlines()
    assert len(lines) == 2
    assert mentioned in lines[0]
    assert shell.run("print(list(nb.runs()['status']))").stdout.strip() == "['error']"
    assert len(shown(shell, "lost.result()")) == 2


def test_option_precedence(shell: RealKernel, provider: ScriptedProvider) -> None:
    """flag > %config > environment > pyproject.toml > default, at the moment of the launch."""
    provider.otherwise(text_reply("yes"))
    project = Path(shell.project) / "pyproject.toml"
    project.write_text('[tool.nbagent]\nmodel = "openai-chat:from-pyproject"\n')
    shell.run("%config NBAgent.model = None")
    shell.run("%%agent_bg -q\nWell?")
    shell.run("os.environ['NBAGENT_MODEL'] = 'openai-chat:from-environment'")
    shell.run("%%agent_bg -q\nWell?")
    shell.run("%config NBAgent.model = 'openai-chat:from-config'")
    shell.run("%%agent_bg -q\nWell?")
    shell.run("%%agent_bg -q -m openai-chat:from-flag\nWell?")
    shell.run("%agent wait")
    assert sorted(body["model"] for body in provider.bodies) == [
        "from-config",
        "from-environment",
        "from-flag",
        "from-pyproject",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("timeout = 'soon'", "%config NBAgent.timeout has the value 'soon'"),
        ("timeout = -1", "%config NBAgent.timeout has the value -1"),
        ("cache = 'always'", "%config NBAgent.cache has the value 'always'"),
        ("tiemout = 3", "%config NBAgent has no option 'tiemout' (did you mean 'timeout'?)"),
    ],
)
def test_a_bad_value_in_config_fails_its_cell_once(shell: RealKernel, line: str, told: str) -> None:
    """In two lines; the old value stays, also where the extension is loaded anew."""
    shell.run("%config NBAgent.timeout = 30")
    first, second = shown(shell, f"%config NBAgent.{line}")
    assert first.endswith(told)
    assert second.startswith("  -> ")
    assert shell.run("%reload_ext nbagent").stdout == ""
    assert shell.run("%config NBAgent.timeout\n").text == "30"
    assert shell.run("from nbagent import settings; print(settings.get('timeout'))").stdout.strip() == "30.0"


def test_the_demo_model_answers_when_none_is_set(tmp_path: Path) -> None:
    """Without a model and a key the demo answers, said once; it ends with its kernel, also by SIGKILL."""
    with RealKernel(tmp_path / "kernel", env=KEYLESS, cold=True) as kernel:
        kernel.run("%load_ext nbagent")
        told = kernel.run(
            "%%agent_bg -o answer\nWhat is the capital of France? Answer in one sentence."
        ).stdout
        assert told.count("\n") == 1
        assert "demo" in told
        assert kernel.run("%%agent_bg -q\nHello").stdout == ""
        assert kernel.run("answer.result(timeout=60).content").text == "'The capital of France is Paris.'"
        pid = int(kernel.run("from nbagent.demo import process\nimport psutil, os\n"
            "print([c.pid for c in psutil.Process().children(recursive=True) if 'nbagent.demo' in ' '.join(c.cmdline())][0])").stdout)  # fmt: skip
        os.kill(pid, 0)
        kernel.kill9()
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.wait_procs([psutil.Process(pid)], timeout=60)
        assert not psutil.pid_exists(pid)


def test_a_launched_cell_survives_sigkill(shell: RealKernel, provider: ScriptedProvider) -> None:
    """The kernel is killed the moment `%%agent_bg` has returned: the row is there, and ends as interrupted."""
    provider.otherwise((*text("Once"), Silence()))
    shell.run("%%agent_bg -o story --run-id mine -q\nWrite a story")
    shell.kill9()
    store = Store(shell.store)
    (row,) = store.read("select status, stop_reason, prompt, label from runs where run_id = 'mine'")
    store.close()
    assert row == {
        "status": "interrupted",
        "stop_reason": "kernel_died",
        "prompt": "Write a story",
        "label": "story",
    }


WATCH = """
import os, sys, threading, time
heavy = {'pandas', 'duckdb', 'aiohttp', 'ipywidgets', 'jinja2', 'starlette'}
def opened():
    links = [f'/proc/self/fd/{one}' for one in os.listdir('/proc/self/fd')]
    found = {os.readlink(one) for one in links if os.path.lexists(one)}
    rows = [line.split() for line in open('/proc/net/tcp').readlines()[1:]]
    ours = {f'socket:[{row[9]}]': row for row in rows if f'socket:[{row[9]}]' in found}
    ports = {row[1].split(':')[1] for row in ours.values() if row[3] == '0A'}  # where the kernel itself listens
    clients = {one for one, row in ours.items() if row[3] != '0A' and row[1].split(':')[1] in ports}
    # a front end may connect at any time, and IPython write its history
    return {one for one in found - clients if '/profile_default' not in one}
before, files = set(threading.enumerate()), opened()
%load_ext nbagent
%reload_ext nbagent
print(set(threading.enumerate()) - before, heavy & set(sys.modules))
def watch():
    # one that is not alive yet is about to be started
    while not (found := [one for one in threading.enumerate() if one.name == 'nbagent-imports' and one.is_alive()]):
        time.sleep(0.001)
    begun = set(threading.enumerate()) - before - {threading.current_thread()}
    [one.join() for one in found]
    left = set(threading.enumerate()) - before - {threading.current_thread()}
    open('watched', 'w').write(repr((begun == set(found), left, heavy & set(sys.modules))))
threading.Thread(target=watch).start()
"""


def test_loading_is_silent_idempotent_and_starts_nothing_but_imports(tmp_path: Path) -> None:
    """`%load_ext` twice prints nothing and imports nothing heavy; when idle, one thread imports, and ends. No file, no socket."""
    with RealKernel(tmp_path / "kernel", cold=True) as kernel:
        loaded = kernel.run(WATCH)
        assert loaded.stdout.strip() == "set() set()"
        until((kernel.project / "watched").exists, "the end of the imports")
        only, left, imported = ast.literal_eval(
            until((kernel.project / "watched").read_text).replace("set()", "()")
        )
        assert (only, left) == (True, ())
        assert imported == {"duckdb", "aiohttp", "ipywidgets", "jinja2"}
        assert kernel.run("print(opened() - files)").stdout.strip() == "set()"
        assert not kernel.store.exists()
        assert "timeout" in kernel.run("%config NBAgent").stdout


TEAM = """
from nbagent import Agent, Team
ann = Agent(instructions="Ann.")
bob = Agent(name="robert", instructions="Bob.")
desk = Team(members=[ann, bob], mode="broadcast")
"""


def test_a_team_is_launched_like_an_agent(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`%%agent_bg desk` launches a Team; its members stand on the card and in member_responses."""
    provider.otherwise(text_reply("yes"))
    shell.run(TEAM)
    launched = shell.run("%%agent_bg desk -o out\nWell?")
    assert launched.displays
    assert shell.run("%agent wait").stdout.strip() == "1 run: 1 completed"
    names = "print([one.agent_name for one in out.member_responses], out.content)"
    assert shell.run(names).stdout.strip() == "['agent', 'robert'] yes"
    shown = shell.run("%agent show").displays
    assert "robert</strong> · completed · 18 tokens" in str(shown)


def test_members_make_a_team_of_the_notebooks_agents(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`--members a,b` builds a team; an agent without a name of its own has its variable's."""
    provider.otherwise(text_reply("yes"))
    shell.run(TEAM)
    shell.run("%%agent_bg --members ann,bob --mode broadcast -o out -q\nWell?")
    shell.run("out.result(timeout=60)")
    names = "print([one.agent_name for one in out.member_responses])"
    assert shell.run(names).stdout.strip() == "['ann', 'robert']"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--members ann,bbo", "agent 'bbo' is not defined (did you mean 'bob'?)"),
        ("desk --members ann", "--members makes a team, and agent 'desk' is named too"),
        ("ann --mode route", "--mode is a team's"),
    ],
)
def test_a_teams_flags_are_checked(shell: RealKernel, line: str, told: str) -> None:
    """A wrong member, or flags that exclude each other: two lines."""
    shell.run(TEAM)
    lines = shown(shell, f"%%agent_bg {line}\nWell?")
    assert told in lines[0]
    assert len(lines) == 2
