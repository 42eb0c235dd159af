"""The documentation's cells run as a reader would run them: page by page, each on a record of its own.

Marked `docs`: the leg `docs` of `.ci/run` runs them and builds the pages.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbagent.models.catalog import table as providers
from tests.magics.shell import loaded_shell

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
CELL = re.compile(r"(<!-- not run: [^>]+-->\n)?```python\n(.*?)```\n(?:gives\n```\n(.*?)```\n)?", re.DOTALL)

pytestmark = pytest.mark.docs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_pages_cells_run_in_their_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cell of a page runs in one shell without an error, and gives what stands below it; what is not run says why."""
    monkeypatch.setenv("NBAGENT_STORE", str(tmp_path / "runs.duckdb"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(providers, "_rows", dict(providers._rows))
    with loaded_shell() as shell:
        for not_run, cell, wanted in CELL.findall(page.read_text()):
            if not_run:
                continue
            done = shell.run_cell(cell)
            assert done.success, f"{page.name}:\n{cell}\n{done.error_in_exec or done.error_before_exec}"
            if wanted:
                assert repr(done.result).split() == wanted.split(), cell
