"""Environments beside the one that runs pytest: the kernel matrix's second Python, and what Binder builds.

`.ci/run` builds both and names them in `NBAGENT_IPYKERNEL6_PYTHON` and `NBAGENT_BINDER_PYTHON`. On a developer's
machine each is built once into a cache folder, because no test skips.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.harness.environment import CACHE, REPOSITORY

VARIABLE = "NBAGENT_IPYKERNEL6_PYTHON"
REQUIREMENT = "ipykernel>=6.31,<7"
BINDER_VARIABLE = "NBAGENT_BINDER_PYTHON"


def kernel_python(which: str) -> str:
    """Return the Python executable whose ipykernel is `which`: "ipykernel7" (ours) or "ipykernel6"."""
    return sys.executable if which == "ipykernel7" else ipykernel6_python()


def ipykernel6_python() -> str:
    """Return the executable named in the environment, else of the cached environment, built where missing."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    return str(_environment("ipykernel6", sys.executable, ["-e", str(REPOSITORY), REQUIREMENT]))


def binder_python() -> Path:
    """Return the executable named in the environment, else of one with what `binder/requirements.txt` names.

    Its Python is the one of `binder/runtime.txt` where this machine has it, else the one that runs pytest.
    """
    if given := os.environ.get(BINDER_VARIABLE):
        return Path(given)
    named = (REPOSITORY / "binder" / "runtime.txt").read_text().strip().replace("-", "")
    same = named == f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = sys.executable if same else _working(named) or sys.executable
    return _environment("binder", base, ["-r", str(REPOSITORY / "binder" / "requirements.txt")])


def _working(name: str) -> str | None:
    """Return the program of that name if it runs: a version manager's shim may exist and yet run nothing."""
    found = shutil.which(name)
    runs = (
        found is not None and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0
    )
    return found if runs else None


def _environment(name: str, base: str, install: Sequence[str]) -> Path:
    """Return the Python of a cached environment of `base` after `pip install ...`, built where it is missing."""
    folder = _cache_folder(name, base, install)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = folder / "bin" / "python"
        if not (folder / "complete").exists():
            print(f"\nbuilding {folder} with pip install {' '.join(install)} (once)")
            _run([base, "-m", "venv", "--clear", str(folder)])
            _run([str(python), "-m", "pip", "install", "-q", "--no-compile", *install])
            (folder / "complete").touch()
    return python


def _cache_folder(name: str, base: str, install: Sequence[str]) -> Path:
    """Return a folder named after all that decides what is installed in it."""
    files = [REPOSITORY / "pyproject.toml", *(REPOSITORY / "binder").iterdir()]
    decides = b"".join(path.read_bytes() for path in files) + f"{sys.version}{base}{install}".encode()
    return CACHE / f"{name}-{hashlib.sha256(decides).hexdigest()[:12]}"


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode != 0:
        msg = f"{' '.join(command)!r} failed:\n{done.stderr}"
        raise RuntimeError(msg)
