"""The command line: `nbagent worker agents:desk --store postgresql://host/team`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nbagent.errors import ConfigurationError, NBAgentError
from nbagent.settings import ServerUrl, server_url


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 with two lines on standard error where it cannot be done."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.do(given) or 0)
    except NBAgentError as error:
        sys.stderr.write(f"nbagent: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nbagent", description="Agents that work beside your notebooks.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    worker = verbs.add_parser("worker", help="work on runs that were launched on workers")
    worker.add_argument("agents", nargs="*", metavar="MODULE[:NAME]", help="what it serves")
    worker.add_argument("--store", help="the team's record, postgresql://host/team (or NBAGENT_STORE)")
    worker.add_argument("--concurrency", type=int, default=100, metavar="N", help="runs at a time (100)")
    worker.add_argument(
        "--drain", type=float, default=60.0, metavar="S", help="seconds for runs at work at its end (60)"
    )
    worker.add_argument("--health", type=int, metavar="PORT", help="answer GET on this port")
    worker.add_argument(
        "--id", metavar="NAME", help="its id at the engine; each process needs one of its own"
    )
    worker.add_argument(
        "--demo", action="store_true", help="two workers with a Postgres of their own, to try it"
    )
    worker.set_defaults(do=_worker)
    workers = verbs.add_parser("workers", help="show who works for a record, and what waits")
    workers.add_argument("--store", help="the team's record (or NBAGENT_STORE)")
    workers.set_defaults(do=_workers)
    return parser


def _workers(given: argparse.Namespace) -> int:
    from nbagent.frames import workers_text
    from nbagent.store import open_store

    store = open_store(_store_url(given.store))
    sys.stdout.write(workers_text(store) + "\n")
    store.close()
    return 0


def _worker(given: argparse.Namespace) -> int:
    if given.concurrency < 1:
        raise ConfigurationError(f"--concurrency {given.concurrency} is no number of runs", "give 1 or more")
    check_engine()
    if given.demo:
        from nbagent.worker.demo import run_demo

        return run_demo(given.agents, ["--concurrency", str(given.concurrency), "--drain", "5"])
    url = _store_url(given.store)
    from nbagent.worker.serving import served
    from nbagent.worker.worker import Worker, WorkerOptions

    options = WorkerOptions(
        concurrency=given.concurrency, drain_s=given.drain, health_port=given.health, worker=given.id
    )
    Worker(url, served(given.agents), options).run()
    sys.stderr.flush()
    os._exit(0)  # the engine's threads wait for nothing that matters


def _store_url(store: str | None) -> ServerUrl:
    """Return the record's address, and make it the process's."""
    text = store or os.environ.get("NBAGENT_STORE") or ""
    try:
        url = server_url(text)
        fits = text.startswith(("postgresql://", "postgres://"))
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{text!r} is no record on a server" if text else "a worker needs a record on a server",
            "give --store postgresql://host/team, or set NBAGENT_STORE",
        )
    os.environ["NBAGENT_STORE"] = text
    return url


def check_engine() -> None:
    """Raise ConfigurationError where the engine is not installed."""
    from importlib.util import find_spec

    if find_spec("dbos") is None or find_spec("psycopg") is None:
        raise ConfigurationError(
            "workers need the packages dbos and psycopg, which are not installed",
            'pip install "nbagent-jupyter[workers]"',
        )


if __name__ == "__main__":
    sys.exit(main())
