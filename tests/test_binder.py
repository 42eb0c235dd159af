"""Binder: the environment that its files describe, built and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.harness.environment import REPOSITORY, isolated_environment
from tests.harness.pythons import binder_python

BINDER = REPOSITORY / "binder"
FIRST = "01-first-run.ipynb"


def test_binder_has_the_python_that_the_tests_run():
    """It is one that the package is made for, and the one that `.ci/run` looks for first."""
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]
    assert tuple(map(int, version.split("."))) >= (3, 11)
    look = "source <(sed -n '/^find_python()/,/^}/p' .ci/run); usable_python() { echo \"$1\"; }; find_python"
    found = subprocess.run(["bash", "-c", look], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == f"python{version}"


def test_binder_installs_what_the_notebooks_need():
    """One requirement, the extra that the README's first command installs, and a script that can be run."""
    assert (BINDER / "requirements.txt").read_text().split() == [".[lab]"]
    assert os.access(BINDER / "postBuild", os.X_OK)


@pytest.mark.kernel
@pytest.mark.timeout(900)  # the environment is built where no earlier run has left it
def test_the_first_notebook_runs_in_binders_environment(tmp_path: Path):
    """A clean virtual environment from these files passes postBuild and executes the first notebook without a key."""
    python = binder_python()
    shutil.copy(REPOSITORY / "notebooks" / FIRST, tmp_path)
    env = isolated_environment(tmp_path / "home")
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    for command in ([str(BINDER / "postBuild")], ["jupyter", "execute", FIRST, "--output=done.ipynb"]):
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
    assert "The capital of France is Paris." in (tmp_path / "done.ipynb").read_text()
