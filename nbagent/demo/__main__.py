"""Runs the demo server: `python -m nbagent.demo [--port 8080]`.

By hand it prints its address and runs until Ctrl-C. A kernel starts it through `process.py` with `--child`: then it
says when it is ready on its standard output, and ends when its standard input does, which is when the kernel is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import socket
import sys
import threading
from typing import Final

from nbagent.demo.process import TOKEN_VARIABLE

_LOOK_S: Final = 1.0
_TRY_IT: Final = """nbagent demo model at {url} (Ctrl-C ends it). Try:

curl {url}/chat/completions -H 'content-type: application/json' -d \
'{{"model": "assistant", "messages": [{{"role": "user", "content": "What is the capital of France?"}}]}}'"""


def main(arguments: list[str] | None = None) -> None:
    """Run the server in this process until it is stopped."""
    about = "nbagent's demo model: an OpenAI-compatible server on this machine. Its answers are canned."
    parser = argparse.ArgumentParser(prog="python -m nbagent.demo", description=about)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 (default) takes a free one")
    parser.add_argument("--token", default=None, help="the only API key to accept; any by default")
    parser.add_argument("--speed", type=float, default=1.0, help="multiplies the pace of streaming")
    parser.add_argument("--resume-s", type=float, default=300.0, help="how long one can be streamed again")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _raise_descriptor_limit()
    from nbagent.demo.server import BACKLOG, App

    # a child's token is not on its command line, which all users of the machine can read
    token = options.token or os.environ.pop(TOKEN_VARIABLE, None)
    # what comes from now on waits to be served
    listener = socket.create_server(("127.0.0.1", options.port), backlog=BACKLOG)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    print(f"ready {url}" if options.child else _TRY_IT.format(url=url), flush=True)  # noqa: T201
    if options.child:  # nobody reads the pipes from here on
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    with contextlib.suppress(KeyboardInterrupt):
        App(token=token, speed=options.speed, resume_s=options.resume_s).serve(listener)


def _end_with_parent(parent: int) -> None:
    """End this process when the parent's end of the pipe closes, or the parent is another one.

    The pipe is the prompt way; the parent's id counts where a fork of the kernel keeps the pipe open.
    """
    while True:
        if sys.platform == "win32":
            os.read(0, 1)
            os._exit(0)
        readable, _, _ = select.select([0], [], [], _LOOK_S)
        if (readable and not os.read(0, 4096)) or os.getppid() != parent:
            os._exit(0)


def _raise_descriptor_limit() -> None:
    """Allow as many connections as the system does: each stream is one."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none, macOS caps it lower
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
