"""What people have already runs on a record on a server: notebooks as committed, and scripts that name a database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nbagent.settings import server_url
from nbagent.store import open_store
from tests.harness.environment import REPOSITORY, isolated_environment

pytestmark = pytest.mark.postgres

NOTEBOOKS = ("02-background", "05-sessions-cache-replay", "07-metrics", "10-recovery")
SCRIPT = """
import sys
from nbagent.compat.agno import Agent, OpenAIChat, PostgresDb

db = PostgresDb(db_url=sys.argv[1], db_schema="ai", session_table="sessions")
agent = Agent(name="clerk", model="demo:assistant", db=db, markdown=True)
print(agent.run("What is the capital of Peru?").content)
"""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_gives_what_is_committed(name: str, database_url: str, tmp_path: Path) -> None:
    """Each cell's output is that of the file's record."""
    shutil.copy(REPOSITORY / "notebooks" / f"{name}.ipynb", tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--nbval",
        "--nbval-current-env",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, f"{name}.ipynb"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=isolated_environment(tmp_path / "home", {"NBAGENT_STORE": database_url}),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    store = open_store(server_url(database_url), tmp_path)
    assert store.read("select count(*) as n from runs")[0]["n"] > 0
    assert store.close(30)


def test_a_script_of_agnos_records_where_its_database_is(database_url: str, tmp_path: Path) -> None:
    """With the address as SQLAlchemy writes it, whatever the environment names."""
    address = database_url.replace("postgresql://", "postgresql+psycopg://")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, address], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**isolated_environment(tmp_path / "home"), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.stdout.strip() == "The capital of Peru is Lima."
    store = open_store(server_url(database_url), tmp_path)
    assert store.read("select agent_name, status from runs") == [
        {"agent_name": "clerk", "status": "completed"}
    ]
    assert store.close(30)
