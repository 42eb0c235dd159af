"""A copy of another framework's object that has HTTP connections of its own; the user's object stays as it is.

Pooled connections belong to the event loop that opened them, and every framework keeps a pool somewhere inside
its models, clients, graphs or closures, or in a global that a function names. `OwnConnections` walks an object as `copy.deepcopy` would, but copies only
what leads to a pool: everything else is shared with the user's object. Nothing of a framework is imported; the
classes are known by name. On the background loop.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import types
import weakref
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, cast

from nbagent.guests.own_globals import CopiedGlobals, globals_read

_HTTP_CLIENTS = frozenset({("httpx", "AsyncClient"), ("httpx2", "AsyncClient")})
# they make a client at their first call, and keep it
_KEEP_CLIENTS = frozenset({("agno", "Model")})
_LEAVES = (type, types.ModuleType, types.BuiltinFunctionType, types.CodeType, types.GeneratorType,
           types.CoroutineType, types.AsyncGeneratorType, str, bytes, int, float, complex, Enum, weakref.ref)  # fmt: skip
_FOREIGN_ROOTS = frozenset({
    "asyncio", "threading", "_thread", "weakref", "contextvars", "concurrent", "logging", "pandas", "numpy",
    "polars", "pyarrow", "duckdb", "sqlalchemy", "IPython", "ipykernel", "nbagent", "opentelemetry", "typing",
    "inspect", "re", "datetime", "ssl", "socket", "builtins_function_or_method",
})  # fmt: skip
_MOST_OBJECTS = 200_000


class OwnConnections:
    """Copies of one user object, made again once anything on the way to a pool has changed.

    A pool has one copy for as long as the user's lives, so that runs share connections as calls in a cell do.
    """

    def __init__(self) -> None:
        self._clients: dict[int, tuple[Any, Any]] = {}
        self._copies: dict[int, tuple[Any, Any]] = {}  # what each was made of, and the copy
        self._made: tuple[Any, Any, list[tuple[Any, list[Any]]]] | None = None

    def copy_of(self, root: Any) -> Any:
        """Return `root`, or its copy where a pool is inside; the same one while nothing has changed."""
        if self._made is not None and self._made[0] is root and all(map(_is_as_it_was, self._made[2])):
            return self._made[1]
        walk = _Walk(self._own_client, self._copies)
        made = walk.copied(root)
        self._copies = {
            key: (one, walk.copies[key]) for key, one in walk.on_the_way.items() if key in walk.copies
        }
        self._made = (root, made, [(one, list(map(id, _parts(one)))) for one in walk.on_the_way.values()])
        return made

    def _own_client(self, client: Any) -> Any:
        known = self._clients.get(id(client))
        if known is None or known[0] is not client:
            known = self._clients[id(client)] = (client, _with_new_pools(client))
        return known[1]

    async def close(self) -> None:
        """Close the connections of the copies, also of clients that a copy has made itself."""
        made, self._clients, self._copies, self._made = self._made, {}, {}, None
        for one, _ in _visited(made[1]) if made is not None else ():
            if _is_one_of(one, _HTTP_CLIENTS):
                with contextlib.suppress(
                    Exception
                ):  # of another library's client, which nobody uses any more
                    await one.aclose()


class _Walk:
    """One walk: finds what leads to a pool (`on_the_way`), then copies that, circles included."""

    def __init__(self, own_client: Callable[[Any], Any], before: dict[int, tuple[Any, Any]]) -> None:
        self.on_the_way: dict[int, Any] = {}
        self.copies: dict[int, Any] = {}
        self._own_client, self._before = own_client, before

    def copied(self, root: Any) -> Any:
        self._find(root)
        return self._copy(root)

    def _find(self, root: Any) -> None:
        """Visit everything once, then follow the edges back from the pools."""
        seen: dict[int, Any] = {}
        holders: dict[int, list[int]] = {}
        pools: list[int] = []
        for one, parts in _visited(root):
            seen[id(one)] = one
            if _is_one_of(one, _HTTP_CLIENTS) or _is_one_of(one, _KEEP_CLIENTS):
                pools.append(id(one))
            for part in parts:
                holders.setdefault(id(part), []).append(id(one))
        while pools:
            one_id = pools.pop()
            if one_id not in self.on_the_way:
                self.on_the_way[one_id] = seen[one_id]
                pools += holders.get(one_id, ())

    def _copy(self, one: Any) -> Any:
        if id(one) not in self.on_the_way:
            return one
        if id(one) not in self.copies:
            if _is_one_of(
                one, _HTTP_CLIENTS
            ):  # never a shallow one, whose end would close the user's connections
                self.copies[id(one)] = self._own_client(one)
            else:
                self.copies[id(one)] = _COPIERS.get(type(one), _copy_instance)(one, self._copy, self._keep)
            if _is_one_of(one, _KEEP_CLIENTS):
                self._give_what_it_made(one)
        return self.copies[id(one)]

    def _keep(self, one: Any, shell: Any) -> Any:
        """Know the copy before its parts are copied: they may lead back to it."""
        self.copies[id(one)] = shell
        return shell

    def _give_what_it_made(self, one: Any) -> None:
        """Let the copy have the clients that the copy before it has made itself."""
        known, before = self._before.get(id(one), (None, None))
        if known is not one:
            return
        made, copied = _attributes(before), self.copies[id(one)]
        for name, value in _attributes(one).items():
            if value is None and made.get(name) is not None and _leads_to_client(made[name]):
                _set(copied, name, made[name])


_Copy = Callable[[Any], Any]
_Keep = Callable[[Any, Any], Any]


def _visited(root: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield everything that is reached, once each, and what it holds; what an HTTP client holds is its own."""
    seen, waiting = {id(root): root}, [root]
    while waiting and len(seen) < _MOST_OBJECTS:
        one = waiting.pop()
        parts = [] if _is_one_of(one, _HTTP_CLIENTS) else list(_parts(one))
        for part in parts:
            if id(part) not in seen:
                seen[id(part)] = part
                waiting.append(part)
        yield one, parts


def _is_one_of(one: Any, classes: frozenset[tuple[str, str]]) -> bool:
    return any((cls.__module__.partition(".")[0], cls.__name__) in classes for cls in type(one).__mro__)


def _leads_to_client(one: Any) -> bool:
    return any(_is_one_of(part, _HTTP_CLIENTS) for part, _ in _visited(one))


def _is_as_it_was(kept: tuple[Any, list[Any]]) -> bool:
    one, before = kept
    return list(map(id, _parts(one))) == before


def _parts(one: Any) -> Iterator[Any]:
    """Yield what `one` holds, without values that hold nothing."""
    for part in _all_parts(one):
        if part is not None and not isinstance(part, _LEAVES) and not _is_foreign(part):
            yield part


def _is_foreign(part: Any) -> bool:
    cls = type(part)
    if cls in _COPIERS or cls is types.CellType:
        return False
    return cls.__module__.partition(".")[0] in _FOREIGN_ROOTS


def _all_parts(one: Any) -> Iterator[Any]:
    if isinstance(one, dict):
        yield from tuple(one.values())
    elif isinstance(one, list | tuple | set | frozenset):
        yield from tuple(one)
    elif isinstance(one, types.CellType):
        with contextlib.suppress(ValueError):  # a cell that is empty
            yield one.cell_contents
    elif isinstance(one, types.FunctionType):
        yield from one.__closure__ or ()
        yield from one.__defaults__ or ()
        yield from (one.__kwdefaults__ or {}).values()
        yield from globals_read(one).values()
    elif isinstance(one, types.MethodType):
        yield one.__self__
        yield one.__func__
    elif isinstance(one, functools.partial):
        yield one.func
        yield from one.args
        yield from one.keywords.values()
    yield from _attributes(one).values()


def _attributes(one: Any) -> dict[str, Any]:
    """Return the attributes of an object, in its `__dict__`, its slots or where pydantic keeps private ones."""
    found: dict[str, Any] = {}
    if isinstance(one, _LEAVES):
        return found
    for name in ("__dict__", "__pydantic_private__", "__pydantic_extra__"):
        kept = getattr(one, name, None) if name == "__dict__" or hasattr(type(one), name) else None
        if isinstance(kept, dict):
            found |= kept
    for cls in type(one).__mro__:
        names = cls.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name.startswith("__"):
                continue
            with contextlib.suppress(AttributeError):  # a slot that is empty
                found[name] = object.__getattribute__(one, name)
    return found


def _copy_dict(one: Any, inner: _Copy, keep: _Keep) -> Any:
    shell = keep(one, {})
    shell.update({name: inner(value) for name, value in one.items()})
    return shell


def _copy_list(one: Any, inner: _Copy, keep: _Keep) -> Any:
    shell = keep(one, [])
    shell.extend(map(inner, one))
    return shell


def _copy_group(one: Any, inner: _Copy, keep: _Keep) -> Any:
    return keep(one, type(one)(map(inner, one)))


def _copy_cell(one: Any, inner: _Copy, keep: _Keep) -> Any:
    shell = keep(one, types.CellType())
    shell.cell_contents = inner(one.cell_contents)
    return shell


def _copy_function(one: Any, inner: _Copy, keep: _Keep) -> Any:
    cells = tuple(map(inner, one.__closure__ or ()))
    defaults = tuple(map(inner, one.__defaults__)) if one.__defaults__ else None
    own = CopiedGlobals(one)
    made = keep(one, types.FunctionType(one.__code__, own, one.__name__, defaults, cells or None))
    for name, value in globals_read(one).items():
        if (copied := inner(value)) is not value:
            own.put(name, copied)
    made.__kwdefaults__ = (
        {name: inner(value) for name, value in one.__kwdefaults__.items()} if one.__kwdefaults__ else None
    )
    made.__dict__.update({name: inner(value) for name, value in vars(one).items()})
    for name in ("__doc__", "__module__", "__qualname__", "__annotations__"):
        setattr(made, name, getattr(one, name))
    return made


def _copy_method(one: Any, inner: _Copy, keep: _Keep) -> Any:
    return keep(one, types.MethodType(inner(one.__func__), inner(one.__self__)))


def _copy_partial(one: Any, inner: _Copy, keep: _Keep) -> Any:
    keywords = {name: inner(value) for name, value in one.keywords.items()}
    return keep(one, type(one)(inner(one.func), *map(inner, one.args), **keywords))


def _copy_instance(one: Any, inner: _Copy, keep: _Keep) -> Any:
    """Copy an object of any class: shallow, as its class does that, then each attribute that leads to a pool."""
    shell = copy.copy(one)
    keep(one, shell)
    if shell is one:  # its class knows no copies
        return one
    if isinstance(one, dict):
        for name, value in one.items():
            if (made := inner(value)) is not value:
                dict.__setitem__(shell, name, made)
    elif isinstance(one, list):
        list.__setitem__(shell, slice(None), list(map(inner, one)))
    for name, value in _attributes(one).items():
        if (made := inner(value)) is not value:
            _set(shell, name, made)
    return shell


def _set(shell: Any, name: str, value: Any) -> None:
    for place in ("__dict__", "__pydantic_private__", "__pydantic_extra__"):
        kept = getattr(shell, place, None)
        if isinstance(kept, dict) and name in kept:
            kept[name] = value
            return
    object.__setattr__(shell, name, value)  # a slot; also of frozen classes


_COPIERS: dict[type, Callable[[Any, _Copy, _Keep], Any]] = {
    dict: _copy_dict,
    list: _copy_list,
    tuple: _copy_group,
    set: _copy_group,
    frozenset: _copy_group,
    types.CellType: _copy_cell,
    types.FunctionType: _copy_function,
    types.MethodType: _copy_method,
    functools.partial: _copy_partial,
}


def _with_new_pools(client: Any) -> Any:
    """Return an HTTP client as this one is (address, headers, proxies, certificates), without its connections."""
    own = copy.copy(client)
    own._transport = _new_transport(client._transport)  # noqa: SLF001 - httpx has no public way to say this
    mounts = cast("dict[Any, Any]", client._mounts)  # noqa: SLF001 - the same
    own._mounts = {pattern: _new_transport(one) for pattern, one in mounts.items()}  # noqa: SLF001 - the same
    return own


def _new_transport(transport: Any) -> Any:
    pool = getattr(transport, "_pool", None)
    if pool is None or not hasattr(pool, "_connections"):
        return transport  # one that keeps no connections, or somebody's own
    own, own_pool = copy.copy(transport), copy.copy(pool)
    own_pool._connections, own_pool._requests = [], []  # noqa: SLF001 - what belongs to the other loop
    own_pool._optional_thread_lock = type(pool._optional_thread_lock)()  # noqa: SLF001 - the same
    own._pool = own_pool  # noqa: SLF001 - the same
    return own
