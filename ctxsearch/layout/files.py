"""Writing files so that a crash leaves the old one or the new one, and noticing when one has changed by itself.

A seal stands beside a file that is whole and that nobody writes to: its size and checksum. Whoever is about to write
removes the seal first and makes a new one when done, so a sealed file that does not fit its seal is damaged. SQLite has
no checksums of its own: a flipped bit in a page of text or of the full text index would go unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ctxsearch.layout import opened, untrusted

STEPS = (
    "create: catalog made",
    "create: pointer written",
    "write: begun",
    "write: put",
    "write: committed",
    "segment: written",
    "segment: renamed",
    "lists: renamed",
    "segments: listed",
    "segments: others removed",
    "log: emptied",
    "seal: written",
    "catalog: copied",
    "catalog: renamed",
    "pointer: next named",
    "pointer: flipped",
    "leftovers: removed",
    "reembed: window committed",
    "backup: copied",
    "backup: renamed",
)
"""The moments of a write after which a crash must do no harm. Code says `step` when it has come to one."""

on_step: Callable[[str], None] | None = None
"""Told each step; None but in the crash tests, which end the process there."""

SEAL_CHECKED_BYTES = 64 << 20
"""Up to this size a seal has a checksum, which is compared when the file is opened: some 40 ms. Beyond, writing one and
comparing it would cost the more the larger the file is, whatever little was written: a seal has the size alone."""

MAX_CHECKED_BYTES = 1 << 20
"""Size of a file of `write_checked`, which has some hundred bytes."""

_fitting: dict[Path, tuple[str, tuple[int, int, int]]] = {}
"""Files of which this process has seen that they fit their seal, as they were then."""


def step(name: str) -> None:
    """Say that a named step of a write is done."""
    if on_step is not None:
        on_step(name)


def replace_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that ``path`` is, at every moment and after a crash, the old file or the new one, whole.

    Args:
        path: the file to make or replace.
        write: writes the content to the path that it is given, in the same folder.

    Raises:
        OSError: from writing; the old file is untouched and nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")  # a name that nobody could plant
    os.close(untrusted.create(partial))
    try:
        write(partial)
        sync_file(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """SHA-256 of a catalog, as hex. SQLite may have it open, here or in another process.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with opened.reading(path) as chunks:
        for chunk in chunks:
            digest.update(chunk)
    return digest.hexdigest()


# JSON that knows when it is damaged


def write_checked(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a small JSON file atomically; the checksum of its values is among them."""

    def write(partial: Path) -> None:
        partial.write_text(json.dumps({**values, "sha256": _digest(values)}) + "\n", encoding="utf-8")

    replace_atomically(path, write)


def read_checked(path: Path) -> dict[str, Any]:
    """What `write_checked` wrote.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    values = untrusted.parse_json(untrusted.read_file(path, MAX_CHECKED_BYTES))
    if not isinstance(values, dict) or values.pop("sha256", None) != _digest(values):
        raise ValueError("its checksum does not fit")
    return values


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


# Seals


def seal(path: Path) -> None:
    """Say of a file that it is whole and that nobody writes to it.

    Raises:
        OSError: the seal cannot be written.
    """
    size = path.stat().st_size
    write_checked(_seal_of(path), {"bytes": size, "content": sha256_of(path) if size <= SEAL_CHECKED_BYTES else None})
    step("seal: written")


def is_sealed(path: Path) -> bool:
    """Whether nobody has written to a file since it was sealed."""
    return _read_seal(path) is not None


def remove_seal(path: Path) -> None:
    """Say of a file that it is about to change; durable when this returns.

    Raises:
        OSError: the seal cannot be removed.
    """
    try:
        _seal_of(path).unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)


def check_seal(path: Path) -> bool:
    """Whether a file fits its seal; True for one that has none.

    Raises:
        OSError: the file cannot be read.
    """
    for _ in range(100):  # a writer may take the seal away and put another there while the file is read
        before = _read_seal(path)
        if before is None:
            return True
        size = os.lstat(path)
        now = (size.st_size, size.st_mtime_ns, size.st_ino)
        if _fitting.get(path) == (before["content"], now):
            return True
        large = before["content"] is None or now[0] > SEAL_CHECKED_BYTES
        fits: bool = before["bytes"] == now[0] and (large or before["content"] == sha256_of(path))
        if _read_seal(path) == before:
            if fits:
                _fitting[path] = before["content"], now
            return fits
    return True


def _read_seal(path: Path) -> dict[str, Any] | None:
    try:
        said = read_checked(_seal_of(path))
    except (OSError, ValueError):
        return None
    is_seal = type(said.get("bytes")) is int and "content" in said and isinstance(said["content"], str | None)
    return said if is_seal else None


def _seal_of(path: Path) -> Path:
    return path.with_suffix(".seal")
