"""Who works on a run: a process, named so that no later one can be mistaken for it.

An owner is `host boot pid start`: the host's name, its boot id and pid namespace, the pid and when that
process began. `duckdb/write/orphans.py` asks whether the owner of an unfinished attempt is still there. Pure but for reads
of the process table; any thread.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

PLACED = "workers"  # the owner of a launch that any worker may take; whoever takes it claims attempt 1
_STARTTIME = 19  # field 22 of /proc/PID/stat, counted after the command's closing bracket


def current_process_id() -> str:
    """Name the current process (a forked child gets a name of its own)."""
    pid = os.getpid()
    return f"{_host()} {_boot()} {pid} {_start_of(pid)}"


def is_alive(owner: str) -> bool | None:
    """Whether the process `owner` still runs. None where this host cannot know, and where it is none yet."""
    if owner == PLACED:
        return None
    try:
        host, boot, pid, start = owner.split(" ")
    except ValueError:
        return False
    if host != _host():
        return None
    here, there = _boot().partition("/"), boot.partition("/")
    if here[0] != there[0]:
        return False  # the machine has been started anew since
    if here[2] != there[2]:
        return None  # another container on this machine
    return _start_of(int(pid)) == start


def process_name(owner: str) -> str:
    """How a person is told of an owner."""
    if owner == PLACED:
        return "waits for a worker"
    host, _, pid = [*owner.split(" "), "?", "?"][:3]
    return f"process {pid} on {host}"


@cache
def _host() -> str:
    return socket.gethostname().replace(" ", "_") or "unknown"


@cache
def _boot() -> str:
    """The boot id and the pid namespace on Linux; elsewhere empty, where the start time must do."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return "-/-"


def _start_of(pid: int) -> str:
    """When `pid` began: clock ticks since boot on Linux, seconds since 1970 elsewhere; empty if gone."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        fields = stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "" if stat.parent.parent.joinpath("self").exists() else _start_by_psutil(pid)
    return "" if fields[0] in "ZX" else fields[_STARTTIME]  # a zombie works on nothing


def _start_by_psutil(pid: int) -> str:
    import psutil

    try:
        return str(round(psutil.Process(pid).create_time()))
    except psutil.Error:
        return ""
