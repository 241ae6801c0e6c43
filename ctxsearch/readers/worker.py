"""A process of its own for parsers: what crashes, hangs or eats memory there costs the file that it read.

The parent side is `Worker`, the child side is `main`, started afresh with the interpreter's own command line: no fork,
and no guard in the user's script. They speak JSON lines over two pipes, so a parser that was taken over can send
documents, not code. One child reads file after file; it is replaced when it dies or is ended.

Limits of one file: time (the parent ends the child; the child ends itself if the parent is gone), memory (RLIMIT_AS,
where the system has it), bytes sent. The child may not write files.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.walk import File, Skipped
from ctxsearch.records import Document, Heading, Page

MEGABYTE = 1024 * 1024

_BOOT = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from ctxsearch.readers.worker import main
main(json.loads(sys.argv[2]))
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take."""

    seconds: float = 60.0
    memory_bytes: int = 768 * MEGABYTE
    """Address space of the child, all that the interpreter maps included."""
    output_bytes: int = 64 * MEGABYTE
    """Of what the child sends: texts with their headings, as JSON."""


START_SECONDS = 60.0
"""A child that says nothing for so long after its start never will."""


class Worker:
    """Reads files in a child process. A context manager; one thread at a time.

    The child is started at the first file, and again after one that ended it. It may be told of files `ahead`, to be at
    work on them while the caller is busy; they must then be read in that order.
    """

    def __init__(self, limits: Limits | None = None, entry: str = "ctxsearch.readers.dispatch:read_kind") -> None:
        """Nothing is started yet.

        Args:
            limits: of each file.
            entry: the function that the child calls with a file and its kind, ``module:name``.
        """
        self._limits = limits or Limits()
        self._entry = entry
        self._child: _Child | None = None
        self._queue: deque[tuple[File, str]] = deque()

    @property
    def limits(self) -> Limits:
        """What reading one file may take."""
        return self._limits

    def another(self) -> Worker:
        """One more with the same limits and the same readers."""
        return Worker(self._limits, self._entry)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child:
            self._child.end()
            self._child = None

    def ahead(self, file: File, kind: str) -> None:
        """Let the child begin with a file that will be read soon."""
        self._queue.append((file, kind))
        if self._child:
            self._child.request(file, kind)

    def read(self, file: File, kind: str) -> Iterator[Document | SourceError | Skipped]:
        """The documents of one file, as its reader gives them, and what could not be read of it.

        A crash in a child that had read other files is tried once more in a fresh one: memory that those left in
        pieces is no fault of this file.
        """
        if not self._queue or self._queue[0][0] is not file:
            if self._queue:  # it was told of another: what that child says next is of no use
                self._queue.clear()
                self.close()
            self.ahead(file, kind)
        sent = done = False
        try:
            while not done:
                child = self._started()
                fresh = child.files == 0
                try:
                    for item in child.read(file):
                        sent = True
                        yield item
                    done = True
                except _FailedError as failed:
                    self.close()
                    done = fresh or sent or not failed.may_be_repeated
                    if done:
                        yield SourceError(file.source, failed.reason)
        except GeneratorExit:  # the caller stopped in the middle: what is still in the pipe is of no use
            self.close()
            raise
        finally:
            self._queue.popleft()

    def _started(self) -> _Child:
        """The child; a new one is told of all files in the queue."""
        if self._child is None:
            self._child = _Child(self._limits, self._entry)
            for waiting, its_kind in self._queue:
                self._child.request(waiting, its_kind)
        return self._child


class _FailedError(Exception):
    """The child is of no use any more, and why."""

    def __init__(self, reason: str, may_be_repeated: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_be_repeated = may_be_repeated


class _Child:
    """A running child process."""

    def __init__(self, limits: Limits, entry: str) -> None:
        self.files = 0
        self._limits = limits
        self._timed_out = False
        settings = {"entry": entry, "seconds": limits.seconds, "memory": limits.memory_bytes}
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, path, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._requests: IO[bytes] = self._process.stdin
        self._replies: IO[bytes] = self._process.stdout
        self._watch = _Watch(self._time_out)
        if self._line(START_SECONDS, MEGABYTE) != b"ready\n":
            raise SourceError("the reading process", f"does not start: {sys.executable} -P -c …")

    def end(self) -> None:
        """Kill the process and wait until it is gone."""
        self._watch.close()
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                pipe.close()

    def request(self, file: File, kind: str) -> None:
        """Tell the child of a file. One that died says so when it is read."""
        request = {"path": str(file.path), "source": file.source, "origin": str(file.origin), "size": file.size}
        with contextlib.suppress(OSError):
            self._requests.write(json.dumps({**request, "named": file.named, "kind": kind}).encode() + b"\n")
            self._requests.flush()

    def read(self, file: File) -> Iterator[Document | SourceError | Skipped]:
        """What the child says about a file.

        Raises:
            _FailedError: the child died, hung, ran out of memory, or sent what nobody can read.
        """
        seconds, size = self._limits.seconds, self._limits.output_bytes
        while True:
            started = time.monotonic()
            line = self._line(seconds, size)
            seconds -= time.monotonic() - started
            size -= len(line)
            if size <= 0:
                raise _FailedError(f"holds more than {self._limits.output_bytes // MEGABYTE} MB of text; split it")
            if not line.endswith(b"\n"):
                raise _FailedError(self._cause_of_death(), may_be_repeated=not self._timed_out)
            try:
                reply = json.loads(line)
                match reply:
                    case {"done": True}:
                        self.files += 1
                        return
                    case {"memory": True}:
                        raise _FailedError(self._too_much_memory(), may_be_repeated=True)
                    case {"document": dict(fields)}:
                        item: Document | SourceError | Skipped = _document(fields, file)
                    case {"failed": [str(source), str(reason)]}:
                        item = SourceError(source, reason)
                    case {"skipped": [str(source), str(reason)]}:
                        item = Skipped(source, reason)
                    case _:
                        raise ValueError(reply)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise _FailedError("its reader answered with what nobody can read") from error
            yield item

    def _line(self, seconds: float, most: int) -> bytes:
        """A line of the child's, shorter or without its end if it died or was ended, or if it is too long."""
        with self._watch.within(seconds):
            return self._replies.readline(most + 1)

    def _time_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _too_much_memory(self) -> str:
        return f"takes more than {self._limits.memory_bytes // MEGABYTE} MB of memory to read"

    def _cause_of_death(self) -> str:
        if self._timed_out:
            return f"takes longer than {self._limits.seconds:g} s to read"
        self._process.kill()
        code = self._process.wait()
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"its reader crashed ({signal.Signals(-code).name}); the file is damaged, or too large for it"
        return f"its reader ended (status {code}); the file is damaged, or too large for it"


class _Watch:
    """A thread that calls a function when a wait has lasted too long. It looks four times a second: waits are many and
    short, and none of them should wake it."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._deadline: float | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Ring if the block takes longer."""
        self._deadline = time.monotonic() + max(seconds, 0.0)
        try:
            yield
        finally:
            self._deadline = None

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(0.25):
            deadline = self._deadline
            if deadline is not None and deadline <= time.monotonic():
                self._deadline = None
                self._ring()


def _document(fields: dict[str, Any], file: File) -> Document:
    """A document of what the child sent. Nothing of it is believed.

    Raises:
        ValueError, TypeError, KeyError: it is not a document.
    """
    text, source, title = fields["text"], fields["source"], fields["title"]
    metadata, record = fields["metadata"], fields["is_record"]
    if not all(isinstance(value, str) for value in (text, source, title)) or not isinstance(metadata, dict):
        raise TypeError("not a document")
    if not isinstance(record, bool):
        raise TypeError("not a document")
    headings = tuple(Heading(int(start), int(level), str(name)) for start, level, name in fields["headings"])
    pages = tuple(Page(int(start), int(number)) for start, number in fields["pages"])
    return Document(text, source, title, metadata, headings, str(file.origin), record, pages)


# The child


def main(settings: dict[str, Any]) -> None:
    """Read files named on standard input, a JSON line each, until it ends; answer on what was standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the parent decides
    replies = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # whatever a parser prints
    os.dup2(null, 2)
    module, _, name = settings["entry"].partition(":")
    import importlib

    read: Callable[[File, str], Iterator[Document | SourceError | Skipped]]
    read = getattr(importlib.import_module(module), name)
    _limit_resources(settings["memory"])
    replies.write(b"ready\n")
    replies.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        file = File(
            Path(request["path"]), request["source"], Path(request["origin"]), request["size"], request["named"]
        )
        _set_alarm(settings["seconds"])
        for reply in _replies(read, file, request["kind"]):
            _set_alarm(None)  # the parent may take its time
            replies.write(json.dumps(reply).encode() + b"\n")
            _set_alarm(settings["seconds"])
        _set_alarm(None)
        replies.flush()


def _replies(
    read: Callable[[File, str], Iterator[Document | SourceError | Skipped]], file: File, kind: str
) -> Iterator[dict[str, Any]]:
    try:
        for item in read(file, kind):
            yield _reply(item)
    except SourceError as error:
        yield _reply(error)
    except MemoryError:
        yield {"memory": True}
        return
    except RecursionError:
        yield {"failed": [file.source, "is nested too deeply to be read"]}
    except OSError as error:
        yield {"failed": [file.source, f"cannot be read: {error.strerror or error}"]}
    except Exception as error:
        what = " ".join(str(error).split())[:200]
        yield {"failed": [file.source, f"is damaged, or not what it seems: {type(error).__name__}: {what}"]}
    yield {"done": True}


def _reply(item: Document | SourceError | Skipped) -> dict[str, Any]:
    if isinstance(item, SourceError):
        return {"failed": [item.source, item.reason]}
    if isinstance(item, Skipped):
        return {"skipped": list(item)}
    fields = {
        "text": item.text,
        "source": item.source,
        "title": item.title,
        "metadata": dict(item.metadata),
        "is_record": item.is_record,
        "headings": [[heading.start, heading.level, heading.title] for heading in item.headings],
        "pages": item.pages,
    }
    return {"document": fields}


def _limit_resources(memory: int) -> None:
    """No more memory than that, no writing to files, no core file. Not on Windows, which has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    for which, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS takes no RLIMIT_AS
            resource.setrlimit(which, (limit, limit))
    if hasattr(signal, "SIGXFSZ"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails with an error


def _set_alarm(seconds: float | None) -> None:
    """A parent that was killed ends nothing: then the system's alarm does, while a reader is at work."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds + 60 if seconds else 0)
