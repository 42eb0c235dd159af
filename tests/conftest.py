"""What every test gets: no key, no network but loopback, a store of its own, real kernels, no silent skip."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.environment import HARNESS_OPTIONS, is_private, keep_bytecode
from tests.harness.kernel import RealKernel
from tests.harness.pythons import VARIABLE, ipykernel6_python, kernel_python
from tests.harness.watchdog import keep_stderr, pytest_enter_pdb, pytest_runtest_protocol  # noqa: F401 - hooks
from tests.provider.fixtures import provider  # noqa: F401 - a fixture for every folder

_skipped: list[str] = []


def pytest_configure() -> None:
    """Take keys and options out of this process's environment, close the network, and let compiled modules be kept."""
    for name in [name for name in os.environ if is_private(name) and name not in HARNESS_OPTIONS]:
        del os.environ[name]
    sys.addaudithook(_only_loopback)
    keep_bytecode()
    keep_stderr()


def _only_loopback(event: str, args: tuple[object, ...]) -> None:
    """Refuse connections that leave this machine: a test that needs a provider starts a server of its own."""
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = str(args[1][0])
    try:
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = host in ("localhost", "")
    if not local:
        msg = f"a test tried to connect to {args[1]!r}; tests talk to loopback servers only"
        raise ConnectionRefusedError(msg)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the ipykernel 6 environment before the clock of the first test that needs it starts."""
    needed = any("kernel_version" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not session.config.option.collectonly:
        os.environ[VARIABLE] = ipykernel6_python()


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a store that no other test and no notebook of the developer shares, closed with the test."""
    path = tmp_path / "store" / "runs.duckdb"
    monkeypatch.setenv("NBAGENT_STORE", str(path))
    yield
    launch = sys.modules.get("nbagent.runtime.runtime")
    if launch is not None and launch._current is not None:
        # a kernel has one store; a thousand tests in one process would run out of threads and descriptors
        store = launch._current._stores.pop(path, None)
        if store is not None:
            store.close()


@pytest.fixture(params=["ipykernel7", "ipykernel6"])
def kernel_version(request: pytest.FixtureRequest) -> str:
    """The leg of the kernel matrix."""
    return str(request.param)


@pytest.fixture(name="kernel_python")
def _kernel_python(kernel_version: str) -> str:
    """The Python executable of this leg."""
    return kernel_python(kernel_version)


@pytest.fixture
def kernel(kernel_python: str, tmp_path: Path) -> Iterator[RealKernel]:
    """A new kernel of each version in turn, with its own project folder and store; its imports are done already."""
    with RealKernel(tmp_path / "kernel", python=kernel_python) as running:
        yield running


@pytest.fixture
def cold_kernel(kernel_python: str, tmp_path: Path) -> Iterator[RealKernel]:
    """A new kernel of each version in turn that has imported nothing of nbagent yet: for what an import does."""
    with RealKernel(tmp_path / "cold", python=kernel_python, cold=True) as running:
        yield running


def _must_not_skip() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true") or bool(os.environ.get("NBAGENT_NO_SKIP"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember skips; an expected failure is not one."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember whole files that were skipped."""
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the files that a process of the session skipped: it reports tests by itself, files it does not."""
    _skipped.extend(name for name in getattr(node, "workeroutput", {}).get("skipped", ()) if "::" not in name)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI session in which anything was skipped."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["skipped"] = _skipped
    if _skipped and _must_not_skip():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skipped tests that failed the session."""
    if _skipped and _must_not_skip():
        terminalreporter.section("skipped tests, which CI does not allow", red=True)
        for nodeid in dict.fromkeys(_skipped):
            terminalreporter.line(nodeid)
