"""Records on a test's server: their tables, a mirror of one, and the rows that both have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbagent.settings import server_url
from nbagent.store.duckdb.tables import COLUMNS
from nbagent.store.postgres.analysis.mirror import Mirror
from nbagent.store.postgres.analysis.mirror_file import TABLES
from nbagent.store.postgres.connect import connect as open_connection
from nbagent.store.postgres.server_schema import prepare


def connect(url: str, schema: str = "nbagent") -> Any:
    """A connection that commits each statement by itself."""
    import psycopg

    connection = psycopg.connect(url, autocommit=True)
    connection.execute(f'set search_path to "{schema}"')
    return connection


def make_record(url: str, schema: str = "nbagent") -> None:
    """Make the tables of a record in a schema of its own."""
    place = server_url(f"{url}&schema={schema}")
    with open_connection(place) as connection:
        prepare(connection, place)


def mirror_of(url: str, folder: Path, schema: str = "nbagent") -> Mirror:
    """A mirror with a folder of its own."""
    return Mirror(lambda: connect(url, schema), name="the record", schema=schema, folder=folder)


def server_rows(url: str, table: str, schema: str = "nbagent") -> list[tuple[Any, ...]]:
    """All rows of a table on the server, JSON as its text."""
    listed = ", ".join(f"{name}::text" if kind == "json" else name for name, kind in COLUMNS[table].items())
    with connect(url, schema) as connection:
        return sorted(connection.execute(f"select {listed} from {table}").fetchall(), key=repr)  # noqa: S608 - names of ours


def mirror_rows(mirror: Mirror, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table in a mirror, as it is now."""
    with mirror.connection(60) as cursor:
        return sorted(cursor.execute(f"from {table}").fetchall(), key=repr)


def assert_same(url: str, mirror: Mirror, *, but: tuple[str, ...] = ("messages",)) -> None:
    """Assert that mirror and server have the same rows in all tables, each once."""
    for table in TABLES:
        if table not in but:
            assert mirror_rows(mirror, table) == server_rows(url, table), table
            with mirror.connection(60) as cursor:
                twice = cursor.execute(
                    f"select row_id from pulled.{table} group by 1 having count(*) > 1"  # noqa: S608 - a name of ours
                ).fetchall()
            assert twice == [], table


def launch(connection: Any, run_id: str, **columns: Any) -> None:
    """Insert a row of `launches` by hand."""
    row = {
        "run_id": run_id,
        "session_id": "s",
        "turn": 1,
        "created_at": "2026-11-30 12:00:00",
        "owner": "o",
        **columns,
    }
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"insert into launches ({names}) values ({marks})", list(row.values()))  # noqa: S608 - names of ours
