"""Which threads are inside OpenVINO, so that a process forks when none is.

OpenVINO has locks and queues of its own. A child that was forked while a thread held one of them hangs as soon as it
loads the model.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ctxsearch import forking

FORK_SECONDS = 2.0
"""How long a fork waits for the inferences under way, and how long a thread waits for a fork."""


class Activity:
    """Calls of OpenVINO by all threads of the process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._threads = 0
        self._forking = False
        self._begun: set[Any] = set()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """A call of OpenVINO by this thread. While the process forks, it is put off."""
        with self._changed:
            if self._forking:
                self._changed.wait_for(lambda: not self._forking, FORK_SECONDS)
            self._threads += 1
        try:
            yield
        finally:
            with self._changed:
                self._threads -= 1
                if self._forking:
                    self._changed.notify_all()

    def begun(self, request: Any) -> None:
        """An inference goes on in OpenVINO's own threads."""
        with self._changed:
            self._begun.add(request)

    def finished(self, request: Any) -> None:
        """It was waited for."""
        with self._changed:
            self._begun.discard(request)

    def before_fork(self) -> None:
        with self._changed:
            self._forking = True
            self._changed.wait_for(lambda: not self._threads, FORK_SECONDS)
            begun = list(self._begun)
        for request in begun:
            request.wait_for(int(1000 * FORK_SECONDS))

    def after_fork_in_parent(self) -> None:
        with self._changed:
            self._forking = False
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        forking.abandon(self._begun)
        self._changed, self._threads, self._forking, self._begun = threading.Condition(), 0, False, set()


activity = Activity()
forking.register_last(activity)
