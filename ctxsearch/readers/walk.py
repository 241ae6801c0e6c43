"""Paths become files. Links inside a folder are not followed, so nothing outside of it is read.

Left out without a word, as other tools do: hidden files, what ``.gitignore`` and ``.ctxignore`` name, index
folders.
Left out with a word (`Skipped`): links, devices, pipes and sockets.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ctxsearch.errors import SourceError

if TYPE_CHECKING:  # a query imports this module, for what it says of kinds of files, and reads none
    from pathspec import GitIgnoreSpec

IGNORE_FILES = (".gitignore", ".ctxignore")
INDEX_MARK = "catalog.sqlite3"
"""A folder that holds such a file is an index, and is not read."""


Command: TypeAlias = tuple[str, ...]
"""A program and its arguments; see `convert`."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file to read."""

    path: Path
    """The absolute path, so that it is the same file whatever the working directory is when it is read."""
    source: str
    """The path as the user spelled it, with forward slashes."""
    origin: Path
    """The absolute path, links resolved: its identity."""
    size: int
    named: bool
    """True when the user named the file itself and not a folder above it."""
    modified: float = 0.0
    """When it was written: seconds since 1970."""
    changed: float = 0.0
    """When its name, permissions or content were last changed, where the system keeps that."""

    command: Command = ()
    """What turns it into a file that is read, if it is not read as it is."""

    @property
    def signature(self) -> str:
        """What tells whether it is as it was, and read as it was, without reading it."""
        return " ".join((str(self.size), repr(self.modified), repr(self.changed), *self.command))


class Within:
    """Some files and folders, with what is below them: the only ones that a walk is about."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Take absolute paths, links resolved, which need not be there."""
        self._paths = frozenset(paths)
        self._above = frozenset(str(folder) for path in self._paths for folder in Path(path).parents)

    def holds(self, path: str) -> bool:
        """Whether a path is one of these or below one."""
        return path in self._paths or any(str(folder) in self._paths for folder in Path(path).parents)

    def names(self, path: str) -> bool:
        """Whether a path is one of these."""
        return path in self._paths

    def leads(self, folder: str) -> bool:
        """Whether one of these is below a folder."""
        return folder in self._above


class Skipped(NamedTuple):
    """Something met in a folder that is not read, and why."""

    source: str
    error: str


def working_directory() -> Path:
    """Where relative paths start from, as an absolute path; the root of the file system, if the folder was removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.path.abspath(os.sep))


def find_files(
    path: str, base: Path, glob: str | None, ignore: bool = True, within: Within | None = None
) -> Iterator[File | Skipped | SourceError]:
    """The files that one path leads to, in the order of their names.

    Args:
        path: a file or a folder.
        base: the absolute path of the folder that ``path`` is relative to.
        glob: of the files in a folder, only those that fit.
        ignore: leave out what ignore files name.
        within: look only there.
    """
    root = _Root(Path(path), base / path)
    source = root.spelled.as_posix()
    try:
        status = root.path.stat()
        origin = root.path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: Python 3.11 and 3.12 say so of a link that loops
        reason = getattr(error, "strerror", None) or "a link that leads to itself"
        yield SourceError(source, f"cannot be read: {reason}")
        return
    except ValueError:
        yield SourceError(source, "not a path")
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _walk(root, origin, glob, ignore, within)
    elif stat.S_ISREG(status.st_mode):
        if within and not within.holds(str(origin)):
            return
        yield root.file(root.path, origin, status, named=True)
    else:
        yield SourceError(source, "not a regular file")


class _Root(NamedTuple):
    """A path as the user spelled it, and where that is."""

    spelled: Path
    path: Path

    def source(self, path: Path) -> str:
        """How a path at or below this one is shown."""
        return (self.spelled / path.relative_to(self.path)).as_posix()

    def file(self, path: Path, origin: Path, status: os.stat_result, *, named: bool) -> File:
        return File(path, self.source(path), origin, status.st_size, named, status.st_mtime, status.st_ctime)


def _walk(
    root: _Root, origin: Path, glob: str | None, ignore: bool, within: Within | None
) -> Iterator[File | Skipped | SourceError]:
    whole = within is None or within.holds(str(origin))
    pending: list[tuple[Path, Path, list[tuple[Path, GitIgnoreSpec]], bool]] = [(root.path, origin, [], whole)]
    while pending:
        folder, folder_origin, ignores, whole = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            if any(entry.name == INDEX_MARK for entry in entries):
                continue
            if ignore:
                ignores = ignores + _ignores_of(folder)
        except OSError as error:
            yield SourceError(root.source(folder), f"cannot be read: {error.strerror}")
            continue
        below = []
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                continue
            wanted, leads = whole, False
            if within and not whole:
                entry_origin = str(folder_origin / entry.name)
                wanted, leads = within.names(entry_origin), within.leads(entry_origin)
                if not wanted and not leads:
                    continue
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                if _is_ignored(path, is_folder, ignores):
                    continue
                if entry.is_symlink():
                    yield Skipped(root.source(path), "a link; links inside a folder are not followed")
                elif is_folder:
                    below.append((path, folder_origin / entry.name, ignores, wanted))
                elif not entry.is_file(follow_symlinks=False):
                    yield Skipped(root.source(path), "not a regular file")
                elif glob is None or fnmatch(entry.name, glob) or fnmatch(path.relative_to(root.path).as_posix(), glob):
                    status = entry.stat(follow_symlinks=False)
                    yield root.file(path, folder_origin / entry.name, status, named=False)
            except OSError as error:
                yield SourceError(root.source(path), f"cannot be read: {error.strerror}")
        pending.extend(reversed(below))


def _ignores_of(folder: Path) -> list[tuple[Path, GitIgnoreSpec]]:
    from pathspec import GitIgnoreSpec

    found = []
    for name in IGNORE_FILES:
        file = folder / name
        if file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            found.append((folder, GitIgnoreSpec.from_lines(filter(_is_pattern, lines))))
    return found


def _is_pattern(line: str) -> bool:
    """False for a line that git passes over and pathspec raises for."""
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _is_ignored(path: Path, is_folder: bool, ignores: list[tuple[Path, GitIgnoreSpec]]) -> bool:
    """The deepest ignore file that says anything about a path decides, as in git."""
    for folder, spec in reversed(ignores):
        name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
        verdict = spec.check_file(name).include
        if verdict is not None:
            return verdict
    return False
