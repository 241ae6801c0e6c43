"""The right to write to an index folder: one process at a time, and the others are told which."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ctxsearch import forking
from ctxsearch.errors import IndexBusyError, StoreError
from ctxsearch.layout import untrusted
from ctxsearch.layout.files import replace_atomically

MAX_HOLDER_BYTES = 4096
"""Size of writer.json."""

LOCK_TIMEOUT_SECONDS = 30.0
"""How long a second writer waits for the first, unless told otherwise."""


@contextmanager
def writer_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Hold the right to write. The operating system lets go of it when the process ends, however it ends.

    Args:
        folder: the index folder.
        timeout: seconds to wait for another writer.

    Raises:
        IndexBusyError: another process still writes after that time.
        StoreError: the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    forking.be_told_first()
    lock = FileLock(folder / "writer.lock", timeout=timeout)
    holder = folder / "writer.json"
    try:
        untrusted.check_file(folder / "writer.lock", written=False)
        lock.acquire()
    except Timeout as error:
        raise IndexBusyError(
            f"{_describe(holder)} is writing to {folder} (waited {timeout:g} s); try again when it is done, "
            "or wait longer with CTXSEARCH_LOCK_TIMEOUT=SECONDS"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        with suppress(OSError):  # it only informs; a full disk is met, and told, where something is lost by it
            _write_holder(holder)
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _write_holder(path: Path) -> None:
    """Say who holds the lock. A process that was killed leaves this behind; nobody reads it unless the lock is held."""
    said = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200],
    }

    def write(partial: Path) -> None:
        partial.write_text(json.dumps(said) + "\n", encoding="utf-8")

    replace_atomically(path, write)


def _describe(path: Path) -> str:
    try:
        said = untrusted.parse_json(untrusted.read_file(path, MAX_HOLDER_BYTES))
        pid, host, since, command = (str(said[name])[:300] for name in ("pid", "host", "since", "command"))
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return f"process {pid} on {host} (since {since}: {command})"
