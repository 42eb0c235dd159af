"""What is shipped, and what the README promises about it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import nbagent
from tests.test_architecture import MODULES, imports_of, room_of

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "pylock.toml")
# a package's name on the index, where it is not its import name
DISTRIBUTION_OF = {
    "markdown_it": "markdown-it-py",
    "genai_prices": "genai-prices",
    "math_core": "math-core",
    "jsonschema_rs": "jsonschema-rs",
    "pydantic_core": "pydantic",
    "traitlets": "ipython",
}
# the mcp room's libraries come with its extra
OPTIONAL = frozenset(
    {"anyio", "dbos", "ipylab", "matplotlib", "mcp", "mcp_types", "opentelemetry", "psycopg", "pydantic_ai"}
)


def command(name: str) -> str:
    """Return the one line between the fences that follow `<!-- ci:name -->` in the README."""
    blocks = re.findall(
        rf"<!-- ci:{name} -->\n```\w*\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert len(blocks) == 1, f"README.md has {len(blocks)} blocks marked ci:{name}"
    assert "\n" not in blocks[0], f"ci:{name} is more than one line"
    return str(blocks[0])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that pip would install, built by the project's own build backend, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    """Modules, SQL, JavaScript, CSS, the demo model's script and facts, and the typing marker are shipped; tests, notebooks and caches are not."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nbagent").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == package
    assert {"nbagent/py.typed", "nbagent/__init__.py"} <= shipped
    suffixes = {Path(name).suffix for name in shipped}
    assert {".py", ".sql", ".js", ".css", ".toml", ".json"} <= suffixes


def test_the_wheel_says_what_it_is(wheel):
    """Name, version, license and the Python floor are in the metadata; the license text is inside."""
    metadata = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    text = wheel.read(metadata).decode()
    for line in ("Name: nbagent-jupyter", f"Version: {PROJECT['version']}", "Requires-Python: >=3.11"):
        assert f"\n{line}\n" in text
    assert "License-Expression: MIT" in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_version_is_one():
    """`nbagent.__version__` is the version of pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-c", "import nbagent; print(nbagent.__version__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == PROJECT["version"]


def test_the_changelog_has_a_place_for_the_next_change():
    """The changelog opens with an Unreleased section."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)


def test_every_library_imported_is_a_dependency():
    """Nothing is imported that only another package's requirements happen to bring."""
    declared = {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in PROJECT["dependencies"]}
    imported = {
        imported.target.partition(".")[0]
        for path in MODULES
        for imported in imports_of(path)
        if not imported.typing_only and room_of(path) != "guests"
    }
    foreign = imported - sys.stdlib_module_names - {"nbagent"} - OPTIONAL
    missing = {name for name in foreign if DISTRIBUTION_OF.get(name, name).lower() not in declared}
    assert not missing


def test_no_lock_file():
    """Lock files name registries; none is kept."""
    found = [name for name in LOCK_FILES if (ROOT / name).exists()]
    assert not found


def test_the_readme_has_its_two_commands():
    """One line installs and opens the first notebook, one installs and passes the tests."""
    start = "python3 -m venv .venv && . .venv/bin/activate && python -m pip install -e "
    notebook = "notebooks/01-first-run.ipynb"
    assert command("first-run") == f'{start}".[lab]" && jupyter lab {notebook}'
    assert command("first-run-headless") == f"jupyter execute {notebook}"
    assert command("tests") == f'{start}".[test]" && python -m pytest'
    assert (ROOT / notebook).is_file()


def test_the_readme_is_short_and_points_at_what_there_is():
    """Under 150 lines; every path of the tree that it names exists, every name of ours is public."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 150
    named = re.findall(r"(?<![.\w])(?:nbagent|tests|notebooks)/[\w./-]+\w", text)
    assert "tests/README.md" in named
    assert [path for path in named if not (ROOT / path).exists()] == []
    public = set(re.findall(r"\bnb\.(\w+)", text))
    assert public - set(nbagent.__all__) == set()


def test_where_contributing_says_that_a_button_goes_is_where_buttons_are():
    """The function that CONTRIBUTING.md names decides on a row's button, in the file that it names."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.search(r"`(\w+)` in `(frontend/src/[\w/]+\.ts)`", text)
    assert found
    assert f"function {found[1]}(" in (ROOT / found[2]).read_text()


def test_ci_is_a_program():
    """`.ci/run` can be executed and is valid bash."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_ignored_rule_has_its_reason():
    """Each lint rule that is switched off says why, on its line."""
    text = (ROOT / "pyproject.toml").read_text()
    rules = [line for line in text.splitlines() if re.match(r'\s+"[A-Z]+\d+",', line)]
    assert rules
    assert [line for line in rules if not re.search(r"#\s*\w+", line)] == []


def test_suppressions_in_the_code_name_their_rule():
    """`noqa` and `type: ignore` are never blank."""
    blank = re.compile(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[))")
    found = [
        f"{p.name}:{n}"
        for p in MODULES
        for n, line in enumerate(p.read_text().splitlines(), 1)
        if blank.search(line)
    ]
    assert not found
