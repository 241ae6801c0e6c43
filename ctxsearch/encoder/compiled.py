"""Compiled graphs, kept on disk a user and machine, so that a process compiles none that was compiled before.

    compiled/<key>.blob   a header, then what OpenVINO exported, from the second page on

The key is a hash of all that decides what is compiled: the weights' checksum, how the graph was prepared, the options,
the version of OpenVINO, and the CPU. The header says the key again, the length and a CRC-32: OpenVINO is given no byte
that does not fit, since it may end the process over damaged ones. An entry is written beside and renamed, so processes
that start together cannot see half of one. Where nothing can be written there is no cache, and nothing else changes.

The file is mapped into memory, and the compiled graph reads its weights there: what several processes use is in memory
once.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ctxsearch import forking, locks
from ctxsearch.encoder.library import openvino

MOST_BYTES = 1 << 30
"""The cache is kept below this. The three graphs of the model in the box take 70 MB."""

OLD_SECONDS = 90 * 86400
"""An entry that was not used for so long is removed when another is written."""

_HEADER = struct.Struct("<8s32sQI")
_MAGIC = b"CTXSBLB1"
_PAGE = 4096
"""Where the exported bytes begin, aligned as OpenVINO wants them to be to use them where they are."""

_SUFFIX = ".blob"

_mapped: dict[str, Any] = {}
"""Entries that this process has mapped, by key. They stay: OpenVINO does not say when it has read the last of one."""

_mapping = locks.make(locks.Rank.COMPILED_CACHE)


def _in_child() -> None:
    global _mapping
    _mapping = locks.make(locks.Rank.COMPILED_CACHE)


forking.reset_in_child(_in_child)


def folder() -> Path:
    """Where compiled graphs are kept: below ``$CTXSEARCH_CACHE``, else in the user's folder for caches."""
    if named := os.environ.get("CTXSEARCH_CACHE"):
        return Path(named) / "compiled"
    from platformdirs import user_cache_path

    return user_cache_path("ctxsearch", appauthor=False) / "compiled"


def compile_graph(
    core: openvino.Core, prepare: Callable[[], openvino.Model], identity: Mapping[str, str], options: Mapping[str, Any]
) -> openvino.CompiledModel:
    """A graph compiled for the CPU, from the cache where it is there.

    Args:
        core: OpenVINO.
        prepare: reads the graph and makes it ready to be compiled; not called where the cache has it.
        identity: what tells the graph from others: its weights' checksum, and how `prepare` changes it.
        options: as OpenVINO takes them.

    Raises:
        RuntimeError: OpenVINO cannot read or compile it.
    """
    options = dict(options)
    key = _key(core, identity, options)
    with _mapping:
        blob = _mapped.get(key)
        if blob is None:
            blob = _read(folder() / f"{key}{_SUFFIX}", key)
        if blob is not None:
            try:
                compiled = core.import_model(blob, "CPU", options)
            except RuntimeError:  # the bytes are what was written; this OpenVINO takes them for something else
                pass
            else:
                _mapped[key] = blob
                return compiled
    compiled = core.compile_model(prepare(), "CPU", options)
    with suppress(OSError, RuntimeError):
        _write(folder(), key, compiled.export_model().getbuffer())
    return compiled


def _key(core: openvino.Core, identity: Mapping[str, str], options: Mapping[str, Any]) -> str:
    said = {
        "graph": dict(identity),
        "options": {name: str(value) for name, value in options.items()},
        "openvino": openvino.get_version(),
        "cpu": [
            str(core.get_property("CPU", "FULL_DEVICE_NAME")),
            sorted(map(str, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
            platform.system(),
            platform.machine(),
            _instructions(),
        ],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _instructions() -> str:
    """The instruction sets of the first core, where the system has them in a file."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next((line for line in file.read(16384).splitlines() if line.startswith(("flags", "Features"))), "")
    except OSError:
        return ""


def _read(path: Path, key: str) -> openvino.Tensor | None:
    """The exported bytes of an entry, mapped; None for one that is not there. One that does not fit is removed."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
        if len(header) == _HEADER.size:
            magic, of, length, checksum = _HEADER.unpack(header)
            if (magic, of.hex()) == (_MAGIC, key) and 0 < length == size - _PAGE:
                blob = np.memmap(path, np.uint8, mode="c", offset=_PAGE)  # private; OpenVINO wants it writable
                if zlib.crc32(blob.data) == checksum:
                    if time.time() - path.stat().st_mtime > 86400:
                        with suppress(OSError):
                            os.utime(path)
                    return openvino.Tensor(blob, shared_memory=True)
                del blob
        path.unlink()
    except (OSError, ValueError):
        pass
    return None


def _write(into: Path, key: str, blob: memoryview) -> None:
    if len(blob) > MOST_BYTES // 2:
        return
    import tempfile  # here, since few processes write

    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_room(into, MOST_BYTES - len(blob) - _PAGE)
    descriptor, partial = tempfile.mkstemp(prefix=f".{key[:16]}.", suffix=".partial", dir=into)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_HEADER.pack(_MAGIC, bytes.fromhex(key), len(blob), zlib.crc32(blob)).ljust(_PAGE, b"\0"))
            file.write(blob)
        os.replace(partial, into / f"{key}{_SUFFIX}")
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _make_room(into: Path, room: int) -> None:
    """Remove old entries, and those used longest ago, until what is left takes no more than ``room`` bytes."""
    now = time.time()
    entries = []
    for path in into.iterdir():
        with suppress(OSError):
            found = path.stat()
            if path.suffix == _SUFFIX or (path.suffix == ".partial" and now - found.st_mtime > 3600):
                entries.append((found.st_mtime, found.st_size, path))
    held = 0
    for modified, size, path in sorted(entries, reverse=True):
        held += size
        if held > room or now - modified > OLD_SECONDS or path.suffix == ".partial":
            with suppress(OSError):
                path.unlink()
