"""Rows as the server copies them out, read off the connection without a wait for each: there are millions."""

from __future__ import annotations

import selectors
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from nbagent.store.postgres.connect import LONG_S, load_psycopg

if TYPE_CHECKING:
    import psycopg

_LOOK_S = 1.0


def copied_rows(server: psycopg.Connection[Any], query: str) -> Iterator[memoryview]:
    """Yield the lines of a `copy ... to stdout`, each whole, valid until the next one.

    Raises psycopg's errors. Whoever stops early, or gets an error, throws the connection away.
    """
    conn = server.pgconn
    conn.send_query(query.encode())
    with selectors.DefaultSelector() as selector:
        selector.register(conn.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while conn.flush():
            _wait(conn, selector)
        selector.modify(conn.socket, selectors.EVENT_READ)
        result = _result(conn, selector)
        if result is not None and result.status == load_psycopg().pq.ExecStatus.COPY_OUT:
            while True:
                length, data = conn.get_copy_data(1)
                if length > 0:
                    yield data
                elif length == 0:
                    _wait(conn, selector)
                    conn.consume_input()
                else:
                    break
            result = _result(conn, selector)
        while result is not None:
            if result.status != load_psycopg().pq.ExecStatus.COMMAND_OK:
                raise load_psycopg().errors.error_from_result(result)
            result = _result(conn, selector)


def _result(conn: Any, selector: selectors.BaseSelector) -> Any:
    """The next result of what was sent, None after the last."""
    while conn.is_busy():
        _wait(conn, selector)
        conn.consume_input()
    return conn.get_result()


def _wait(conn: Any, selector: selectors.BaseSelector) -> None:
    """Wait until something comes; an interrupt is heard meanwhile."""
    began = monotonic()
    while not selector.select(_LOOK_S):
        if monotonic() - began > LONG_S:
            conn.finish()
            raise load_psycopg().OperationalError(f"the server has not answered for {LONG_S:.0f} s")
