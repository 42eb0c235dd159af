"""Make a module's text of a cell: its own lines, after the imports that the notebook has made elsewhere. Pure."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from nbagent.errors import ConfigurationError

FIRST_LINE = "# Written by %%agent_module: change the notebook's cell, which writes this file anew."
_MODULES_OWN = frozenset({"__name__", "__file__", "__doc__", "__spec__", "__builtins__"})


def module_text(cell: str, names: Mapping[str, Any], file: str) -> str:
    """Return the module's text. Raises SyntaxError, and ConfigurationError for what only the notebook has."""
    wanted = sorted(_free_names(cell, file))
    imports, missing = [], []
    for name in wanted:
        line = _import_of(name, names[name]) if name in names else None
        if line is not None:
            imports.append(line)
        elif name in names:
            missing.append(name)
    if missing:
        raise ConfigurationError(
            f"the cell uses {', '.join(missing)}, which this notebook made in another cell: the module would not have it",
            "make it in this cell too, or import it here",
        )
    head = [FIRST_LINE, *(["", *imports] if imports else [])]
    return "\n".join([*head, "", cell.strip("\n"), ""])


def names_bound(cell: str) -> list[str]:
    """Return the names that the cell binds at its top level, in order."""
    table = symtable.symtable(cell, "cell", "exec")
    return [one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()]


def _free_names(cell: str, file: str) -> set[str]:
    """Return the names that the cell reads and nobody in it binds."""
    ast.parse(cell, file)  # whose SyntaxError shows the line
    table = symtable.symtable(cell, file, "exec")
    bound = set(names_bound(cell))
    read = {name for one in _tables(table) for name in _globals_read(one)}
    return read - bound - set(vars(builtins)) - _MODULES_OWN


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _globals_read(table: symtable.SymbolTable) -> Iterator[str]:
    at_top = table.get_type() == "module"
    for one in table.get_symbols():
        if one.is_referenced() and (at_top or one.is_global()):
            yield one.get_name()


def _import_of(name: str, value: Any) -> str | None:
    """Return the line that imports a value of the notebook under its name; None where no module has it."""
    if isinstance(value, ModuleType):
        found = value.__name__
        if sys.modules.get(found) is not value:
            return None
        return f"import {found}" if found == name else f"import {found} as {name}"
    home, own = getattr(value, "__module__", None), getattr(value, "__name__", None)
    named = isinstance(home, str) and isinstance(own, str) and home != "__main__"
    if not named or getattr(sys.modules.get(str(home)), str(own), None) is not value:
        return None
    return f"from {home} import {own}" + ("" if own == name else f" as {name}")
