"""An index folder on disk: its paths, its format version, the writer's lock, and replacing a file atomically.

    catalog.sqlite3          the authority (with catalog.sqlite3-wal and -shm while it is open)
    vectors.json             names the current vector file, the generation it holds, its size and checksum
    vectors-<generation>.faiss   the vector file, derived from the catalog
    writer.lock              held by the one process that writes

This room knows names and how to write safely. It does not know what is in the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctxsearch.errors import IndexBusyError, IndexNotFoundError, NotAnIndexError, StoreError

FORMAT_VERSION = 1
"""Version of the index folder's format. A reader refuses a higher one."""

LOCK_TIMEOUT_SECONDS = 30.0
"""How long a second writer waits for the first."""


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """The paths of one index."""

    root: Path

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.sqlite3"

    @property
    def vectors_manifest(self) -> Path:
        return self.root / "vectors.json"

    @property
    def lock(self) -> Path:
        return self.root / "writer.lock"

    def vectors(self, generation: int) -> Path:
        """Path of the vector file that holds ``generation``."""
        return self.root / f"vectors-{generation}.faiss"

    def vector_files(self) -> list[Path]:
        """All vector files that are there, the current one and any left behind."""
        return sorted(self.root.glob("vectors-*.faiss"))

    def exists(self) -> bool:
        """True when there is an index here.

        Raises:
            NotAnIndexError: something else is here.
        """
        try:
            if self.catalog.is_file():
                return True
            if not self.root.exists():
                return False
            if not self.root.is_dir():
                raise NotAnIndexError(f"{self.root} is a file, not an index folder; name another folder with --index")
            if any(True for _ in self.root.iterdir()):
                raise NotAnIndexError(
                    f"{self.root} is a folder of something else (it has no {self.catalog.name}); "
                    "name another folder with --index"
                )
        except OSError as error:
            raise StoreError(f"{self.root} cannot be read: {error.strerror}") from error
        return False

    def require(self) -> None:
        """Raise unless there is an index here.

        Raises:
            IndexNotFoundError: nothing is here.
            NotAnIndexError: something else is here.
        """
        if not self.exists():
            raise IndexNotFoundError(
                f"no index at {self.root}; make one with: ctxsearch ingest PATH --index {self.root}"
            )

    def create(self) -> None:
        """Make the folder.

        Raises:
            StoreError: it cannot be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the index folder {self.root}: {error.strerror}") from error

    @contextmanager
    def writer_lock(self, timeout: float = LOCK_TIMEOUT_SECONDS) -> Iterator[None]:
        """Hold the right to write. The operating system lets go of it when the process ends, however it ends.

        Args:
            timeout: seconds to wait for another writer.

        Raises:
            IndexBusyError: another process still writes after that time.
            StoreError: the folder cannot be written to.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock, timeout=timeout)
        try:
            lock.acquire()
        except Timeout as error:
            raise IndexBusyError(
                f"another process is writing to {self.root} (waited {timeout:g} s); try again when it is done"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot write to {self.root}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()


def replace_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that ``path`` is, at every moment and after a crash, the old file or the new one, whole.

    Args:
        path: the file to make or replace.
        write: writes the content to the path that it is given, in the same folder.

    Raises:
        OSError: from writing; the old file is untouched and nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
