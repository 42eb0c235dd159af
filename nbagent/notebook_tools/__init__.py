"""At home in the notebook: tools with which an agent sees the variables and cells of its kernel, and runs code there.

definition.py    `nb.notebook`: what an agent may see and do, and the tools of it
main_thread_work.py  a tool's work on the main thread: waited for, stopped, told of
code_run.py      run approved code; `code_check.py` what is refused before that, `code_stop.py` how it is stopped
code_output.py   what it shows: text, displays, figures
changes.py       what it has changed, by name and shape
cell_history.py  the cells since `%load_ext`
safe_text.py     values as text without running anybody's code; `safe_tables.py` frames and arrays
secrets_here.py  what is hidden, and masked by value
as_data.py       text between marks that say that it is data

Who approves, and that nothing in the record can, is the runtime's (`standing_approvals.py`, `decide_approvals.py`).
Approval guards against mistakes and injected text. It is no sandbox.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbagent.notebook_tools.cell_history import cell_record
    from nbagent.notebook_tools.definition import Notebook, notebook

_HOMES = {"Notebook": "definition", "cell_record": "cell_history", "notebook": "definition"}

__all__ = ["Notebook", "cell_record", "notebook"]


def __getattr__(name: str) -> Any:
    """Import a name at its first use: `%load_ext` needs the record of cells alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
