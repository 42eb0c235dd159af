"""The shape of the package, held as data: layers, third-party borders, circles, sizes, names, what an import costs.

A module imports from rooms of lower layers, and from its own room. Everything else is listed here, so that a
new arrow in the picture is a line in this file's diff. Each test lists all offenders at once; what a rule does
not hold for yet stands in `KNOWN`, and an entry that no longer offends fails until it is taken out.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nbagent"

# a room is a top-level module or folder; imports point down
LAYERS: dict[int, tuple[str, ...]] = {
    7: ("__init__", "compat"),
    6: ("magics", "kernel", "panel", "notebook_tools", "maintenance", "worker"),
    5: ("agent", "team", "session", "spending", "batch", "frames", "plots", "evaluation", "guests"),
    4: ("runtime",),
    3: ("loop", "mcp", "store", "models", "tracing"),
    2: ("spec", "tools", "schemas", "template", "prompts", "demo"),
    1: ("events", "run"),
    0: ("errors", "core", "settings"),
}
LAYER_OF = {room: layer for layer, rooms in LAYERS.items() for room in rooms}

# what a room may import from its own layer, with the reason
SIBLINGS: dict[tuple[str, str], str] = {
    ("settings", "errors"): "an unknown option is an error of ours",
    ("core", "settings"): "how large a message may be is an option",
    ("core", "errors"): "a wrong argument is an error of ours",
    ("run", "events"): "a run is a fold over events",
    ("tools", "schemas"): "arguments are validated like structured output",
    ("template", "prompts"): "what a person fills a template with is what a run does",
    ("tools", "prompts"): "defaults and results are shown as text",
    ("schemas", "prompts"): "a schema's JSON is rendered like a value",
    ("loop", "models"): "the loop asks the Model protocol, and prices the answer",
    ("compat", "__init__"): "other systems' words over the public API",
    ("guests", "agent"): "a guest has an agent's verbs",
    ("guests", "batch"): "each row is asked, also one that was before",
    ("team", "guests"): "a member may be another framework's",
    ("evaluation", "guests"): "so may a contender",
    ("team", "agent"): "a team's members are agents",
    ("agent", "batch"): "agent.map",
    ("agent", "session"): "a run joins a session",
    ("batch", "frames"): "a batch's frame",
    ("evaluation", "agent"): "each contender is an agent",
    ("evaluation", "batch"): "the answers are a batch for each contender",
    ("evaluation", "frames"): "the answers side by side are a frame",
    ("plots", "frames"): "pictures are drawn from frames",
    ("magics", "kernel"): "cell ids and the control handlers",
    ("magics", "panel"): "%agent shows the panel",
    ("magics", "maintenance"): "%agent record, clear, export, doctor",
    ("magics", "notebook_tools"): "%load_ext keeps cells, --notebook",
    ("notebook_tools", "kernel"): "the shell whose cells are kept, and what code shows",
    ("maintenance", "kernel"): "what the kernel can do",
    ("panel", "kernel"): "commands travel over the control channel",
}

# rooms that may import less than their layer allows
ONLY: dict[str, frozenset[str]] = {
    # a server of its own, in a process of its own: an outsider that happens to ship with the package
    "demo": frozenset({"errors", "core", "settings"}),
    "errors": frozenset(),
    # frames read the record; they do not know who made it, only whether its provider asks for money (models)
    "frames": frozenset(
        {"errors", "core", "settings", "events", "run", "schemas", "store", "runtime", "models"}
    ),
}

ANYWHERE = frozenset({"orjson", "pydantic", "pydantic_core", "typing_extensions"})
THIRD_PARTY: dict[str, frozenset[str]] = {
    "IPython": frozenset({"magics", "kernel", "panel"}),
    "agent_framework": frozenset({"guests"}),
    "agents": frozenset({"guests"}),
    "agno": frozenset({"guests"}),
    "aiohttp": frozenset({"demo", "models"}),
    "anyio": frozenset({"mcp"}),
    "anywidget": frozenset({"panel"}),
    "ipylab": frozenset({"panel"}),
    "dbos": frozenset({"worker"}),
    "docstring_parser": frozenset({"tools"}),
    "duckdb": frozenset({"store"}),
    "genai_prices": frozenset({"models"}),
    "httpx": frozenset(),
    "httpx2": frozenset(),
    "ipykernel": frozenset({"magics", "kernel", "panel"}),
    "ipywidgets": frozenset({"magics", "kernel", "panel"}),
    "jinja2": frozenset({"prompts"}),
    "jsonschema_rs": frozenset({"demo", "mcp", "schemas"}),
    "langgraph": frozenset({"guests"}),
    "markdown_it": frozenset({"panel"}),
    "math_core": frozenset({"panel"}),
    "matplotlib": frozenset({"plots"}),
    "mcp": frozenset({"mcp"}),
    "mcp_types": frozenset({"mcp"}),
    "nh3": frozenset({"panel"}),
    "numpy": frozenset({"evaluation", "frames"}),
    "openai": frozenset({"models"}),
    "opentelemetry": frozenset({"tracing"}),
    "pandas": frozenset({"batch", "evaluation", "frames", "plots", "schemas"}),
    "psutil": frozenset({"store"}),
    "psycopg": frozenset({"store"}),
    "pygments": frozenset({"panel"}),
    "pydantic_ai": frozenset({"guests", "models"}),
    "tqdm": frozenset({"batch"}),
    "truststore": frozenset({"models"}),
    "traitlets": frozenset({"magics", "kernel", "panel"}),
}

BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
MODULE_LINES_MAX, MODULE_LINES_GOOD = 450, 350
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6
ROOM_FILES_MAX = 12

# base names that stand twice in a room on purpose: files that mirror each other
MIRRORED: dict[str, frozenset[str]] = {
    "panel": frozenset({"data.py", "static_html.py", "widget.py"}),
}

HEAVY = (
    "pandas", "numpy", "duckdb", "openai", "IPython", "ipykernel", "ipywidgets", "anywidget", "ipylab", "matplotlib",
    "starlette", "uvicorn", "aiohttp", "httpx", "httpx2", "psycopg", "dbos",
)  # fmt: skip

# rule -> those it does not hold for, yet; an entry that no longer offends must go
KNOWN: dict[str, frozenset[str]] = {}

MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "tests/README.md", ".ci/run", "pyproject.toml")


def expect_none(rule: str, offenders: Iterable[str]) -> None:
    """Fail with every offender, each `WHO` or `WHO: what`, that `KNOWN` does not list, and every entry that is none."""
    found: dict[str, list[str]] = defaultdict(list)
    for offender in offenders:
        found[offender.partition(": ")[0]].append(offender)
    known = KNOWN.get(rule, frozenset())
    new = sorted(line for who in found.keys() - known for line in found[who])
    assert not new, "\n".join([f"{rule}:", *new])
    gone = sorted(known - found.keys())
    assert not gone, "\n".join([f"take out of KNOWN[{rule!r}], they no longer offend:", *gone])


def name_of(path: Path) -> str:
    """Return a module's path inside the package, for messages."""
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """Return the room that a file of the package is in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    """Return a file's dotted name; a folder's is its `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PATH_OF = {module_of(path): path for path in MODULES}


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import statement's target; `typing_only` inside `if TYPE_CHECKING:`."""

    target: str
    line: int
    typing_only: bool


def imports_of(path: Path) -> Iterator[Import]:
    """Yield every import of a module, also those inside functions, as absolute dotted names."""
    tree = tree_of(path)
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


@cache
def exports_of(room: str) -> frozenset[str]:
    """Return the names in a room's `__all__`."""
    for node in tree_of(PATH_OF[room]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def target_module(target: str, importer: str) -> str | None:
    """Return the module of ours that an import reads: a room's own, for a name that the room exports."""
    door, _, name = target.rpartition(".")
    exported = door in PATH_OF and name in exports_of(door)
    if target in PATH_OF and not (exported and not f"{importer}.".startswith(f"{door}.")):
        return target
    return door if door in PATH_OF else None


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


def test_imports_point_down_and_libraries_stay_in_their_rooms():
    """Imports go to lower layers, inside a room, or where a table says so; function-level ones count too."""
    homeless = [
        f"{name_of(path)} is in no room of LAYERS" for path in MODULES if room_of(path) not in LAYER_OF
    ]
    expect_none("a new top-level module or folder takes its place in LAYERS first", homeless)
    found = [(path, i, complaint(room_of(path), i)) for path in MODULES for i in imports_of(path)]
    expect_none(
        "imports point down",
        (f"{name_of(p)}:{i.line} imports {i.target}: {why}" for p, i, why in found if why),
    )


RIGHT_AND_WRONG_IMPORTS = [
    # room, target, whether under TYPE_CHECKING, whether it is allowed
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
]


def test_the_rules_tell_right_from_wrong():
    """The import rule and the search for circles are themselves held by tables of cases."""
    for room, target, typing_only, allowed in RIGHT_AND_WRONG_IMPORTS:
        said = complaint(room, Import(target=target, line=1, typing_only=typing_only))
        assert (said is None) == allowed, (room, target, said)
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"a", "c"}, "c": set()}) == [["a", "b"]]
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d"}}) == [
        ["a", "b", "c"],
        ["d", "e"],
    ]


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that reach each other, each sorted."""

    def reached(start: str) -> frozenset[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in edges[waiting.pop()] - seen:
                seen.add(target)
                waiting.append(target)
        return frozenset(seen)

    from_ = {module: reached(module) for module in edges}
    groups = {
        tuple(sorted(other for other in from_[module] if module in from_[other]))
        for module in edges
        if module in from_[module]
    }
    return [list(group) for group in sorted(groups)]


def import_graph() -> dict[str, set[str]]:
    """Return which module of ours imports which, TYPE_CHECKING and functions included."""
    edges: dict[str, set[str]] = defaultdict(set, {module: set() for module in PATH_OF})
    for module, path in PATH_OF.items():
        targets = {target_module(i.target, module) for i in imports_of(path)}
        edges[module] = {target for target in targets if target is not None and target != module}
    return edges


def test_no_imports_go_in_circles():
    """Whoever reads a module downwards comes to an end: also imports for types alone make no circle."""
    groups = circles(import_graph())
    expect_none(
        "no circle of imports",
        (f"{' and '.join(sorted({m.split('.')[1] for m in group}))}: {', '.join(group)}" for group in groups),
    )


@cache
def names_in(module: str) -> set[str]:
    """Return the names that a module of ours has at its top level: defined, imported, assigned."""
    nodes = [one for top in tree_of(PATH_OF[module]).body for one in (top, *ast.iter_child_nodes(top))]
    named = {
        node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    aliases = [
        alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    ]
    assigned = (one for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name))
    return named | {alias.asname or alias.name for alias in aliases} | {one.id for one in assigned}


def test_tests_and_benchmarks_import_what_there_is():
    """A name that a test or a benchmark imports from nbagent is still there: a benchmark would only tell when it is run."""
    gone = [
        f"{path.relative_to(ROOT).as_posix()}: {node.module}.{alias.name}"
        for path in TESTS
        if path.name != "earlier_record.py"  # it runs in the checkout that the record is of
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "nbagent"
        for alias in node.names
        if f"{node.module}.{alias.name}" not in PATH_OF
        and (
            node.module not in PATH_OF
            or alias.name not in {"*", *names_in(node.module), *exports_of(node.module)}
        )
    ]
    expect_none("what is imported is there", gone)


def test_rooms_import_rooms():
    """What another room uses is exported by the room: `from nbagent.x import y`, never one of its files."""
    inner = [
        f"{name_of(path)} imports {target}"
        for module, path in PATH_OF.items()
        for i in imports_of(path)
        if (target := target_module(i.target, module)) is not None
        and target.count(".") > 1
        and target_room(target) != room_of(path)
    ]
    expect_none("no import of another room's file", inner)


def test_rooms_are_small_enough_to_list():
    """At most twelve files stand beside `__init__.py` in a folder, data files among them."""
    folders: dict[Path, int] = defaultdict(int)
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix in {".py", ".sql", ".json", ".toml"} and path.name != "__init__.py":
            folders[path.parent] += 1
    full = [f"{folder.relative_to(ROOT)}" for folder, files in folders.items() if files > ROOM_FILES_MAX]
    expect_none(f"at most {ROOM_FILES_MAX} files in a folder", full)


def test_modules_are_short(capsys):
    """No module over 450 lines; those past the good size are named in the output, longest first."""
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    long = sorted((item for item in sizes.items() if item[1] > MODULE_LINES_GOOD), key=lambda item: -item[1])
    with capsys.disabled():
        for name, lines in long:
            print(f"\nnote: nbagent/{name} has {lines} lines, over {MODULE_LINES_GOOD}", end="")
    expect_none(
        "a long module is split",
        (f"{name}: {lines} lines" for name, lines in long if lines > MODULE_LINES_MAX),
    )


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_functions_are_short_and_take_few_parameters():
    """No function over 60 lines, its docstring apart, nor over six parameters by position."""
    functions = [(name_of(path), f) for path in MODULES for f in functions_of(path)]
    long = [f"{name}: {f.name}" for name, f in functions if lines_of(f) > FUNCTION_LINES_MAX]
    expect_none(f"no function over {FUNCTION_LINES_MAX} lines", long)
    many = [
        f"{name}: {f.name}"
        for name, f in functions
        if len(f.args.posonlyargs) + len(f.args.args) > PARAMETERS_MAX + 1
    ]
    expect_none(
        f"no function with over {PARAMETERS_MAX} positional parameters; make options keyword-only", many
    )


def test_names_say_what_is_inside():
    """No drawer (`utils`), no name of the standard library, no base name twice in a room; each module has a docstring."""
    parts = {(name_of(p), part.removesuffix(".py")) for p in MODULES for part in p.relative_to(PACKAGE).parts}
    expect_none("a name says what is inside", (name for name, part in parts if part in BANNED_NAMES))
    expect_none(
        "no name of the standard library", (n for n, part in parts if part in sys.stdlib_module_names)
    )
    bases: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py" and path.name not in MIRRORED.get(room_of(path), ()):
            bases[room_of(path), path.name].append(name_of(path))
    expect_none(
        "no base name twice in a room", (n for names in bases.values() if len(names) > 1 for n in names)
    )
    expect_none(
        "a module opens with a docstring", (name_of(p) for p in MODULES if not ast.get_docstring(tree_of(p)))
    )


def rooms_in_tree() -> set[str]:
    """Return the rooms that there are: the package's top-level modules and folders."""
    return {room_of(path) for path in MODULES} - {"__init__"}


def test_the_maps_are_the_tree():
    """`nbagent.__doc__` has each room once, upper layers first; the README has a line for each layer, top down."""
    text = ast.get_docstring(tree_of(PACKAGE / "__init__.py")) or ""
    lines = text.partition("Where things are")[2].splitlines()
    told = [line.strip().partition("  ") for line in lines if line.startswith("    ")]
    rooms = [room for names, _, _ in told for room in names.split()]
    assert all(meaning.strip() for _, _, meaning in told)
    assert sorted(rooms) == sorted(rooms_in_tree())
    layers = [LAYER_OF[room] for room in rooms]
    assert layers == sorted(layers, reverse=True)
    block = re.search(r"<!-- map -->\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block, "README.md has no block marked <!-- map -->"
    shown = [set(line.partition("  ")[0].split()) for line in block[1].splitlines()]
    assert shown == [set(rooms) & rooms_in_tree() for layer, rooms in LAYERS.items() if layer < max(LAYERS)]


def test_the_lower_layers_load_nothing_heavy():
    """`import nbagent` and each room of layers 0 to 2 cost neither pandas nor a database nor IPython."""
    light = [room for room in sorted(rooms_in_tree()) if LAYER_OF[room] <= 2 and room != "demo"]
    code = f"""import importlib, sys
for module in {["nbagent", *(f"nbagent.{room}" for room in light)]!r}:
    importlib.import_module(module)
    for package in {HEAVY!r}:
        if sys.modules.pop(package, None):
            print(module, "loads", package)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    expect_none("a light room loads nothing heavy", done.stdout.splitlines())


# what reads like a file of ours and is none
NO_FILES = frozenset({"nb.sql", "agents.py"})  # a name of SQL, and what a user may call a module
FOLDER_NAME = re.compile(r"`((?:nbagent|tests|notebooks|docs)/(?:[\w.-]+/)*)`")
FILE_NAME = re.compile(r"(?<![\w/.:*{<-])[\w./-]*\w\.(?:py|sql|js|css)\b(?![\w(/*])")


def files_named_in(text: str) -> set[str]:
    """Return what reads like a file's path in a text: `agent.py`, `nbagent/panel/panel.js`."""
    return {match.removeprefix("../") for match in FILE_NAME.findall(text)}


def is_file_of_ours(name: str) -> bool:
    """Whether some file of the repository's ends with this path."""
    return any(path == name or path.endswith(f"/{name}") for path in _files())


@cache
def _files() -> tuple[str, ...]:
    folders = ("nbagent", "tests", "notebooks", "docs", "binder", ".ci")
    inside = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return tuple(path.relative_to(ROOT).as_posix() for path in (*inside, *ROOT.glob("*")))


def test_documents_and_docstrings_name_files_that_exist():
    """A path in README, CONTRIBUTING or tests/README, and a file name in a module's docstring or comment, is there."""
    texts = {name: (ROOT / name).read_text() for name in DOCUMENTS if (ROOT / name).exists()}
    texts |= {name_of(path): path.read_text() for path in MODULES}
    texts |= {path.relative_to(ROOT).as_posix(): ast.get_docstring(tree_of(path)) or "" for path in TESTS}
    expect_none("a file that is named exists", _missing(texts))
    folders = [(name, folder) for name, text in texts.items() for folder in FOLDER_NAME.findall(text)]
    expect_none("a folder that is named exists", (f"{n}: {f}" for n, f in folders if not (ROOT / f).is_dir()))


def _missing(texts: Mapping[str, str]) -> list[str]:
    return [
        f"{name}: {file}"
        for name, text in texts.items()
        for file in files_named_in(text)
        if file not in NO_FILES and not is_file_of_ours(file)
    ]


def test_each_test_states_its_rule():
    """A test's docstring is the rule that it holds."""
    silent = [
        f"{path.relative_to(ROOT)}::{function.name}"
        for path in TESTS
        if path.name.startswith("test_")
        for function in functions_of(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    expect_none("a test states its rule", silent)


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
    functions = [one for path in TESTS for one in functions_of(path)]
    asserting: frozenset[str] = frozenset()
    while asserting != (more := frozenset(one.name for one in functions if asserts(one, asserting))):
        asserting = more
    idle = [one.name for one in functions if one.name.startswith("test_") and not asserts(one, asserting)]
    expect_none("a test asserts", idle)


CLOCKS = frozenset({"monotonic", "perf_counter", "time", "process_time", "thread_time"})


def clock_bounds(function: ast.AST) -> Iterator[str]:
    """Yield what a function asserts of a time that it measures: that it is below some constant."""
    measured: set[str] = set()

    def is_measured(node: ast.AST) -> bool:
        return any(
            (isinstance(one, ast.Name) and one.id in measured)
            or (isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in CLOCKS)
            for one in ast.walk(node)
        )

    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and is_measured(node.value):
            names = (one for target in node.targets for one in ast.walk(target))
            measured |= {one.id for one in names if isinstance(one, ast.Name)}

    def is_constant(node: ast.AST) -> bool:
        return all(one.id.isupper() for one in ast.walk(node) if isinstance(one, ast.Name))

    asserted = (one.test for one in ast.walk(function) if isinstance(one, ast.Assert))
    for compared in (one for test in asserted for one in ast.walk(test) if isinstance(one, ast.Compare)):
        sides = [compared.left, *compared.comparators]
        for left, op, right in zip(sides, compared.ops, sides[1:], strict=False):
            below, above = (right, left) if isinstance(op, ast.Gt | ast.GtE) else (left, right)
            ordered = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
            if ordered and is_measured(below) and is_constant(above):
                yield ast.unparse(compared)


def test_no_test_bounds_wall_clock_time():
    """How long something takes is for benchmarks: a loaded machine is slow, and right all the same."""
    timed = ast.parse(
        "def f():\n    began = time.monotonic()\n    took = time.monotonic() - began\n    assert took < 2"
    )
    net = ast.parse("def f():\n    deadline = time.monotonic() + 9\n    assert time.monotonic() < deadline")
    assert (list(clock_bounds(timed)), list(clock_bounds(net))) == (["took < 2"], [])
    expect_none(
        "a test bounds no wall-clock time",
        (
            f"{path.relative_to(ROOT).as_posix()}: {function.name}: {bound}"
            for path in TESTS
            if path.name.startswith("test_") and "soak" not in path.parts
            for function in functions_of(path)
            for bound in clock_bounds(function)
        ),
    )
