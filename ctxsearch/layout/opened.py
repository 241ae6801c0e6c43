"""Catalog files that this process has open.

SQLite locks files with POSIX locks, and these belong to the process: closing any descriptor of a file drops all locks
that the process holds on it (sqlite.org/howtocorrupt.html, section 2.2). Another program may then remove the
write-ahead log under an open connection, which goes on reading a log that nobody writes to. So a catalog file is read
through a descriptor that stays open for as long as SQLite has the file open.

SQLite also remembers which locks the process holds. A child that was forked while a connection was open remembers them
too, and holds none. It must not open that file, so `connect` refuses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctxsearch import forking, locks
from ctxsearch.errors import StoreError
from ctxsearch.layout import untrusted

FileKey = tuple[int, int]
"""Device and inode: two paths of one file share their locks."""

CHUNK_BYTES = 1 << 20


def key_of(path: Path) -> FileKey | None:
    """Which file a path leads to now; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass
class _OpenFile:
    connections: int = 0
    readers: int = 0
    descriptor: int | None = None


_files: dict[FileKey, _OpenFile] = {}
_inherited: set[FileKey] = set()
_lock = locks.make(locks.Rank.CATALOG_FILES)


def connect(path: Path) -> FileKey:
    """Note that SQLite is about to open a file; `disconnect` has to follow.

    Raises:
        OSError: the file is not there.
        StoreError: SQLite had it open when this process was forked.
    """
    found = os.lstat(path)
    key = found.st_dev, found.st_ino
    if key in _inherited:
        raise StoreError(
            f"{path.parent}: this process was forked while a thread of its parent was reading or writing the index, "
            "so SQLite cannot open it here; fork when no call is under way, or start the process with "
            'multiprocessing\'s "spawn" or "forkserver"'
        )
    with _lock:
        _files.setdefault(key, _OpenFile()).connections += 1
    return key


def disconnect(key: FileKey) -> None:
    """Note that a connection was closed."""
    with _lock:
        opened = _files.get(key)
        if opened is not None:  # else of the parent of this process
            opened.connections -= 1
            _close_if_unused(key, opened)


def _close_if_unused(key: FileKey, opened: _OpenFile) -> None:
    if not opened.connections and not opened.readers:
        del _files[key]
        if opened.descriptor is not None:
            os.close(opened.descriptor)


@contextmanager
def reading(path: Path) -> Iterator[Iterator[bytes]]:
    """Read a catalog file beside SQLite, without dropping its locks; yields the content in chunks.

    Raises:
        OSError: the file cannot be read.
    """
    if os.name == "nt":  # no POSIX locks, and no pread
        with untrusted.open_to_read(path) as file:
            yield iter(lambda: file.read(CHUNK_BYTES), b"")
        return
    found = os.lstat(path)
    key = found.st_dev, found.st_ino
    with _lock:
        opened = _files.setdefault(key, _OpenFile())
        opened.readers += 1
    try:
        with _lock:
            if opened.descriptor is None:
                opened.descriptor = untrusted.open_file(path)
        yield _chunks(opened.descriptor)
    finally:
        with _lock:
            opened.readers -= 1
            _close_if_unused(key, opened)


def _chunks(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        yield chunk
        offset += len(chunk)


def _in_child() -> None:
    global _lock
    _lock = locks.make(locks.Rank.CATALOG_FILES)
    _inherited.update(key for key, opened in _files.items() if opened.connections)
    for opened in _files.values():
        if opened.descriptor is not None:
            os.close(opened.descriptor)
    _files.clear()


forking.reset_in_child(_in_child)
