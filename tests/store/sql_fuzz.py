"""Statements that try to write, run in one process: a list made by hand, and calls of every function that DuckDB has.

As a program: `python -m tests.store.sql_fuzz FOLDER` makes a record in the folder, asks all of it by `nb.sql` and
prints as JSON how many were asked and what answered; a process that DuckDB aborts prints nothing.
"""

# ruff: noqa: S608 - statements are what this file makes
from __future__ import annotations

import collections
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

WAYS = (
    "select * from {call}",
    "explain analyze select * from {call}",
    "with x as materialized (select * from {call}) select * from x",
    "select (select count(*) from {call})",
    "select * from runs where exists (select * from {call})",
    "from {call}",
    "call {call}",
    "pivot (select * from {call}) on 1 using count(*)",
)
SCALAR_WAYS = (
    "select {call}",
    "select * from runs where {call} is not null",
    "explain analyze select {call} from runs",
)


def by_hand(folder: Path) -> Iterator[str]:
    """Statements that write, change settings, or reach files, in the forms that people and models know."""
    record, notes, new = folder / "runs.duckdb", folder / "notes.txt", folder / "new"
    for target in (record, notes, f"{new}.csv", f"{record}.wal", f"{record}.lock"):
        for form in ("csv", "parquet", "json", "blob"):
            yield f"copy (select 1 as i) to '{target}' (format {form})"
            yield f"explain analyze copy (select 1 as i) to '{target}' (format {form}, overwrite true)"
    yield f"copy runs to '{new}_parts' (format parquet, partition_by (status), overwrite_or_ignore)"
    yield f"copy launches from '{notes}'"
    yield f"export database '{new}_export'"
    yield f"import database '{folder}'"
    for kind in ("", " (type duckdb)", " (type sqlite)", " (read_only)", " (type postgres)"):
        yield f"attach '{new}.duckdb' as x{kind}"
        yield f"attach '{record}' as x{kind}"
    yield f"attach or replace '{new}.duckdb' as record"
    yield "attach ':memory:' as x"
    yield "detach record"
    for table in ("launches", "messages", "attempt_ends", "schema_version"):
        yield f"delete from {table}"
        yield f"insert into {table} select * from {table}"
        yield f"truncate {table}"
        yield f"drop table {table} cascade"
        yield f"alter table {table} add column x integer"
        yield f"alter table {table} rename to x"
        yield f"create index x on {table} (1)"
        yield f"explain analyze delete from {table}"
        yield f"explain analyze insert into {table} select * from {table}"
        yield f"with x as (delete from {table} returning *) select * from x"
        yield f"select 1; rollback; commit; drop table {table}"
        yield f"begin; drop table {table}; commit"
        yield f"prepare x as delete from {table}"
    yield "update launches set label = 'x'"
    yield "explain analyze update launches set label = 'x'"
    yield "merge into launches using runs on false when not matched then insert by name"
    for what in (
        "table x as select 1 as i", "or replace table launches as select 1 as i", "temp table x as select 1 as i",
        "view x as select 1", "or replace view runs as select 1", "schema x", "sequence x", "type x as enum ('a')",
        "macro x() as 1", "temp macro x() as table select * from enable_logging()",
        "persistent secret x (type s3, key_id 'a', secret 'b')", "secret x (type http)",
    ):  # fmt: skip
        yield f"create {what}"
    for name in (
        "httpfs",
        "json",
        "parquet",
        "sqlite",
        str(folder / "notes.txt"),
        "https://example.org/x.duckdb_extension",
    ):
        yield f"load '{name}'"
        yield f"install '{name}'"
        yield f"force install '{name}' from '{folder}'"
    yield from (
        "checkpoint",
        "force checkpoint",
        "vacuum",
        "vacuum analyze",
        "analyze",
        "use memory",
        "commit",
    )
    yield from ("begin transaction", "rollback", "execute x", "deallocate x", "update extensions")
    yield from (
        f"from '{notes}'",
        f"select * from '{record}'",
        f"select * from '{folder}/*.csv'",
        "from 'x.parquet'",
    )
    # the quoted names of a table or column stand for nothing but themselves
    yield f'select * from "{notes}"'
    yield f"comment on table launches is '{notes}'"


def settings(con: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[str]:
    """Every setting that DuckDB has, set in each way."""
    for (name,) in con.execute("select name from duckdb_settings() order by 1").fetchall():
        value = f"'{folder / 'new'}'" if "director" in name or "path" in name or "output" in name else "true"
        yield f"set {name} = {value}"
        yield f"set global {name} = {value}"
        yield f"reset {name}"
        yield f"pragma {name} = {value}"


def calls(con: duckdb.DuckDBPyConnection, folder: Path, chance: random.Random) -> Iterator[str]:
    """A call or more of every function of DuckDB's, of each number of arguments, with paths and numbers in them."""
    functions = con.execute(
        "select function_name, function_type, first(parameter_types), first(parameters) from duckdb_functions()"
        " group by function_name, function_type, len(parameter_types) order by all"
    ).fetchall()
    for name, kind, types, parameters in functions:
        args = [_value(one or "", folder, chance) for one in types]
        named = [
            f"{parameter} := {_value(one or '', folder, chance)}"
            for parameter, one in zip(parameters, types, strict=False)
            if kind in ("table", "pragma") and not str(parameter).startswith("col")
        ]
        call = f'"{name}"({", ".join(args)})'
        if kind == "pragma":
            yield f"pragma {name}({', '.join(args)})" if args else f"pragma {name}"
        elif kind == "table":
            for way in chance.sample(WAYS, 3):
                yield way.format(call=call)
            yield f'select * from "{name}"({", ".join(named)})'
            yield f"select * from \"{name}\"('{folder / 'new'}')"
        elif kind == "table_macro":
            yield f"select * from {call}"
        elif name not in _ENDLESS:
            yield chance.choice(SCALAR_WAYS).format(call=call)


_ENDLESS = frozenset({"sleep_ms"})


def _value(kind: str, folder: Path, chance: random.Random) -> str:
    paths = [folder / name for name in ("runs.duckdb", "notes.txt", "new", "new.csv", "runs.duckdb.wal")]
    if "VARCHAR" in kind or "BLOB" in kind or not kind:
        text = str(chance.choice([*paths, "file", "launches", "runs", "x", "select 1"])).replace("'", "''")
        return f"['{text}']" if kind.endswith("[]") else f"'{text}'"
    if kind.endswith("[]"):
        return "[1, 2]"
    if "BOOL" in kind:
        return "true"
    if any(part in kind for part in ("INT", "DOUBLE", "FLOAT", "DECIMAL", "ANY", "T")) and "TIME" not in kind:
        return str(chance.choice([0, 1, 3]))
    return "null"


# what a person did on 2.0.0: a log in a file, then a statement that ended the process
_KNOWN = (
    "select * from enable_logging(storage='file', storage_path='{folder}/new')",
    "select * from enable_logging('QueryLog', storage='file', storage_path='{folder}/new')",
    "call enable_logging(storage='file', storage_path='{folder}/new')",
    "select * from enable_logging(storage='shell_log_storage')",
    "select * from truncate_duckdb_logs()",
    "select * from enable_profiling(mode='detailed', save_location='{folder}/new', format='json')",
    "select * from disable_logging()",
    "select * from query('copy (select 1) to ''{folder}/new''')",
    "select * from query_table('{folder}/notes.txt')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from read_duckdb('{folder}/runs.duckdb')",
    "select write_log('x', level := 'error')",
)


def statements(folder: Path, seed: int = 14) -> list[str]:
    """All of them, in an order by chance: what one leaves behind is there for the next."""
    chance = random.Random(seed)  # noqa: S311 - the same at each try
    with duckdb.connect() as con:
        found = [
            *by_hand(folder),
            *(one.format(folder=folder) for one in _KNOWN),
            *settings(con, folder),
            *calls(con, folder, chance),
        ]
    chance.shuffle(found)
    return found


def main(folder: Path) -> None:
    """Ask all of them of a record in the folder."""
    os.environ["NBAGENT_STORE"] = str(folder / "runs.duckdb")
    import nbagent as nb
    from nbagent.errors import NBAgentError
    from nbagent.store import Launch, Store

    (folder / "notes.txt").write_text("my own work\n")
    store = Store(folder / "runs.duckdb")
    for number in range(20):
        store.submit(Launch({"run_id": f"r{number}", "session_id": "s", "prompt": "x" * 100})).result(60)
    store.close()
    nb.sql("select 1")
    whole = {name: (folder / name).read_bytes() for name in states(folder)}
    times = states(folder)
    answers: collections.Counter[str] = collections.Counter()
    odd: list[str] = []
    changed: list[str] = []
    found = statements(folder)
    for sql in found:
        try:
            nb.sql(sql)
            answers["answered"] += 1
        except NBAgentError as error:
            answers[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - to be shown
            odd.append(f"{sql}: {error!r}")
        if not changed and states(folder) != times:
            changed.append(sql)
    same = whole == {name: (folder / name).read_bytes() for name in states(folder)}
    rows = nb.sql("select count(*) as n from runs")["n"].tolist()
    said = {
        "asked": len(found),
        "answers": answers,
        "odd": odd,
        "changed": changed,
        "same": same,
        "rows": rows,
    }
    print(json.dumps(said))


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below the folder but the locks, which say who has had the last turn."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".lock", ".gate"}
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
