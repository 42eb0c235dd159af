"""A real pgbouncer in front of a server for tests, in a mode of its choice; `Pooler.url` goes through it.

Wants the program: `apt-get install pgbouncer`. It runs as the user who has the server's files, and lets everybody in as `postgres`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.harness.waiting import until

CONFIGURATION = """
[databases]
* = host={folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
logfile = {place}/log
pidfile = {place}/pid
"""
_SIZE = {"transaction": 3, "session": 30}  # connections to the server


def program() -> str | None:
    """Where pgbouncer is."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Pooler:
    """One that is running until `end`."""

    def __init__(self, url: str, mode: str) -> None:
        found = program()
        assert found is not None, "no pgbouncer here"
        self.mode = mode
        self._place = Path(tempfile.mkdtemp(prefix="nbagent-pooler-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        _, _, folder = url.partition("host=")
        owner = Path(folder).stat().st_uid  # who may go to its socket
        os.chown(self._place, owner, -1)
        text = CONFIGURATION.format(folder=folder, port=port, mode=mode, place=self._place, size=_SIZE[mode])
        (self._place / "pgbouncer.ini").write_text(text)
        self._process = subprocess.Popen(
            [found, "-q", str(self._place / "pgbouncer.ini")], user=owner if os.getuid() == 0 else None
        )
        self.url = re.sub(r"@/(.*)\?host=.*", rf"@127.0.0.1:{port}/\1", url)
        until(lambda: _answers(port), "pgbouncer")

    def end(self) -> None:
        """Stop it, and delete its files."""
        self._process.kill()
        self._process.wait(30)
        shutil.rmtree(self._place, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
