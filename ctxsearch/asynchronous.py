"""Calls of an index from asyncio: they run in threads, of which there are few, and none while there is nothing to do.

A read that is cancelled is left to itself, and ends soon. A write that is cancelled is told to stop, and waited for:
what it committed stays, and the next write need not wait.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NamedTuple, ParamSpec, Protocol, TypeVar

from ctxsearch import forking, locks

if TYPE_CHECKING:  # they take 50 ms to import
    import asyncio
    from concurrent.futures import Future

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
"""Reads of one index that run at once. They take turns for the disk, and share the cores while they embed."""

WRITERS = 1
"""Writes of one index that run at once: the others would only wait for its lock."""


class Workers:
    """Threads for calls, of which some run at once and the others wait. A thread ends with its call."""

    def __init__(self, name: str, limit: int) -> None:
        """
        Args:
            name: of the threads.
            limit: how many run at once.
        """
        self._name = name
        self._limit = limit
        self._lock = locks.make(locks.Rank.BACKGROUND)
        self._running = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """The threads are those of the parent, and so are the calls that they run."""
        self._lock = locks.make(locks.Rank.BACKGROUND)
        self._running = 0
        self._waiting = deque()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Begin a call, or put it at the end of those that wait; it can be cancelled until it is begun."""
        from concurrent.futures import Future

        future: Future[T] = Future()
        with self._lock:
            if self._running >= self._limit:
                self._waiting.append((future, call))
                return future
            self._running += 1
        self._start(future, call)
        return future

    def _start(self, future: Future[Any], call: Callable[[], Any]) -> None:
        threading.Thread(target=self._run, args=(future, call), name=self._name).start()

    def _run(self, future: Future[Any], call: Callable[[], Any]) -> None:
        result, error, begun = None, None, future.set_running_or_notify_cancel()
        if begun:
            try:
                result = call()
            except BaseException as raised:  # whoever waits for the call gets it
                error = raised
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            if following is None:
                self._running -= 1
        if following is not None:
            self._start(*following)
        if begun and error is not None:
            future.set_exception(error)
        elif begun:
            future.set_result(result)


class Background:
    """The threads of one index."""

    def __init__(self) -> None:
        self.reads = Workers("ctxsearch-read", READERS)
        self.writes = Workers("ctxsearch-write", WRITERS)


class HasBackground(Protocol):
    """What has methods that can be awaited."""

    _background: Background


S = TypeVar("S", bound=HasBackground)


def reading(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The coroutine function of a method that only reads."""

    @functools.wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await _read(self._background.reads, functools.partial(method, self, *args, **kwargs))

    return _described(call, method, "The loop goes on meanwhile. If it is cancelled, its result is dropped.")


def writing(
    method: Callable[Concatenate[S, P], T], *, stops: bool = False
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The coroutine function of a method that writes.

    Args:
        method: the method.
        stops: it takes a ``stop`` event.
    """

    @functools.wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not stops:
            return await _write(self._background.writes, functools.partial(method, self, *args, **kwargs))
        stop = kwargs["stop"] = kwargs.get("stop") or threading.Event()
        assert isinstance(stop, threading.Event)
        return await _write(self._background.writes, functools.partial(method, self, *args, **kwargs), stop)

    ends = "at the next window; what was committed stays" if stops else "when it is done"
    return _described(call, method, f"The loop goes on meanwhile. If it is cancelled, it ends {ends}.")


class _Begun(NamedTuple, Generic[T]):
    """A call on its way."""

    future: Future[T]
    awaited: asyncio.Future[T]
    threads: list[threading.Thread]
    """The one that runs it, from when it does."""


async def _read(workers: Workers, call: Callable[[], T]) -> T:
    import asyncio

    begun = _begin(workers, call)
    try:
        await asyncio.wait([begun.awaited])
    except asyncio.CancelledError:
        if not begun.future.cancel():
            begun.awaited.add_done_callback(_forget)
        raise
    return begun.awaited.result()


async def _write(workers: Workers, call: Callable[[], T], stop: threading.Event | None = None) -> T:
    import asyncio

    begun = _begin(workers, call)
    try:
        await asyncio.wait([begun.awaited])
    except asyncio.CancelledError:
        if not begun.future.cancel():
            if stop:
                stop.set()
            while not begun.awaited.done():
                with suppress(asyncio.CancelledError):  # it is on its way to its end
                    await asyncio.wait([begun.awaited])
            _forget(begun.awaited)
            for thread in begun.threads:
                thread.join()  # it has done its work, and ends
        raise
    return begun.awaited.result()


def _begin(workers: Workers, call: Callable[[], T]) -> _Begun[T]:
    import asyncio
    import contextvars

    context, threads = contextvars.copy_context(), list[threading.Thread]()

    def run() -> T:
        threads.append(threading.current_thread())
        return context.run(call)

    future = workers.submit(run)
    return _Begun(future, asyncio.wrap_future(future), threads)


def _forget(awaited: asyncio.Future[Any]) -> None:
    """Nobody waits for the result any more, nor for the error."""
    if not awaited.cancelled():
        awaited.exception()


def _described(call: Callable[P, T], method: Callable[..., Any], what: str) -> Callable[P, T]:
    call.__name__ = f"a{method.__name__}"
    call.__qualname__ = method.__qualname__.replace(method.__name__, call.__name__)
    call.__doc__ = f"`{method.__name__}` for asyncio; its arguments, result and errors. {what}"
    return call
