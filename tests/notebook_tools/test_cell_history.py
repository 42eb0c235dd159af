"""The cells that are kept for the notebook's tools."""

from __future__ import annotations

import pytest

from nbagent.notebook_tools import cell_record
from tests.magics.shell import loaded_shell


@pytest.mark.parametrize(
    "outer",
    [
        "%%capture\n1 + 1",
        "get_ipython().run_cell('print(20 + 1)')\nprint('the outer goes on')",
        "get_ipython().run_cell('1 / 0')\nprint('the outer goes on')",
    ],
)
def test_a_cell_that_runs_another_one_has_ended_when_it_has(outer: str) -> None:
    """Both are kept, each with what it printed itself; neither is at work for ever."""
    with loaded_shell() as shell:
        shell.run_cell(outer)
        told = cell_record().text(5)
        outermost, inner = list(cell_record().cells)[-2:]
        assert "(at work)" not in told
        assert outermost.source == outer
        assert ("the outer goes on" in "".join(outermost.output)) == ("the outer" in outer)
        assert "the outer" not in "".join(inner.output)
        shell.run_cell("print('the next')")
        assert "".join(outermost.output).count("the next") == 0
