"""How far a call walks through nbagent: the functions and files that it enters, and the calls that go up a layer.

`python tests/benchmarks/walks.py` traces three walks in a real kernel, after one of each kind, so that no import and
no first connection is counted:

    launch   `%%agent_bg`: until the prompt is back (the main thread), and until all is written
    cancel   a click on a card's Cancel: until the connection is closed, and until all is written
    tool     `agent.start(...)` with one tool call: until all is written

Each is walked three times; a function counts that two of them enter, once, however often it is called (whether a
write goes alone or with the next one is a matter of milliseconds). Comprehensions are part of their functions. A
call goes up a layer where a file's function calls one of a file in a room that `LAYERS` of the architecture test
has above it, directly or through another library; each pair of files counts once. Layer 0, which runs what it is
handed on a thread or under a decorator, calls nothing by itself, nor does an event loop.

`--walk launch` prints a walk file by file, in the order in which they are entered, and which of them the walks of
CONTRIBUTING.md do not name; `--tree FOLDER` walks in another checkout, for a comparison side by side: any that has
`tests/test_architecture.py`.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tests.harness.kernel import RealKernel
    from tests.provider.server import ScriptedProvider

ROOT = Path(__file__).resolve().parents[2]
WALKS = ("launch", "cancel", "tool")
QUIET_S = 1.5  # a walk is over when nothing of nbagent has been entered for so long: the heartbeat comes each second
TIMES = 3
PARTS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<module>")

T = TypeVar("T")
Entry = tuple[str, str, bool]  # file, function, whether on the main thread
Pair = tuple[str, str, str]  # the file and the function of who calls, the file of what is called
Walk = dict[str, Any]  # entries, pairs, marks: how many entries there were at which point


# ------------------------------------------------------------- in the kernel


class Recorder:
    """Which functions of a package are entered, in order; on all threads that start after it was made, and on this one."""

    def __init__(self, package: str) -> None:
        """Begin to listen; nothing is kept before `start`."""
        self.package = f"{package}/"
        self.entries: list[Entry] = []
        self.pairs: set[Pair] = set()
        self.marks: dict[str, int] = {}
        self.walks: list[dict[str, Any]] = []
        self.changed_at = 0.0
        self.recording = self.awaited = False
        self._main = threading.get_ident()
        threading.setprofile(self._entered)
        sys.setprofile(self._entered)

    def start(self) -> None:
        """Begin a walk."""
        self.entries, self.pairs, self.marks = [], set(), {}
        self.changed_at = time.monotonic()
        self.recording = True

    def await_cell(self) -> None:
        """Begin a walk with the next cell."""
        self.awaited = True

    def cell_begins(self, _: object = None) -> None:
        """Begin the walk that is awaited."""
        if self.awaited:
            self.awaited = False
            self.start()

    def cell_ends(self, _: object = None) -> None:
        """Mark where the prompt is back."""
        self.mark("prompt back")

    def mark(self, name: str) -> None:
        """Remember how far the walk has come; the first time counts."""
        if self.recording:
            self.marks.setdefault(name, len(self.entries))

    def end(self) -> None:
        """Wait until nothing has been entered for a while, and keep the walk."""
        while (left_s := self.changed_at + QUIET_S - time.monotonic()) > 0:
            time.sleep(left_s)
        self.recording = False
        self.walks.append({"entries": self.entries, "pairs": sorted(self.pairs), "marks": self.marks})

    def _entered(self, frame: FrameType, event: str, arg: Any) -> None:
        if not self.recording:
            return
        if event == "c_call" and arg.__name__ == "close" and _is_socket(arg):
            self.mark("connection closed")
        if event != "call" or not (path := frame.f_code.co_filename).startswith(self.package):
            return
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(self.package):
            # what an event loop calls, whoever asked for it has not called
            caller = None if caller.f_code is asyncio.Handle._run.__code__ else caller.f_back
        file = path.removeprefix(self.package)
        if caller is not None:
            code = caller.f_code
            self.pairs.add((code.co_filename.removeprefix(self.package), code.co_qualname, file))
        name = frame.f_code.co_qualname
        if not name.endswith(PARTS):
            self.entries.append((file, name, threading.get_ident() == self._main))
            self.changed_at = time.monotonic()


def _is_socket(method: Any) -> bool:
    of = getattr(method, "__objclass__", None) or type(getattr(method, "__self__", None))
    return bool(of.__module__ == "_socket" or of.__name__ == "socket")


# ------------------------------------------------------------ from the outside

RECORD = """
import importlib.util, sys, os
spec = importlib.util.spec_from_file_location("walks", {script!r})
walks = importlib.util.module_from_spec(spec)
sys.modules["walks"] = walks
spec.loader.exec_module(walks)
recorder = walks.Recorder({package!r})
get_ipython().events.register("pre_run_cell", recorder.cell_begins)
get_ipython().events.register("post_run_cell", recorder.cell_ends)
"""
PREPARE = """
%load_ext nbagent
import nbagent as nb
def price(item: str) -> float:
    "Price an item."
    return 1.5
agent = nb.Agent(tools=[price])
"""
LAUNCH = "%%agent_bg -o {name}\nWhat is the capital of France?"


def walk_launch(kernel: RealKernel, provider: ScriptedProvider, number: int) -> None:
    """Launch a run from a cell."""
    from tests.provider.chat_wire import text_reply

    provider.otherwise(text_reply("Paris"))
    kernel.run("recorder.await_cell()")
    kernel.run(LAUNCH.format(name=f"run_{number}"))


def walk_cancel(kernel: RealKernel, provider: ScriptedProvider, number: int) -> None:
    """Click Cancel on the card of a run that streams."""
    from tests.provider.chat_wire import begun, text
    from tests.provider.steps import Silence

    name = f"run_{number}"
    provider.otherwise((*begun(), *text("Par"), Silence()))
    kernel.run(LAUNCH.format(name=name))
    kernel.run(f"while not {name}.content: __import__('time').sleep(0.01)")
    time.sleep(QUIET_S)  # the launch is written, the card has shown the text
    run_id = ast.literal_eval(kernel.run(f"{name}.run_id").text or "")
    cards = [one for one in kernel.comms().values() if "RunCard" in str(one.state.get("_anywidget_id"))]
    kernel.run("recorder.start()")
    kernel.click(cards[-1], {"command": "cancel", "run_id": run_id, "command_id": f"click {name}"})
    kernel.wait_for(provider.requests[-1].disconnected.is_set, "the end of the connection", timeout_s=60)


def walk_tool(kernel: RealKernel, provider: ScriptedProvider, number: int) -> None:
    """Start a run that calls a tool and then answers."""
    from tests.provider.chat_wire import text_reply, tool_reply

    provider.reply(tool_reply(("price", {"item": "a"})), text_reply("1.5"))
    kernel.run("recorder.await_cell()")
    kernel.run(f"run_{number} = agent.start('What does it cost?')")


def walked(name: str, tree: Path) -> list[Walk]:
    """Walk a walk, in a kernel of its own that runs the code of a tree; the first time is not kept."""
    from tests.harness.kernel import RealKernel
    from tests.provider.server import ScriptedProvider

    step = {"launch": walk_launch, "cancel": walk_cancel, "tool": walk_tool}[name]
    provider = ScriptedProvider()
    env = {
        "PYTHONPATH": str(tree),
        "NBAGENT_MODEL": "openai-chat:walks-1",
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_KEY": "not-needed",
    }
    with tempfile.TemporaryDirectory() as folder, RealKernel(Path(folder), env=env, cold=True) as kernel:
        kernel.run(RECORD.format(script=str(Path(__file__).resolve()), package=str(tree / "nbagent")))
        kernel.run(PREPARE)
        for number in range(TIMES + 1):
            step(kernel, provider, number)
            kernel.run("recorder.end()", timeout_s=120)
        walks: list[Walk] = json.loads(
            kernel.run("print(__import__('json').dumps(recorder.walks[1:]))").stdout
        )
    provider.close()
    return walks


def layers_of(tree: Path) -> dict[str, int]:
    """Return each room's layer, as the tree's architecture test has it."""
    for node in ast.parse((tree / "tests" / "test_architecture.py").read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "LAYERS" and node.value:
            return {room: layer for layer, rooms in ast.literal_eval(node.value).items() for room in rooms}
    raise LookupError("tests/test_architecture.py has no LAYERS")


def mostly(walks: Iterable[Iterable[T]]) -> list[T]:
    """Return what most of the walks have, in order."""
    sets = [dict.fromkeys(walk) for walk in walks]
    return [one for one in dict.fromkeys(chain(*sets)) if sum(one in each for each in sets) * 2 > len(sets)]


def calls_up(pairs: Iterable[Pair], layer_of: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of files in which the first one's functions call the second one's, a layer up."""

    def layer(file: str) -> int:
        return layer_of[file.partition("/")[0].removesuffix(".py")]

    for caller, _, called in pairs:
        if layer(called) > layer(caller) > 0:
            yield caller, called


def functions_of(name: str, walks: list[Walk]) -> dict[str, list[tuple[str, str]]]:
    """Return the functions, each as its file and name, that a walk enters up to a point, by that point."""

    def until(point: str | None, *, main_only: bool = False) -> list[tuple[str, str]]:
        return mostly(
            (
                (file, function)
                for file, function, is_main in walk["entries"][: walk["marks"][point] if point else None]
                if is_main or not main_only
            )
            for walk in walks
        )

    points: dict[str, list[tuple[str, str]]] = {}
    if name == "launch":
        points["prompt back"] = until("prompt back", main_only=True)
    if name == "cancel":
        points["connection closed"] = until("connection closed")
    points["all written"] = until(None)
    return points


def main() -> None:
    """Walk, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--walk", choices=WALKS, help="print this walk file by file")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout to walk in")
    given = parser.parse_args()
    tree = given.tree.resolve()
    for name in [given.walk] if given.walk else WALKS:
        walks = walked(name, tree)
        points = functions_of(name, walks)
        for point, functions in points.items():
            files = {file for file, _ in functions}
            print(f"{name:8}{point:20}{len(functions):4} functions in {len(files):3} files")
        up = mostly(calls_up(map(tuple, walk["pairs"]), layers_of(tree)) for walk in walks)
        print(f"{name:8}{'calls up a layer':20}{len(up):4}")
        if given.walk:
            by_file: dict[str, list[str]] = {}
            for file, function in points["all written"]:
                by_file.setdefault(file, []).append(function)
            for file, entered in by_file.items():
                print(f"\n{file}\n    {', '.join(entered)}")
            print("", *(f"up: {caller} calls {called}" for caller, called in up), sep="\n")
            text = (tree / "CONTRIBUTING.md").read_text() if (tree / "CONTRIBUTING.md").exists() else ""
            print(
                *(f"not in CONTRIBUTING.md: {file}" for file in by_file if Path(file).name not in text),
                sep="\n",
            )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
