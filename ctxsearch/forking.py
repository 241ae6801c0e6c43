"""What a forked child may go on using, and what it must replace.

A fork copies one thread and all memory. Locks held by other threads stay locked for ever in the child, OpenVINO's and
our own worker threads are gone, and SQLite must not be used across a fork. So whoever owns such a thing registers here:

    before_fork            in the parent: bring it to rest, as far as that takes little time
    after_fork_in_parent   go on
    after_fork_in_child    replace what the child cannot use; cheap, since the child may run another program at once

What the child replaces is abandoned, not freed: OpenVINO's destructors wait for threads that are not there.
Windows has no fork.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable


class ForkAware(Protocol):
    """An object that replaces in a forked child what it cannot use there. No method may raise."""

    def after_fork_in_child(self) -> None: ...


@runtime_checkable
class Rests(ForkAware, Protocol):
    """One that also comes to rest for the time of the fork."""

    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...


_objects: weakref.WeakSet[Any] = weakref.WeakSet()
_last: list[ForkAware] = []
_resets: list[Callable[[], None]] = []
_abandoned: list[object] = []
_forking: list[ForkAware] = []
"""The objects of the fork under way."""

_under_way = threading.Lock()
"""Held while a process forks, so that two threads do not fork at once."""

_forking_thread: int | None = None

_registering = threading.Lock()

in_child = False
"""Whether this process was forked from one that had imported ctxsearch."""


def register(item: ForkAware) -> None:
    """Call the methods of an object at each fork, for as long as it lives."""
    with _registering:
        _objects.add(item)


def register_last(item: ForkAware) -> None:
    """As `register`, for ever, and to come to rest after all others: they may have to wait for what it does."""
    _last.append(item)


def reset_in_child(reset: Callable[[], None]) -> None:
    """Call a function in each child, as for a module's cache of threads."""
    _resets.append(reset)


def abandon(item: object) -> None:
    """Keep an object of the parent for ever, so that it is never freed in the child."""
    if not _abandoned:
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_abandoned))  # the interpreter frees modules when it ends
    _abandoned.append(item)


_LOCKED_BY_OTHERS = ("concurrent.futures.thread", "filelock", "logging")
"""Modules that keep their own callers waiting from their `before` hook until the fork is over."""

_loaded: set[str] = set()


def be_told_first() -> None:
    """Be told of forks before any of `_LOCKED_BY_OTHERS` that was imported meanwhile.

    Hooks are called in the reverse order of their registration. If another module's came first, a thread whose write we
    wait for would be waiting for the fork.
    """
    imported = {name for name in _LOCKED_BY_OTHERS if name in sys.modules}
    if imported - _loaded:
        _loaded.update(imported)
        _take_part()


def _take_part() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


_calls = 0
"""Calls of `_before` in the fork under way that were not answered yet: one for each registration. The first does the
work, and so does the last answer."""


def _before() -> None:
    global _calls, _forking_thread
    if _forking_thread == threading.get_ident():
        _calls += 1
        return
    _under_way.acquire()
    _forking_thread, _calls = threading.get_ident(), 1
    with _registering:
        _forking[:] = [*_objects, *_last]
    for item in _forking:
        if isinstance(item, Rests):
            item.before_fork()


def _in_parent() -> None:
    global _calls, _forking_thread
    _calls -= 1
    if _calls:
        return
    for item in reversed(_forking):
        if isinstance(item, Rests):
            item.after_fork_in_parent()
    _forking.clear()
    _forking_thread = None
    _under_way.release()


def _in_child() -> None:
    global _calls, _forking_thread, _under_way, _registering, in_child
    _calls -= 1
    if _calls:
        return
    in_child = True
    _forking_thread = None
    _under_way, _registering = threading.Lock(), threading.Lock()
    for reset in _resets:
        reset()
    for item in _forking:
        item.after_fork_in_child()
    _forking.clear()


_take_part()
