"""Who may do what with the files of a record: their modes, a record that can only be read, and what refuses access.

A record is its maker's alone (folder 0700, files 0600), or its group's where `store_mode` is "group" when it is made
(2770 and 0660). Files that are made beside it later follow the record's own mode. Any thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from nbagent import settings
from nbagent.errors import StoreError

_NO_LOCKS = frozenset(
    getattr(errno, name) for name in ("ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS") if hasattr(errno, name)
)
NO_ACCESS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def is_there(path: Path) -> bool:
    """Whether there is a file, or something in the way of knowing: whoever opens it is told what."""
    try:
        return path.exists()
    except OSError:
        return True


def make_folder(folder: Path, database: Path | None = None) -> None:
    """Make the folder that a record is in, or one beside it for `database`. Raises OSError."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if settings.get("store_mode") == "group" if database is None else _is_shared(database):
        folder.chmod(0o2770)  # the umask would take the group's rights; what is made in it is the group's


def file_mode(database: Path) -> int:
    """The mode of a file that is made for this record."""
    return 0o660 if _is_shared(database) else 0o600


def set_mode(path: Path, database: Path) -> None:
    """Give a file that somebody else has made, as DuckDB, the record's mode; it may be another user's."""
    with contextlib.suppress(OSError):
        path.chmod(file_mode(database))


def open_file(path: Path, flags: int, database: Path) -> int:
    """As `os.open`; a file that this makes has the record's mode, whatever the umask. Raises OSError."""
    mode = file_mode(database)
    if mode == 0o600 or not flags & os.O_CREAT:  # noqa: PLR2004 - the one mode that no umask narrows
        return os.open(path, flags, mode)
    fd = os.open(path, flags, mode)
    with contextlib.suppress(OSError):  # another member of the group has made it
        os.fchmod(fd, mode)
    return fd


def _is_shared(database: Path) -> bool:
    try:
        return bool(database.stat().st_mode & stat.S_IWGRP)
    except OSError:
        return bool(settings.get("store_mode") == "group")


def can_only_read(path: Path) -> bool:
    """Whether there is a record that this user may read and not write. Raises PermissionError for one not even read."""
    if not path.exists():
        return False
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK))


def access_trouble(error: OSError, path: Path) -> StoreError:
    """Say what keeps this user, or this file system, from working with the record."""
    reason = error.strerror or str(error)
    if error.errno in _NO_LOCKS:
        return StoreError(
            f"the record {str(path)!r} cannot be shared safely: its file system has no file locks ({reason})",
            "set NBAGENT_STORE to a file on a local disk; rows wait in memory until then",
        )
    if error.errno in NO_ACCESS:
        return StoreError(
            f"the record {str(path)!r} cannot be opened{_whose(path)}: {reason}",
            "set NBAGENT_STORE to a file of your own, or have it shared with your group (option store_mode)",
        )
    return StoreError(
        f"the record {str(path)!r} cannot be written: {reason}",
        "make its folder writable, or set NBAGENT_STORE to another file; rows wait in memory until then",
    )


def only_read(path: Path) -> StoreError:
    """What keeps rows in memory where the record can only be read."""
    return StoreError(
        f"the record {str(path)!r} can only be read{_whose(path)}; rows wait in memory",
        "set NBAGENT_STORE to a file of your own to record runs; what is in this one can be looked at",
    )


def _whose(path: Path) -> str:
    """Whose the nearest thing is that can be seen, where it is another user's."""
    for one in (path, *path.parents):
        try:
            uid = one.stat().st_uid
        except OSError:
            continue
        if not hasattr(os, "getuid") or uid == os.getuid():
            return ""
        with contextlib.suppress(KeyError, ImportError):
            import pwd

            return f", it is of user {pwd.getpwuid(uid).pw_name!r}"
        return f", it is of user {uid}"
    return ""
