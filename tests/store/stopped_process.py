"""Stop another process at one system call, with Linux's ptrace through ctypes: no debugger, no compiler.

`stopped_before_lock(pid)` lets the process run until it is about to lock a file of its own (fcntl F_SETLK), holds
it there for the length of the block, and lets it go. The process must not have been told to go before.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

AVAILABLE = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")

_SEIZE, _INTERRUPT, _DETACH, _SYSCALL, _GET_SYSCALL_INFO = 0x4206, 0x4207, 17, 24, 0x420E
_TRACESYSGOOD = 1
_FCNTL = {"x86_64": 72, "aarch64": 25}.get(platform.machine(), -1)
_ENTRY = 1  # op of ptrace_syscall_info


class _Info(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64),
        ("nr", ctypes.c_uint64),
        ("args", ctypes.c_uint64 * 6),
        ("rest", ctypes.c_uint64 * 4),
    )


def _ptrace(request: int, pid: int, address: int = 0, data: int | ctypes.c_void_p = 0) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    done: int = libc.ptrace(request, pid, address, data)
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")
    return done


@contextlib.contextmanager
def stopped_before_lock(pid: int, path: Path, go: Callable[[], None]) -> Iterator[None]:
    """Attach to `pid`'s main thread, call `go`, and hold it where it is about to lock `path`."""
    _ptrace(_SEIZE, pid, 0, _TRACESYSGOOD)
    _ptrace(_INTERRUPT, pid)
    os.waitpid(pid, 0)
    go()
    while not _is_about_to_lock(pid, path):
        _ptrace(_SYSCALL, pid)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSTOPPED(status), "the process ended before it locked the file"
    try:
        yield
    finally:
        _ptrace(_DETACH, pid)


def _is_about_to_lock(pid: int, path: Path) -> bool:
    info = _Info()
    _ptrace(_GET_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.cast(ctypes.byref(info), ctypes.c_void_p))
    if info.op != _ENTRY or info.nr != _FCNTL or info.args[1] not in (fcntl.F_SETLK, fcntl.F_SETLKW):
        return False
    return Path(f"/proc/{pid}/fd/{info.args[0]}").readlink() == path
