"""The files of an index folder by name, and the pointer that says which catalog is the current one.

    index.json                       the pointer
    catalog-<n>.sqlite3              a catalog (with -wal and -shm while it is open); n is never given twice
    catalog-<n>.seal                 its size and checksum, while nobody writes to it
    vectors-<n>-<serial>.rows        a segment of the vectors of catalog n; serial is never given twice
    vectors-<n>-<serial>.lists       its lists, if it is large
    writer.lock, writer.json         held by the one process that writes; who that is
    damaged-<n>.sqlite3              what `repair` took the place of, until `compact`

Whatever makes a catalog anew (compaction, repair, another model, a newer format) makes it beside the current one,
whole, and then replaces the pointer: one rename. Format 1 had catalog.sqlite3 with vectors.json, and no pointer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxsearch import arguments
from ctxsearch.errors import DamagedIndexError, IndexFormatError, IndexNotFoundError, NotAnIndexError, StoreError
from ctxsearch.layout.files import read_checked, step, write_checked
from ctxsearch.layout.lock import LOCK_TIMEOUT_SECONDS, writer_lock
from ctxsearch.layout.untrusted import NotRegularFileError

FORMAT_VERSION = 2
"""Version of the index folder's format. A reader refuses a higher one."""

POINTER = "index.json"
FORMAT_1_CATALOG = "catalog.sqlite3"

_NUMBERED = re.compile(
    r"catalog-([0-9]{1,15})\.(?:sqlite3(?:-wal|-shm|-journal)?|seal)"
    r"|vectors-([0-9]{1,15})-([0-9]{1,15})\.(?:rows|lists|faiss)"
)
_FORMAT_1 = re.compile(r"catalog\.(?:sqlite3(?:-wal|-shm|-journal)?|seal)|vectors\.json|vectors-[0-9]{1,15}\.faiss")
_PARTIAL = re.compile(r"\.(?:catalog|vectors|index|writer)[-.].*\.partial(?:-wal|-shm|-journal)?")
_DAMAGED = re.compile(r"damaged-[0-9]{1,15}\.sqlite3")
_LOCK = re.compile(r"writer\.(?:lock|json)")


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which catalog is the current one."""

    index: str
    """Identity of the index, which its catalogs carry too; empty for format 1."""
    catalog: int
    """Number of the current catalog; 0 for that of format 1."""
    former: int | None = None
    """Number of the catalog of the model before, to go back to."""
    next: int | None = None
    """Number of a catalog that is being made with another model."""
    format: int = FORMAT_VERSION


MAX_NUMBER = 10**15
"""Highest number of a catalog, of a segment's files."""


def _pointer(said: Mapping[str, Any]) -> Pointer:
    """A pointer from what a file says.

    Raises:
        ValueError, TypeError: it says something else.
    """
    pointer = Pointer(**said)
    numbers = (pointer.catalog, *(one for one in (pointer.former, pointer.next) if one is not None), pointer.format)
    if not isinstance(pointer.index, str) or len(pointer.index) > 100:
        raise ValueError("its index is no short text")
    if any(type(number) is not int or not 0 <= number <= MAX_NUMBER for number in numbers):
        raise ValueError("it names catalogs by something else than numbers")
    return pointer


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """The paths of one index."""

    root: Path

    @property
    def pointer(self) -> Path:
        return self.root / POINTER

    def catalog(self, number: int) -> Path:
        """Path of a catalog; that of format 1 has the number 0."""
        return self.root / (f"catalog-{number}.sqlite3" if number else FORMAT_1_CATALOG)

    def rows(self, number: int, serial: int) -> Path:
        """Path of a segment of a catalog's vectors."""
        return self.root / f"vectors-{number}-{serial}.rows"

    def lists(self, number: int, serial: int) -> Path:
        """Path of the lists of a segment."""
        return self.root / f"vectors-{number}-{serial}.lists"

    def vector_files(self, number: int) -> list[Path]:
        """The vector files of a catalog, those in use and any left behind."""
        return sorted(self.root.glob(f"vectors-{number}-*.*" if number else "vectors-[0-9]*.faiss"))

    def serial_of(self, path: Path) -> int:
        """Serial of a vector file; 0 for the one file that there was before there were segments."""
        match = _NUMBERED.fullmatch(path.name)
        return int(match[3]) if match and match[3] and path.suffix != ".faiss" else 0

    def damaged(self, number: int) -> Path:
        """Where `repair` keeps a catalog that it took the place of."""
        return self.root / f"damaged-{number}.sqlite3"

    # What is here

    def exists(self) -> bool:
        """True when there is an index here, whole or damaged.

        Raises:
            NotAnIndexError: something else is here.
        """
        try:
            if not self.root.exists():
                return False
            if not self.root.is_dir():
                raise NotAnIndexError(f"{self.root} is a file, not an index folder; name another folder with --index")
            names = [path.name for path in self.root.iterdir()]
        except OSError as error:
            raise StoreError(f"{self.root} cannot be read: {error.strerror}") from error
        if POINTER in names or FORMAT_1_CATALOG in names:
            return True
        for name in names:
            ours = _NUMBERED.fullmatch(name)
            if ours and not name.startswith("catalog-1."):  # which a process may have left that was killed in `create`
                return True
            if not (ours or _PARTIAL.fullmatch(name) or _LOCK.fullmatch(name)):
                raise NotAnIndexError(
                    f"{self.root} is a folder of something else (it has no {POINTER}); name another folder with --index"
                )
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

    # The pointer

    def read_pointer(self) -> Pointer:
        """Which catalog is the current one.

        Raises:
            IndexNotFoundError: there is no index.
            IndexFormatError: a newer ctxsearch made it.
            DamagedIndexError: the pointer is lost or damaged.
        """
        try:
            said = read_checked(self.pointer)
            if type(said.get("format")) is int and said["format"] > FORMAT_VERSION:
                raise self.too_new(said["format"])
            return _pointer(said)
        except FileNotFoundError as error:
            if self.catalog(0).is_file():
                return Pointer("", 0, format=1)
            self.require()
            raise self.damage(f"{POINTER} is missing") from error
        except (ValueError, TypeError) as error:
            raise self.damage(f"{POINTER} is damaged: {error}") from error
        except NotRegularFileError as error:
            raise self.damage(f"{POINTER} cannot be used: {error.strerror}") from error
        except OSError as error:
            raise StoreError(f"{self.pointer} cannot be read: {error.strerror}") from error

    def pointer_file(self) -> tuple[int, ...] | None:
        """What tells whether the pointer's file is still the same one; None if there is none."""
        try:
            found = os.lstat(self.pointer)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def write_pointer(self, pointer: Pointer) -> None:
        """Replace the pointer, atomically.

        Raises:
            StoreError: it cannot be written; the old one holds.
        """
        try:
            write_checked(self.pointer, asdict(pointer))
        except OSError as error:
            raise StoreError(f"cannot write {self.pointer}: {error.strerror}; the index is as it was") from error

    def damage(self, what: str) -> DamagedIndexError:
        """The error that says what is damaged here, and what helps."""
        return DamagedIndexError(
            f"{self.root}: {what}; save what can be read with: ctxsearch repair --index {self.root}, "
            "or copy back a folder that ctxsearch backup made"
        )

    def too_new(self, found: int) -> IndexFormatError:
        """The error for a format of the future."""
        return IndexFormatError(
            f"{self.root} has format {arguments.shown(found)}, this ctxsearch reads up to {FORMAT_VERSION}; "
            "install a newer one: pip install --upgrade ctxsearch"
        )

    # Catalogs beside one another

    def numbers(self) -> list[int]:
        """Numbers of the catalogs that are here, rising, 0 for that of format 1."""
        found = {int(match[1]) for path in self.root.glob("catalog-*.sqlite3") if (match := _NUMBERED.match(path.name))}
        return sorted(found | ({0} if self.catalog(0).is_file() else set()))

    def new_number(self) -> int:
        """A number that no file here has, nor had."""
        taken = [0]
        for path in self.root.iterdir():
            if match := _NUMBERED.fullmatch(path.name):
                taken.append(int(match[1] or match[2]))
            elif _DAMAGED.fullmatch(path.name):
                taken.append(int(path.stem.partition("-")[2]))
        return max(taken) + 1

    def remove_leftovers(self, pointer: Pointer, *, all_former: bool = False) -> None:
        """Remove what the pointer does not name. Only for the one who holds the lock.

        Args:
            pointer: the current one.
            all_former: also remove what is kept to go back to: files of format 1 and damaged catalogs.
        """
        kept = {pointer.catalog, pointer.former, pointer.next}
        for path in self._leftovers(kept, all_former):
            with suppress(OSError):  # Windows does not remove what a reader has open; the next writer tries again
                path.unlink()
        step("leftovers: removed")

    def _leftovers(self, kept: set[int | None], all_former: bool) -> Iterator[Path]:
        # A catalog goes before its log: a reader that finds the one must find the other.
        for path in sorted(self.root.iterdir(), key=lambda path: (not path.name.endswith(".sqlite3"), path.name)):
            match = _NUMBERED.fullmatch(path.name)
            unnamed = match is not None and int(match[1] or match[2]) not in kept
            former = _DAMAGED.fullmatch(path.name) or (_FORMAT_1.fullmatch(path.name) and 0 not in kept)
            if unnamed or _PARTIAL.fullmatch(path.name) or (all_former and former):
                yield path

    def remove_index(self) -> None:
        """Remove all files of the index but the lock. Only for the one who holds it.

        Raises:
            OSError: one cannot be removed.
        """
        self.pointer.unlink(missing_ok=True)
        for path in self._leftovers(set(), True):
            path.unlink()

    # The lock

    def writer_lock(self, timeout: float = LOCK_TIMEOUT_SECONDS) -> AbstractContextManager[None]:
        """Hold the right to write, as `lock.writer_lock` says."""
        return writer_lock(self.root, timeout)
