"""Memory and threads: whether the process may have what a model takes.

The libraries behind a model do not report that they got none. OpenBLAS ends or interrupts the process, OpenVINO crashes
it. So both are looked at before these libraries are imported.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from ctxsearch.errors import ResourceError

MODEL_ADDRESS_SPACE_MB = 1000
"""Address space that a first query or a small ingest takes on two cores (``VmPeak``: 950 and 999 MB). Most of it is
reserved for stacks and heaps of threads and never used. With 400 to 600 MB OpenVINO crashes the process."""

MODEL_THREADS = 8
"""Threads that a query starts on two cores: with 6 OpenVINO cannot load the model, with 2 OpenBLAS interrupts us."""

THREAD_STARTS_SECONDS = 10.0


def require_for_model() -> None:
    """Check that a model can be loaded.

    Raises:
        ResourceError: the process may have too little memory or too few threads.
    """
    left = _address_space_left()
    if left is None:
        _start_threads(MODEL_THREADS)  # where address space is scarce, their heaps would take a quarter of it
    elif left < MODEL_ADDRESS_SPACE_MB << 20:
        raise ResourceError(
            f"loading the model takes {MODEL_ADDRESS_SPACE_MB} MB of address space, and this process may have "
            f"{left >> 20} MB more: raise its limit (ulimit -v); a search by words alone needs no model"
        )


def require_for_arrays() -> None:
    """Check that numpy can be imported: its OpenBLAS starts a thread for each core.

    Raises:
        ResourceError: the process may have too few threads.
    """
    if "numpy" not in sys.modules and _address_space_left() is None:
        _start_threads(min(os.cpu_count() or 1, MODEL_THREADS) - 1)


def _start_threads(count: int) -> None:
    started, end = [], threading.Event()
    try:
        for _ in range(count):
            thread = threading.Thread(target=end.wait, args=(THREAD_STARTS_SECONDS,), daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise no_threads() from error
    finally:
        end.set()
        for thread in started:
            thread.join()


def has_plenty() -> bool:
    """Whether memory can be had that no call needs more of at once: then a `MemoryError` was of what a file claims."""
    try:
        bytearray(PLENTY_MB << 20)
    except MemoryError:
        return False
    return True


def explained(error: BaseException) -> ResourceError | None:
    """What Python or a library raised because memory or threads ran out, as an error of ours; None for others."""
    text = str(error)
    if isinstance(error, MemoryError) or "failed to map segment" in text or "annot allocate memory" in text:
        return ResourceError("there is not enough memory for this; what was acknowledged is kept")
    return no_threads() if "can't start new thread" in text else None


def no_threads() -> ResourceError:
    """The error for a thread that could not be started."""
    return ResourceError(
        "the system starts no more threads for this process: raise its limit (ulimit -u, or pids of its container); "
        "a search by words alone needs none"
    )


PLENTY_MB = 512


def _address_space_left() -> int | None:
    """Bytes that the process may still map; None where no limit is set or known."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return limit
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
