"""The shape of the package, held as data: layers, third-party borders, sizes, names, what an import costs.

A module imports from rooms of lower layers, and from its own room. Everything else is listed here, so that a
new arrow in the picture is a line in this file's diff.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nbagent"

# a room is a top-level module or folder; imports point down
LAYERS: dict[int, tuple[str, ...]] = {
    7: ("__init__",),
    6: ("magics", "kernel", "panel", "maintenance"),
    5: ("agent", "team", "session", "batch", "frames", "plots", "compare"),
    4: ("runtime",),
    3: ("loop", "mcp", "store", "models", "tracing"),
    2: ("spec", "tools", "schemas", "prompts", "demo"),
    1: ("events", "run"),
    0: ("errors", "core", "settings"),
}
LAYER_OF = {room: layer for layer, rooms in LAYERS.items() for room in rooms}

# what a room may import from its own layer, with the reason
SIBLINGS: dict[tuple[str, str], str] = {
    ("settings", "errors"): "an unknown option is an error of ours",
    ("core", "settings"): "how large a message may be is an option",
    ("run", "events"): "a run is a fold over events",
    ("tools", "schemas"): "arguments are validated like structured output",
    ("tools", "prompts"): "defaults and results are shown as text",
    ("schemas", "prompts"): "a schema's JSON is rendered like a value",
    ("loop", "models"): "the loop asks the Model protocol, and prices the answer",
    ("team", "agent"): "a team's members are agents",
    ("agent", "batch"): "agent.map",
    ("agent", "session"): "a run joins a session",
    ("batch", "frames"): "a batch's frame",
    ("compare", "agent"): "each contender is an agent",
    ("compare", "frames"): "the answers side by side are a frame",
    ("plots", "frames"): "pictures are drawn from frames",
    ("magics", "kernel"): "cell ids and the control handlers",
    ("magics", "panel"): "%agent shows the panel",
    ("magics", "maintenance"): "%agent record, clear, export, doctor",
    ("maintenance", "kernel"): "what the kernel can do",
    ("panel", "kernel"): "commands travel over the control channel",
}

# rooms that may import less than their layer allows
ONLY: dict[str, frozenset[str]] = {
    # a server of its own, in a process of its own: an outsider that happens to ship with the package
    "demo": frozenset({"errors", "core", "settings"}),
    "errors": frozenset(),
    # frames read the record; they do not know who made it
    "frames": frozenset({"errors", "core", "settings", "events", "run", "schemas", "store", "runtime"}),
}

ANYWHERE = frozenset({"orjson", "pydantic", "pydantic_core", "typing_extensions"})
THIRD_PARTY: dict[str, frozenset[str]] = {
    "IPython": frozenset({"magics", "kernel", "panel"}),
    "aiohttp": frozenset(),
    "anyio": frozenset({"mcp"}),
    "anywidget": frozenset({"panel"}),
    "docstring_parser": frozenset({"tools"}),
    "duckdb": frozenset({"store"}),
    "genai_prices": frozenset({"models"}),
    "httpx": frozenset(),
    "httpx2": frozenset(),
    "ipykernel": frozenset({"magics", "kernel", "panel"}),
    "ipywidgets": frozenset({"magics", "kernel", "panel"}),
    "jinja2": frozenset({"prompts"}),
    "jsonschema_rs": frozenset({"demo", "mcp", "schemas"}),
    "markdown_it": frozenset({"panel"}),
    "matplotlib": frozenset({"plots"}),
    "mcp": frozenset({"mcp"}),
    "mcp_types": frozenset({"mcp"}),
    "nh3": frozenset({"panel"}),
    "numpy": frozenset({"frames"}),
    "openai": frozenset({"models"}),
    "opentelemetry": frozenset({"tracing"}),
    "pandas": frozenset({"batch", "frames", "plots", "schemas"}),
    "psutil": frozenset({"store"}),
    "starlette": frozenset({"demo"}),
    "tqdm": frozenset({"batch"}),
    "traitlets": frozenset({"magics", "kernel", "panel"}),
    "uvicorn": frozenset({"demo"}),
}

BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
MODULE_LINES_MAX, MODULE_LINES_GOOD = 600, 350
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6

HEAVY = (
    "pandas", "numpy", "duckdb", "openai", "IPython", "ipykernel", "ipywidgets", "anywidget", "matplotlib",
    "starlette", "uvicorn", "aiohttp", "httpx", "httpx2",
)  # fmt: skip

MODULES = sorted(PACKAGE.rglob("*.py"))
LIGHT_MODULES = [
    f"nbagent.{room}"
    for room, layer in LAYER_OF.items()
    if layer <= 2 and room != "demo" and ((PACKAGE / f"{room}.py").exists() or (PACKAGE / room).is_dir())
]


def name_of(path: Path) -> str:
    """Return a module's path inside the package, for test ids and messages."""
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """Return the room that a file of the package is in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import statement's target; `typing_only` inside `if TYPE_CHECKING:`."""

    target: str
    line: int
    typing_only: bool


def imports_of(path: Path) -> Iterator[Import]:
    """Yield every import of a module, also those inside functions, as absolute dotted names."""
    tree = ast.parse(path.read_text())
    typing_only: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            typing_only.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        for target in _targets(node, path):
            yield Import(target=target, line=node.lineno, typing_only=node in typing_only)


def _targets(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parents = ("nbagent", *path.relative_to(PACKAGE).parent.parts)
        base = parents[: len(parents) - node.level + 1] if node.level else ()
        module = ".".join((*base, *filter(None, [node.module])))
        # `from nbagent import x` names the room x, `from openai import x` the package openai
        yield from (f"{module}.{alias.name}" for alias in node.names)


def target_room(target: str) -> str | None:
    """Return the room that a dotted name of ours points into, None for other packages."""
    parts = target.split(".")
    if parts[0] != "nbagent":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LAYER_OF else "__init__"


def complaint(room: str, imported: Import) -> str | None:
    """Say what is wrong with one import of a room, None when nothing is."""
    target = target_room(imported.target)
    if target is None:
        return library_complaint(room, imported)
    if target == room:
        return None
    if room in ONLY and target not in ONLY[room] and not imported.typing_only:
        return f"{room} may import only {sorted(ONLY[room])}"
    if LAYER_OF[target] > LAYER_OF[room]:
        return f"{target} is on layer {LAYER_OF[target]}, {room} on {LAYER_OF[room]}: imports point down"
    same = LAYER_OF[target] == LAYER_OF[room]
    if same and not imported.typing_only and (room, target) not in SIBLINGS:
        return f"{room} and {target} are on one layer, and SIBLINGS does not list the pair"
    return None


def library_complaint(room: str, imported: Import) -> str | None:
    """Say what is wrong with a room's import of another package; naming its types costs nothing."""
    package = imported.target.partition(".")[0]
    if package in sys.stdlib_module_names or package in ANYWHERE:
        return None
    if package not in THIRD_PARTY:
        return f"{package} is in no table; a new dependency is a line in THIRD_PARTY"
    allowed = THIRD_PARTY[package]
    if room in allowed or (allowed and imported.typing_only):
        return None
    return f"{package} is imported only in {sorted(allowed) or 'no module'}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_module_has_a_room(path):
    """A new top-level module or folder takes its place in the table first."""
    assert room_of(path) in LAYER_OF, f"{name_of(path)} is on no layer; add its room to LAYERS"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down_and_libraries_stay_in_their_rooms(path):
    """Imports go to lower layers, inside a room, or where a table says so; function-level ones count too."""
    room = room_of(path)
    found = [(i, complaint(room, i)) for i in imports_of(path)]
    wrong = [f"{name_of(path)}:{i.line} imports {i.target}: {why}" for i, why in found if why]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("room", "target", "typing_only", "allowed"),
    [
        ("loop", "nbagent.events.Event", False, True),
        ("loop", "nbagent.runtime.Run", False, False),
        ("loop", "nbagent.store.Store", False, False),
        ("frames", "nbagent.agent", False, False),
        ("runtime", "nbagent.store.schema", False, True),
        ("spec", "nbagent.tools.Tool", True, True),
        ("spec", "nbagent.tools.Tool", False, False),
        ("events", "nbagent.runtime.Run", True, False),
        ("agent", "nbagent.Agent", False, False),
        ("store", "duckdb.connect", False, True),
        ("frames", "duckdb", False, False),
        ("runtime", "pandas", True, True),
        ("models", "httpx2", True, False),
        ("models", "requests", False, False),
        ("demo", "nbagent.events", False, False),
    ],
)
def test_the_import_rule_tells_right_from_wrong(room, target, typing_only, allowed):
    """The rule that the tests above lean on is itself a table of cases."""
    said = complaint(room, Import(target=target, line=1, typing_only=typing_only))
    assert (said is None) == allowed, said


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_short(path):
    """No module over 600 lines; those over 350 are listed by `test_the_long_modules_are_listed`."""
    lines = len(path.read_text().splitlines())
    assert lines <= MODULE_LINES_MAX, (
        f"{name_of(path)} has {lines} lines; split it into a folder of that name"
    )


def test_the_long_modules_are_listed(record_property, capsys):
    """Modules past the good size are named in the output of `pytest -s`, longest first."""
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    long = sorted((item for item in sizes.items() if item[1] > MODULE_LINES_GOOD), key=lambda item: -item[1])
    record_property("long_modules", long)
    with capsys.disabled():
        for name, lines in long:
            print(f"\nnote: nbagent/{name} has {lines} lines, over {MODULE_LINES_GOOD}", end="")
    assert all(lines <= MODULE_LINES_MAX for _, lines in long)


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short(path):
    """No function over 60 lines, its docstring apart."""
    wrong = [f"{f.name} has {lines_of(f)}" for f in functions_of(path) if lines_of(f) > FUNCTION_LINES_MAX]
    assert not wrong, f"{name_of(path)}: {', '.join(wrong)} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_take_few_positional_parameters(path):
    """At most six parameters by position; options of public verbs are keyword-only."""
    wrong = [
        f.name for f in functions_of(path) if len(f.args.posonlyargs) + len(f.args.args) > PARAMETERS_MAX + 1
    ]
    assert not wrong, f"{name_of(path)}: {', '.join(wrong)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_a_drawer(path):
    """A name says what is inside; `utils` says nothing."""
    assert not BANNED_NAMES & {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_module_says_what_it_is(path):
    """Every module opens with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name_of(path)} has no docstring"


def rooms_in_tree() -> set[str]:
    """Return the rooms that there are: the package's top-level modules and folders."""
    return {room_of(path) for path in MODULES} - {"__init__"}


def test_the_module_map_is_the_tree():
    """`nbagent.__doc__` is the map: each room stands in it once, none that is not there, upper layers first."""
    text = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text())) or ""
    lines = text.partition("Where things are")[2].splitlines()
    told = [line.strip().partition("  ") for line in lines if line.startswith("    ")]
    rooms = [room for names, _, _ in told for room in names.split()]
    assert all(meaning.strip() for _, _, meaning in told)
    assert sorted(rooms) == sorted(rooms_in_tree())
    layers = [LAYER_OF[room] for room in rooms]
    assert layers == sorted(layers, reverse=True)


def test_the_readme_shows_the_layers_as_they_are():
    """The README's map has a line for each layer, top down, and on it the rooms of the table that there are."""
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- map -->\n```\n(.*?)```", readme, re.DOTALL)
    assert block, "README.md has no block marked <!-- map -->"
    shown = [set(line.partition("  ")[0].split()) for line in block[1].splitlines()]
    tree = rooms_in_tree()
    assert shown == [set(rooms) & tree for layer, rooms in LAYERS.items() if layer < max(LAYERS)]


def loaded_by(module: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded after importing a module."""
    code = f"import sys, {module}; print(' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["nbagent", *LIGHT_MODULES])
def test_the_lower_layers_load_nothing_heavy(module):
    """`import nbagent` and the modules of layers 0 to 2 cost neither pandas nor a database nor IPython."""
    assert loaded_by(module) == set()


def test_each_test_states_its_rule():
    """A test's docstring is the rule that it holds."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    silent = [
        f"{path.relative_to(ROOT)}::{function.name}"
        for path in files
        for function in functions_of(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent, "\n".join(silent)


def asserts(function: ast.AST, asserting: frozenset[str]) -> bool:
    """Whether a function asserts by itself, or calls one of those that do."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in asserting or name == "raises":
                return True
    return False


def test_each_test_asserts():
    """A test fails for what it asserts, by itself or through a function of the tests, never only by raising."""
    functions = [one for path in (ROOT / "tests").rglob("*.py") for one in functions_of(path)]
    asserting: frozenset[str] = frozenset()
    while asserting != (more := frozenset(one.name for one in functions if asserts(one, asserting))):
        asserting = more
    idle = [one.name for one in functions if one.name.startswith("test_") and not asserts(one, asserting)]
    assert not idle, "\n".join(idle)
