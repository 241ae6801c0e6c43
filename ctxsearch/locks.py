"""All locks of a process, in the one order in which they may be taken, and a mode that checks it.

A thread that holds a lock may wait only for locks of a higher rank, unless it gives up after a while. So no two threads
can wait for each other. `check_order` makes every lock created afterwards raise when the order is broken; the test
suite turns it on, and a program pays nothing.

What is no lock must keep to the same order. A thread may wait for another thread's result while it holds a lock, as a
query does for its embedding while it holds `Rank.READ`, only if that thread takes locks of higher ranks alone.

Each store has its own `Rank.WRITE` and `Rank.READ`. A program that writes to one index in the middle of writing to
another decides the order of the two itself.
"""

from __future__ import annotations

import enum
import threading
from types import TracebackType
from typing import Protocol


class Rank(enum.IntEnum):
    """What each lock protects, lowest first."""

    WRITE = 1
    """`LocalStore`: one writer per store in this process. The file ``writer.lock`` comes right after it."""
    READ = 2
    """`LocalStore`: the connection and the vector index that readers share."""
    ENCODER = 3
    """`Index`: the model is loaded once."""
    GRAPH = 4
    """`Graph`: each shape is compiled once."""
    COMPILED_CACHE = 5
    """The compiled graphs that this process has mapped."""
    CATALOG_FILES = 6
    """Which catalog files are open in this process."""
    CLOCK = 7
    """`Clock`: the seconds spent in inference; `Encoder`: the contexts embedded."""
    BACKGROUND = 8
    """`Workers`: which calls from asyncio run and which wait."""


class Lock(Protocol):
    """What `make` returns."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LockOrderError(AssertionError):
    """A lock was taken while one of the same or a higher rank was held. Only raised after `check_order`."""


_checked = False
_held = threading.local()


def make(rank: Rank, *, owner: object = None, reentrant: bool = False) -> Lock:
    """A new lock.

    Args:
        rank: where it stands in the order.
        owner: the store, for a rank of which each store has a lock.
        reentrant: whether the thread that holds it may take it again.
    """
    lock = threading.RLock() if reentrant else threading.Lock()
    return _CheckedLock(lock, rank, None if owner is None else id(owner), reentrant) if _checked else lock


def check_order(on: bool = True) -> None:
    """Check the order of all locks that are made from now on."""
    global _checked
    _checked = on


class _CheckedLock:
    """A lock that knows which locks the thread holds already."""

    def __init__(self, lock: Lock, rank: Rank, owner: int | None, reentrant: bool) -> None:
        self._lock = lock
        self._rank = rank
        self._owner = owner
        self._reentrant = reentrant

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        held = _locks_held()
        waits_for_ever = blocking and timeout < 0
        if waits_for_ever and not (self._reentrant and self in held):
            for other in held:
                same_order = None in (self._owner, other._owner) or self._owner == other._owner
                if same_order and other._rank >= self._rank:
                    raise LockOrderError(f"{self._rank.name} is taken while {other._rank.name} is held")
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            held.append(self)
        return taken

    def release(self) -> None:
        self._lock.release()
        held = _locks_held()
        if self in held:  # a lock may be released by another thread than the one that took it
            held.remove(self)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _locks_held() -> list[_CheckedLock]:
    held: list[_CheckedLock] | None = getattr(_held, "locks", None)
    if held is None:
        held = _held.locks = []
    return held
