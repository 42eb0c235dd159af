"""The environment that a kernel or a Jupyter server of a test starts with: nothing of the developer's own.

No API key and no `NBAGENT_*` option gets through, so that no test can reach a real provider by accident, and
Jupyter's and IPython's configuration live in the test's own folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbagent-tests"

_SECRET_ENDINGS = ("_API_KEY", "_BASE_URL", "_TOKEN", "_REGION")
_OPTION_STARTS = ("NBAGENT_", "OPENAI_", "AWS_", "JUPYTER", "IPYTHON")
HARNESS_OPTIONS = frozenset(
    {
        "NBAGENT_BINDER_PYTHON",
        "NBAGENT_CHROMIUM",
        "NBAGENT_IPYKERNEL6_PYTHON",
        "NBAGENT_LLAMA_PYTHON",
        "NBAGENT_NO_SKIP",
        "NBAGENT_XLLAMACPP_PYTHON",
    }
)


def is_private(name: str) -> bool:
    """Say whether an environment variable is a key or an option that a test must not inherit."""
    return name.startswith(_OPTION_STARTS) or name.endswith(_SECRET_ENDINGS)


def keep_bytecode() -> None:
    """Let this process and those that it starts keep compiled modules, in our cache where the tree is to have none.

    A kernel's imports are compiled in two seconds and read in one, and a session starts hundreds of processes.
    """
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(CACHE / "bytecode")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def is_measured() -> bool:
    """Say whether coverage is measured: a process that is killed, or that has imported before, leaves no figures."""
    return "COVERAGE_PROCESS_CONFIG" in os.environ


def isolated_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child process whose Jupyter, IPython and nbagent files live under `home`."""
    env = {name: value for name, value in os.environ.items() if not is_private(name)}
    folders = {
        "JUPYTER_CONFIG_DIR": home / "jupyter-config",
        "JUPYTER_DATA_DIR": home / "jupyter-data",
        "JUPYTER_RUNTIME_DIR": home / "jupyter-runtime",
        "IPYTHONDIR": home / "ipython",
    }
    for name, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        env[name] = str(folder)
    env["NBAGENT_STORE"] = str(home / "store" / "runs.duckdb")
    # the checkout wins over an installed copy, whichever Python runs it
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), env.get("PYTHONPATH", "")]))
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else debugpy writes a warning into the kernel's output
    env.update(extra or {})
    return env
