"""The second Python of the kernel matrix: one with ipykernel 6, beside the newest that runs pytest.

`.ci/run` builds it and names it in `NBAGENT_IPYKERNEL6_PYTHON`. On a developer's machine it is built once into
a cache folder, because a test of the matrix never skips.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.harness.environment import REPOSITORY

VARIABLE = "NBAGENT_IPYKERNEL6_PYTHON"
REQUIREMENT = "ipykernel>=6.31,<7"


def kernel_python(which: str) -> str:
    """Return the Python executable whose ipykernel is `which`: "ipykernel7" (ours) or "ipykernel6"."""
    return sys.executable if which == "ipykernel7" else ipykernel6_python()


def ipykernel6_python() -> str:
    """Return the executable named in the environment, else of the cached environment, built where missing."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    folder = _cache_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = folder / "bin" / "python"
        if not (folder / "complete").exists():
            _build(folder, python)
            (folder / "complete").touch()
    return str(python)


def _cache_folder() -> Path:
    """Return a folder named after all that decides what is installed in it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbagent-tests"
    decides = (REPOSITORY / "pyproject.toml").read_bytes() + f"{sys.version}{REPOSITORY}".encode()
    return base / f"ipykernel6-{hashlib.sha256(decides).hexdigest()[:12]}"


def _build(folder: Path, python: Path) -> None:
    print(f"\nbuilding {folder} with {REQUIREMENT} (once)")
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "-e", str(REPOSITORY), REQUIREMENT],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            msg = (
                f"{' '.join(command)!r} failed:\n{done.stderr}\nset {VARIABLE} to a Python with {REQUIREMENT}"
            )
            raise RuntimeError(msg)
