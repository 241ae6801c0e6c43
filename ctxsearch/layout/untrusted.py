"""Opening and reading files of a folder that a stranger may have made.

An index or a model folder can come from anywhere. A link in it may lead out of it, a FIFO would block, and a small file
may claim to be endless. So files are opened without following links, must be regular files, and are read up to a limit.

The files of these folders are direct children of them, so `O_NOFOLLOW` on the last component is enough. The folder's
own path is the user's, and may have links. Windows has no `O_NOFOLLOW`: there a link is looked for before it is opened.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_SAFE = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

NOT_A_FILE = "it is not a regular file (a link, a folder or a device)"
SHARED = (
    "it has a second name (a hard link), so writing would change another file, too; copy the folder and use the copy"
)


class NotRegularFileError(OSError):
    """There is something at the path that is not a file of its own."""

    def __init__(self, path: Path, reason: str = NOT_A_FILE) -> None:
        super().__init__(errno.EINVAL, reason, str(path))


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file. It is never a link, and a FIFO does not block.

    Raises:
        NotRegularFileError: it is something else.
        OSError: it cannot be opened.
    """
    if not _NO_FOLLOW and path.is_symlink():
        raise NotRegularFileError(path)
    try:
        descriptor = os.open(path, flags | _SAFE, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR) or (error.errno == errno.EEXIST and _is_other(path)):
            raise NotRegularFileError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFileError(path)
    return descriptor


def create(path: Path) -> int:
    """A descriptor of a new, empty file, open for writing.

    Raises:
        FileExistsError: there is a file of that name.
        NotRegularFileError: there is something else of that name.
        OSError: it cannot be made.
    """
    return open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def check_file(path: Path, *, written: bool) -> None:
    """Raise unless a path is a regular file, or nothing. For files that a library opens by their path.

    Args:
        path: the file.
        written: it is going to be changed in place, so it must not have a second name.

    Raises:
        NotRegularFileError: it is something else.
        OSError: it cannot be looked at.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise NotRegularFileError(path)
    if written and found.st_nlink > 1:
        raise NotRegularFileError(path, SHARED)


def open_to_read(path: Path) -> io.BufferedReader:
    """A regular file, open for reading; see `open_file`."""
    return os.fdopen(open_file(path), "rb")


def read_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    Raises:
        NotRegularFileError: it is something else.
        ValueError: it is larger.
        OSError: it cannot be read.
    """
    with open_to_read(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path.name} is larger than {most:,} bytes")
    return content


def parse_json(text: bytes | str) -> Any:
    """A JSON value.

    Raises:
        ValueError: it is not JSON, has NaN or Infinity, an integer of thousands of digits, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _is_other(path: Path) -> bool:
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
