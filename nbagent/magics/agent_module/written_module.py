# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""Write a cell into a module's file and import that module, again where it was imported. Main thread.

A file that something else has written stays as it is. Where the module cannot be imported the file is what it was.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.magics.agent_module.cell_source import FIRST_LINE, module_text, names_bound


def agent_module(file: str, cell: str, namespace: MutableMapping[str, Any]) -> None:
    """Write the cell into the file, import it, and put what the cell binds into the namespace.

    Raises ConfigurationError, SyntaxError, and whatever the module raises while it is imported.
    """
    path = Path(os.path.abspath(Path(file).expanduser()))  # noqa: PTH100 - resolve() would follow links
    name = _module_name(file, path)
    before = _checked(file, path, name)
    text = module_text(cell, namespace, file)
    _write(path, text)
    try:
        module = _imported(name, path)
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, before)
        _forget_compiled(path)
        raise
    found = [one for one in names_bound(cell) if hasattr(module, one)]
    namespace.update({one: getattr(module, one) for one in found})
    print(f"{file}: module {name} with {', '.join(_told(found, module)) or 'nothing in it'}")


def _told(names: list[str], module: ModuleType) -> list[str]:
    """Return the names that a person has made there: no imports of modules, and none that begin with _."""
    return [one for one in names if one[0] != "_" and not isinstance(getattr(module, one), ModuleType)]


def _module_name(file: str, path: Path) -> str:
    """Return the name under which Python imports the file, from its folder if from no other one.

    Raises ConfigurationError and UnknownOptionError.
    """
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UnknownOptionError(f"{file!r} is no module's file", "name one: %%agent_module agents.py")
    if not path.parent.is_dir():
        raise ConfigurationError(f"the folder of {file!r} is not there", f"make {str(path.parent)!r} first")
    places = [Path(os.path.abspath(one or ".")) for one in sys.path]  # noqa: PTH100 - as above
    inside = [path.relative_to(one).with_suffix("").parts for one in places if path.is_relative_to(one)]
    named = [".".join(parts) for parts in inside if all(part.isidentifier() for part in parts)]
    if not named:
        sys.path.append(str(path.parent))
        return path.stem
    return min(named, key=lambda one: one.count("."))


def _checked(file: str, path: Path, name: str) -> str | None:
    """Return the text that is there, None for a new file. Raises ConfigurationError where it is not ours to replace."""
    known = sys.modules.get(name)
    where = getattr(known, "__file__", None)
    if known is not None and (where is None or not _is_same(Path(where), path)):
        raise ConfigurationError(
            f"module {name!r} is another one already: {where or 'a part of Python'}",
            "choose another file's name",
        )
    if not path.exists():
        return None
    before = path.read_text(encoding="utf-8", errors="replace")
    if before.strip() and before.partition("\n")[0].strip() != FIRST_LINE:
        raise ConfigurationError(
            f"{file!r} was written by something else than %%agent_module, and stays as it is",
            "choose another file's name, or delete it first",
        )
    return before


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return os.path.abspath(one) == os.path.abspath(other)  # noqa: PTH100 - one of them may be gone


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _imported(name: str, path: Path) -> ModuleType:
    """Import the module from its file. Raises ConfigurationError where Python finds another one of that name."""
    _forget_compiled(path)  # its time has whole seconds: a file written twice in one would be taken as read
    importlib.invalidate_caches()
    known = sys.modules.get(name)
    if known is not None:
        kept = dict(vars(known))
        try:
            for old in [one for one in kept if not one.startswith("__")]:
                del vars(known)[old]
            return importlib.reload(known)
        except BaseException:
            _restore(vars(known), kept)
            raise
    module = importlib.import_module(name)
    where = module.__file__
    if where is None or not _is_same(Path(where), path):
        raise ConfigurationError(
            f"Python has another module {name!r}: {where or 'a part of Python'}", "choose another file's name"
        )
    return module


def _restore(names: MutableMapping[str, Any], kept: Mapping[str, Any]) -> None:
    names.clear()
    names.update(kept)


def _forget_compiled(path: Path) -> None:
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
