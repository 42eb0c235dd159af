"""`run_python`: approved code, byte for byte, in the notebook's variables; refused, stopped, cut off, told of."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import __main__
import nbagent as nb
from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.panel.table.row import approval_text
from nbagent.runtime import Run, current, end_standing_approvals
from tests.harness.waiting import until
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

Coder = Callable[..., Run]


@pytest.fixture
def coder(provider: ScriptedProvider) -> Iterator[Coder]:
    """Starts a run whose model asks for this code, and then answers; the variables that come are taken away again."""
    before = dict(vars(__main__))

    def start(*codes: str, name: str = "analyst", answers: bool = True, **options: Any) -> Run:
        provider.reply(*(tool_reply(("run_python", {"code": code})) for code in codes))
        if answers:
            provider.reply(text_reply("done"))
        model = nb.OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
        tools = [nb.notebook(read=("df*",), run=True, **options)]
        return nb.Agent(model=model, tools=tools, name=name).start("Go")

    yield start
    end_standing_approvals()
    for name in vars(__main__).keys() - before.keys():
        del vars(__main__)[name]


def approved(run: Run, **how: Any) -> str:
    """Approve the call that waits, wait for the end and return what the model was told of it."""
    until(lambda: run.pending_approvals or run.done())
    if run.pending_approvals:
        run.approve(**how)
    run.result(timeout=60)
    return run.output.tool_calls[-1].result or ""


def test_code_runs_in_the_notebook_and_says_what_it_did(coder: Coder, provider: ScriptedProvider) -> None:
    """Text, value, picture and changes by name and shape reach the model; the picture as an image."""
    vars(__main__)["df"] = __import__("pandas").DataFrame({"a": range(1200)})
    code = (
        "import sys\nprint('out'); print('err', file=sys.stderr)\ndf_clean = df.assign(b=1)\ndel df\nn = 3\n"
        "import matplotlib; matplotlib.use('agg')\nfrom matplotlib import pyplot\npyplot.plot([1])\ndf_clean.head(1)"
    )
    told = approved(coder(code))
    for part in (
        "out\nerr\n",
        "pandas.DataFrame 1 x 2",
        "df_clean: new, 1,200 x 2",
        "df: deleted",
        "n: new, int",
        "picture-1",
    ):
        assert part in told
    assert "matplotlib" not in told.partition("changed, by name")[2]
    assert "image_url" in json.dumps(provider.bodies[-1])
    assert vars(__main__)["df_clean"].shape == (1200, 2)
    told = approved(coder("x = 1\n1 / 0"))
    assert "ZeroDivisionError: division by zero" in told
    assert "1 / 0" in told
    assert "x: new, int" in told
    assert "SystemExit" in approved(coder("import sys\nsys.exit(3)"))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("%pip install x", "magics"),
        ("files = !ls", "magics"),
        ("input('?')", "nobody can type"),
        ("get_ipython().system('ls')", "refused"),
        ("run.approve()", "only a person approves"),
        ("def f(:", "no Python"),
        ("  \n", "empty"),
        ("x = 1\n" * 20_000, "characters"),
        ("breakpoint()", "debug"),
    ],
)
def test_what_no_person_is_asked_for(coder: Coder, code: str, why: str) -> None:
    """Magics, the shell, typed input, approving, and what is no code are the model's to mend: nobody is asked."""
    run = coder(code)
    assert run.result(timeout=60).content == "done"
    assert why in (run.output.tool_calls[0].result or "")


@pytest.mark.parametrize(
    "code",
    [
        "import builtins\nask = builtins.input\nask('?')",
        "import os\nos.system('touch FILE')",
        "import subprocess\nsubprocess.run('touch FILE', shell=True)",
        "import nbagent\nd = getattr(other, 'app' + 'rove')\nd()",
        "import threading, time\nt = threading.Thread(target=getattr(other, 'app' + 'rove'))\nt.start(); t.join()",
        "import nbagent.loop as l\ngetattr(other, 'dec' + 'ide')(l.Decision(approved=True, always=True))",
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_is_refused_while_code_runs(
    coder: Coder, code: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed input, the shell and approving are refused from inside, by whatever way they are called."""
    monkeypatch.chdir(tmp_path)
    other = coder("ran = True", answers=False)
    until(lambda: other.pending_approvals)
    vars(__main__)["other"] = other
    approved(coder(code.replace("FILE", str(tmp_path / "made"))))
    assert other.status == "paused"
    assert not (tmp_path / "made").exists()
    assert "ran" not in vars(__main__)
    other.cancel()


def test_what_is_approved_is_what_runs(coder: Coder) -> None:
    """A call that was changed after it was shown is denied; arguments that a person changes are what runs."""
    run = coder("first = 1")
    until(lambda: run.pending_approvals)
    run.pending_approvals[0].arguments["code"] = "evil = 1"  # type: ignore[index]
    assert "changed after it had been shown" in approved(run)
    assert not {"first", "evil"} & vars(__main__).keys()
    approved(coder("first = 1"), arguments={"code": "mine = 2"})
    assert "mine" in vars(__main__)
    assert "first" not in vars(__main__)
    (tool,) = (one for one in nb.notebook(run=True).__nbagent_tools__() if one.name == "run_python")
    run = coder("fine = 1", answers=False)
    with pytest.raises(ConfigurationError, match="not approved"):
        current().thread.submit(tool.function(code="evil = 1")).result(30)
    run.cancel()


UNSEEN = {
    "\u202e": "\\u202e",
    "\u200b": "\\u200b",
    "\u2066": "\\u2066",
    "\ufeff": "\\ufeff",
    "\u3164": "\\u3164",
    "\r": "\\r",
    "\U000e0041": "\\U000e0041",
}


@pytest.mark.parametrize("letter", UNSEEN)
def test_the_whole_code_is_shown_as_it_is(letter: str) -> None:
    """Code is shown in its lines, never cut; what is invisible, or turns text, is written out."""
    code = "a = 1\n" * 3_000 + f"b = '{letter}'\n# the end é 日本"
    call = PendingApproval(step=1, tool_call_id="1", name="run_python", arguments={"code": code})
    assert approval_text(call) == "run_python(code):\n" + code.replace(letter, UNSEEN[letter])
    one_line = PendingApproval(
        step=1, tool_call_id="1", name="run_python", arguments={"code": f"b = '{letter}'"}
    )
    assert approval_text(one_line) == f"run_python(code=\"b = '{UNSEEN[letter]}'\")"


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time\ntime.sleep(3600)",
        "while True:\n    try:\n        x = sum(range(1000))\n    except BaseException:\n        pass",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    ],
)
def test_endless_code_ends_at_its_time_limit(coder: Coder, code: str) -> None:
    """A loop, a sleep and a loop that catches everything end at the limit; the model is told that it may have taken effect."""
    told = approved(coder("begun = 1\n" + code, timeout=1))
    assert "may have taken effect: it took longer than 1 s" in told
    assert "begun: new, int" in told


def test_endless_code_ends_with_its_run(coder: Coder) -> None:
    """Cancel while a cell waits for the run ends the code and the wait; the call is one that may have taken effect."""
    run = coder("import time\nbegun = 1\nwhile True: time.sleep(0.001)", answers=False)
    until(lambda: run.pending_approvals)
    run.approve()
    watcher = threading.Thread(target=lambda: (until(lambda: "begun" in vars(__main__)), run.cancel()))
    watcher.start()
    output = run.wait(timeout=60)
    watcher.join()
    assert output.status == "cancelled"
    assert output.tool_calls[0].status == "abandoned"
    assert approved(coder("after = 1", name="other")).startswith("Approved and run")


def test_always_is_for_this_kernel_and_agent(coder: Coder, provider: ScriptedProvider) -> None:
    """After `always` the agent's later calls run, another agent's ask; nothing of it is stored; it can be ended."""
    run = coder("one = 1", "two = 2")
    until(lambda: run.pending_approvals)
    run.approve(always=True)
    assert run.result(timeout=60).content == "done"
    assert vars(__main__)["two"] == 2
    tools = run._live.agent.spec.tools  # type: ignore[union-attr] # the same notebook: an agent of the person's
    model = run._live.agent.model  # type: ignore[union-attr]

    def again(name: str) -> Run:
        provider.reply(tool_reply(("run_python", {"code": "three = 3"})), text_reply("done"))
        return nb.Agent(model=model, tools=list(tools), name=name).start("Go")

    assert again("analyst").result(timeout=60).content == "done"
    for name in ("another", "analyst"):
        other = again(name)
        until(lambda other=other: other.pending_approvals)
        other.deny()
        other.result(timeout=60)
        end_standing_approvals()
    stored = nb.sql("select * from attempts").to_csv() + nb.sql("select * from launches").to_csv()
    assert "always" not in stored


def test_only_tools_of_the_kernel_can_be_approved_for_good(provider: ScriptedProvider) -> None:
    """`always` on another tool is refused in two lines, and the call waits still."""

    @nb.tool(requires_approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    provider.reply(tool_reply(("pay", {"amount": 1})), text_reply("done"))
    model = nb.OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    run = nb.Agent(model=model, tools=[pay]).start("Go")
    until(lambda: run.pending_approvals)
    with pytest.raises(ConfigurationError, match="one call at a time"):
        run.approve(always=True)
    run.decide(Decision(approved=False))
    assert run.result(timeout=60).content == "done"


@pytest.mark.parametrize("given", [{"read": 5}, {"read": [""]}, {"run": "yes"}, {"timeout": 0}, {"cells": 1}])
def test_wrong_arguments_are_refused(given: dict[str, Any]) -> None:
    """What is no pattern, no yes or no and no time is refused where it is written."""
    with pytest.raises(UnknownOptionError):
        nb.notebook(**given)
