"""The program behind warm kernels: it imports once what every kernel imports, and forks a kernel for each request.

`warm_kernels.py` starts it, in the Python of the kernels. A line of JSON on standard input asks for a kernel, a line on
standard output is its process id (the first line says that all is imported); the program ends with its input, and
the kernels that are left end with it. It has one thread, and opens nothing that nbagent or a kernel opens: what it
forks is a kernel that has done its imports.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import threading
from types import SimpleNamespace

# what a kernel imports until a run has ended, but for what looks at its import whether it is in a kernel and acts on
# it: ipywidgets (its comms), duckdb (its progress bar)
IMPORTS = """
ipykernel.kernelapp ipykernel.ipkernel ipykernel.heartbeat ipykernel.debugger IPython.core.completerlib comm
aiohttp anyio jinja2 markdown_it nh3 numpy pandas psutil pydantic
nbagent.agent nbagent.batch nbagent.frames nbagent.magics nbagent.panel nbagent.panel.card.markdown nbagent.runtime
nbagent.team nbagent.maintenance
""".split()


def main() -> None:
    """Serve until the input ends."""
    del sys.path[0]  # the working directory, as ipykernel_launcher has it
    given = dict(os.environ)
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel reads it when it is imported
    signal.signal(signal.SIGCHLD, _reap)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)  # pandas asks how wide its tables may be
    for name in IMPORTS:
        importlib.import_module(name)
    del builtins.get_ipython
    from_imports = {name: value for name, value in os.environ.items() if given.get(name) != value}
    gc.collect()
    gc.freeze()  # else the first collection in each kernel writes to all that it shares with this process
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        assert threading.active_count() == 1, threading.enumerate()
        pid = os.fork()
        if pid == 0:
            replies.close()
            request = json.loads(line)
            request["env"] |= from_imports
            _be_kernel(**request)
        print(pid, file=replies, flush=True)
    os._exit(0)  # nothing here is worth the time of an orderly end


def _reap(*_: object) -> None:
    """Leave no zombie: who waits for a kernel sees that its process id is gone."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _be_kernel(arguments: list[str], env: dict[str, str], cwd: str, log: str) -> None:
    """Become what `python -m ipykernel_launcher` is once it has imported ipykernel; never returns."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, os.O_WRONLY | os.O_APPEND),
        (2, log, os.O_WRONLY | os.O_APPEND),
    ):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    import ipykernel_launcher
    from ipykernel import kernelapp

    sys.argv = [str(ipykernel_launcher.__file__), *arguments]
    kernelapp.launch_new_instance()
    sys.exit()


if __name__ == "__main__":
    main()
