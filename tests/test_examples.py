"""The examples in docstrings run as they stand: `>>>` of the public names, cells (`In [1]:`) of the magics.

All of them share one store and one demo server, as the cells of a notebook do.
"""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import nbagent as nb
from nbagent.models.catalog import table as providers
from nbagent.store import Store
from tests.magics.shell import loaded_shell

LIKE_A_READER = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PROMPT = re.compile(r"(?:In \[\d+\]|Out\[\d+\]|   \.\.\.): ?(.*)")
ROOT = Path(__file__).resolve().parents[1]
MAGICS = ("%%agent_bg", "%%agent", "%agent", "%%agent_module", "%%after")


@pytest.fixture(scope="module")
def _one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The path of the file's one store, closed after it."""
    path = tmp_path_factory.mktemp("examples") / "runs.duckdb"
    yield path
    from nbagent import runtime

    store: Store | None = runtime.current()._stores.pop(path, None)
    if store is not None:
        store.close()


@pytest.fixture(autouse=True)
def _as_a_reader(_one_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples work in that store and in a folder of their own, and leave no provider behind."""
    monkeypatch.setenv("NBAGENT_STORE", str(_one_store))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(providers, "_rows", dict(providers._rows))


def docstrings_of(name: str) -> Iterator[tuple[str, str]]:
    """Yield the docstrings of a public name with their own names: its own, and those of its public members."""
    found = getattr(nb, name)
    yield name, found.__doc__ or ""
    members = vars(found) if inspect.isclass(found) or inspect.ismodule(found) else {}
    for key, member in members.items():
        inner = getattr(member, "__func__", member)
        own = (getattr(inner, "__module__", None) or "").startswith("nbagent")
        if not key.startswith("_") and own and inspect.isfunction(inner):
            yield f"{name}.{key}", inner.__doc__ or ""


def run_examples(test: doctest.DocTest) -> int:
    """Run a docstring's examples and return how many there were; AssertionError with what they printed instead."""
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=LIKE_A_READER).run(test, out=said.append, clear_globs=False)
    assert result.failed == 0, "".join(said)
    return result.attempted


@pytest.mark.parametrize("name", nb.__all__)
def test_a_public_name_shows_how_it_is_used(name: str) -> None:
    """Each name of `nbagent.__all__` has an example in its docstring, and those of its methods hold too."""
    public = {one: getattr(nb, one) for one in nb.__all__} | {"nb": nb}
    tried = 0
    for where, text in docstrings_of(name):
        tried += run_examples(doctest.DocTestParser().get_doctest(text, dict(public), where, None, None))
    assert tried > 0, f"the docstring of nbagent.{name} has no example (>>> ...)"


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """A shell whose cells the magics' examples are."""
    with loaded_shell() as running:
        yield running


def cells_of(text: str, shell: InteractiveShell) -> list[doctest.Example]:
    """The cells of a docstring and what they show: `In [1]:` begins one, a blank line ends it."""
    found: list[doctest.Example] = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = [line.removeprefix("    ") for line in block.splitlines()]
        if not lines or not lines[0].startswith("In ["):
            continue
        asked = [line for line in lines if line.startswith(("In [", "   ...:"))]
        shown = [line for line in lines if line not in asked]
        cell = "\n".join(match[1] for line in asked if (match := PROMPT.match(line)))
        want = "\n".join(match[1] if (match := PROMPT.match(line)) else line for line in shown)
        found.append(doctest.Example(shell.transform_cell(cell), want and want + "\n"))
    return found


@pytest.mark.parametrize("magic", MAGICS)
def test_a_magic_shows_how_it_is_used(magic: str, shell: InteractiveShell) -> None:
    """What `%%agent_bg?`, `%%agent?` and `%agent?` show has cells that give what stands below them."""
    found = shell.find_magic(magic.lstrip("%"), "cell" if magic.startswith("%%") else "line")
    assert found is not None
    test = doctest.DocTest(cells_of(found.__doc__ or "", shell), {}, magic, None, None, None)
    test.globs = shell.user_ns  # not a copy: `-o NAME` names a variable of the shell's
    assert run_examples(test) > 0
    assert shell.object_inspect_text(magic).count("In [") == len(test.examples)


def test_the_readmes_cell_gives_what_stands_below_it(shell: InteractiveShell) -> None:
    """The first cell of the README, run as it stands, gives the result that it shows; so it does not go stale."""
    text = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- cell -->\n```python\n(.*?)```\n<!-- gives -->\n```\n(.*?)```", text, re.DOTALL)
    assert found
    assert repr(shell.run_cell(found[1]).result).split() == found[2].split()


def test_an_example_that_is_wrong_fails() -> None:
    """The test tells a right answer from a wrong one."""
    parse = doctest.DocTestParser().get_doctest
    assert run_examples(parse(">>> 1 + 1\n2\n", {}, "right", None, None)) == 1
    with pytest.raises(AssertionError, match="Got:"):
        run_examples(parse(">>> 1 + 1\n3\n", {}, "wrong", None, None))
