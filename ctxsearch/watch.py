"""An index kept up to date with its paths: what changes there is taken in when it has come to rest.

Events of the file system (the extra [watch]) say where to look; what is there is told by looking. So an event too many
does no harm, and one that was lost is made up for by looking at everything now and then, which is also how changes are
found where there are no events. The right to write is held for each round only.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctxsearch import readers
from ctxsearch.errors import ArgumentError, IndexBusyError
from ctxsearch.ingest import ProgressListener, coverage, ingest_changes, ingest_paths
from ctxsearch.records import IngestReport
from ctxsearch.store import Store

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder

QUIET_SECONDS = 0.15
"""A burst of changes is over when there was none for so long."""

LONGEST_BURST_SECONDS = 1.0
"""A burst that goes on is cut after so long."""

MANY_CHANGES = 4096
"""After so many in one burst the system may have lost some (Linux keeps 16,384 by default): everything is looked at."""

LOOKING_SHARE = 0.01
"""Share of the time that may go into looking at everything, where events tell most."""

LOOKING_SHARE_WITHOUT_EVENTS = 0.05

RESCAN_SECONDS = (30.0, 600.0)
"""Between two looks at everything, at the least and the most, where there are events."""

RESCAN_SECONDS_WITHOUT_EVENTS = (1.0, 60.0)

JUST_WRITTEN_SECONDS = 0.1
"""A file written so shortly before it was looked at may be written again without looking otherwise: clocks tick."""


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a look at some paths has found."""

    sources: readers.Sources
    gone: frozenset[str]
    seen: Mapping[str, str]
    """Signatures of the files that were looked at, by origin."""


def watch(
    store: Store,
    encoder: Callable[[], Encoder],
    index_name: str,
    paths: Sequence[str],
    *,
    stop: threading.Event,
    glob: str | None = None,
    ignore: bool = True,
    metadata: Mapping[str, Any] | None = None,
    prune: bool = False,
    retry: bool = False,
    convert: Mapping[str, readers.Command] | None = None,
    on_progress: ProgressListener | None = None,
    on_problem: Callable[[str], None] = lambda problem: None,
) -> Iterator[IngestReport]:
    """Ingest the paths, then what changes in them, round after round; yields the report of each round.

    Args:
        stop: ends it when set, after the round that it is in.
        on_problem: told in a line what keeps it from working as it should, and goes on.

        The others are those of `ingest.ingest_paths`.

    Raises:
        ArgumentError: standard input cannot be watched.
        StoreError: nothing can be written.
    """
    if readers.STANDARD_INPUT in paths:
        raise ArgumentError("standard input cannot be watched; name files and folders")
    base = readers.working_directory()
    looker = _Looker(paths, base, glob, ignore, convert)
    with _Listener([str(base / path) for path in paths], stop, on_problem) as listener:
        looker.accept(looker.look(None))
        yield ingest_paths(
            store,
            encoder,
            index_name,
            paths,
            glob=glob,
            ignore=ignore,
            metadata=metadata,
            prune=prune,
            retry=retry,
            convert=convert,
            on_progress=on_progress,
        )
        looked = time.monotonic()
        while not stop.is_set():
            changed = listener.wait(looked + looker.pause(listener.works))
            if stop.is_set():
                return
            found = looker.look(changed)
            if found.sources.files or found.gone:
                try:
                    report = ingest_changes(
                        store, encoder, index_name, found.sources, found.gone, metadata=metadata, prune=prune
                    )
                except IndexBusyError as error:
                    on_problem(f"{error}; trying again")
                    listener.again(changed)
                    continue
                looker.accept(found)
                yield report
            else:
                looker.accept(found)
            if changed is None:
                looked = time.monotonic()


class _Looker:
    """What was there when it was looked at last."""

    def __init__(
        self,
        paths: Sequence[str],
        base: Path,
        glob: str | None,
        ignore: bool,
        convert: Mapping[str, readers.Command] | None = None,
    ) -> None:
        self._paths = paths
        self._base = base
        self._glob = glob
        self._ignore = ignore
        self._convert = convert
        self._seen: dict[str, str] = {}
        self._seconds = 0.0

    def look(self, changed: set[str] | None) -> _Changes:
        """Compare what is there now with what was.

        Args:
            changed: look only at these paths and below; at everything, if it is None.
        """
        started = time.monotonic()
        now = time.time()
        within = None if changed is None else readers.Within(changed)
        found = readers.find(self._paths, self._glob, self._ignore, within, self._base, self._convert)
        seen = {str(file.origin): _signature(file, now) for file in found.files}
        files = tuple(
            file
            for file in found.files
            if not seen[str(file.origin)]
            or self._seen.get(str(file.origin)) != seen[str(file.origin)]
            or (changed and str(file.origin) in changed)
        )
        covers = coverage(found, self._paths, self._glob, self._base)
        before = self._seen if within is None else filter(within.holds, self._seen)
        gone = frozenset(origin for origin in before if origin not in seen and covers(origin))
        if changed is None:
            self._seconds = time.monotonic() - started
        return _Changes(replace(found, files=files, skipped=()), gone, seen)

    def accept(self, changes: _Changes) -> None:
        """What was found is in the index now."""
        for origin in changes.gone:
            del self._seen[origin]
        self._seen.update(changes.seen)

    def pause(self, events: bool) -> float:
        """Seconds between two looks at everything."""
        share = LOOKING_SHARE if events else LOOKING_SHARE_WITHOUT_EVENTS
        least, most = RESCAN_SECONDS if events else RESCAN_SECONDS_WITHOUT_EVENTS
        return min(most, max(least, self._seconds / share))


def _signature(file: readers.File, now: float) -> str:
    just_written = now - max(file.modified, file.changed) < JUST_WRITTEN_SECONDS
    return "" if just_written else file.signature


class _Listener:
    """Gathers what the file system says has changed, in threads of its own."""

    def __init__(self, paths: Sequence[str], stop: threading.Event, on_problem: Callable[[str], None]) -> None:
        self.works = False
        """Whether there are events at all."""
        self._paths = paths
        self._stop = stop
        self._end = threading.Event()
        self._on_problem = on_problem
        self._woken = threading.Condition()
        self._changed: set[str] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> _Listener:
        try:
            import watchfiles
        except ModuleNotFoundError:
            self._on_problem(
                "looking for changes every few seconds; to be told of them at once: pip install 'ctxsearch[watch]'"
            )
            return self
        folders = {os.path.realpath(path) for path in self._paths if os.path.isdir(path)}
        # A file that is replaced is another file: its folder tells of that.
        parents = {os.path.dirname(os.path.realpath(path)) for path in self._paths if not os.path.isdir(path)}
        parents = {parent for parent in parents if os.path.isdir(parent)}
        ready = []
        for several, recursive in ((folders, True), (parents, False)):
            if several:
                ready.append(threading.Event())
                thread = threading.Thread(
                    target=self._listen, args=(watchfiles, sorted(several), recursive, ready[-1]), daemon=True
                )
                self._threads.append(thread)
                self.works = True
                thread.start()
        for one in ready:
            one.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _listen(self, watchfiles: Any, paths: Iterable[str], recursive: bool, ready: threading.Event) -> None:
        try:
            for changes in watchfiles.watch(
                *paths,
                watch_filter=None,
                debounce=50,
                step=20,
                rust_timeout=200,
                yield_on_timeout=True,
                stop_event=self._end,
                recursive=recursive,
                ignore_permission_denied=True,
                raise_interrupt=False,
            ):
                ready.set()
                if changes:
                    self._tell({path for _, path in changes})
        except Exception as error:  # of the library or the system, as when there are too many folders
            self.works = False
            what = " ".join(str(error).split())
            self._on_problem(f"the system tells of no changes ({what}); looking for them every few seconds instead")
        finally:
            ready.set()

    def _tell(self, paths: Iterable[str]) -> None:
        with self._woken:
            self._changed |= _concerned(paths)
            self._woken.notify_all()

    def again(self, paths: set[str] | None) -> None:
        """What could not be taken in is to come again; everything, if it is None."""
        time.sleep(QUIET_SECONDS)
        self._tell(set(map(os.path.realpath, self._paths)) if paths is None else paths)

    def wait(self, deadline: float) -> set[str] | None:
        """Paths that changed, when the burst is over; None when it is time to look at everything."""
        with self._woken:
            while not self._changed and not self._stop.is_set():
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._woken.wait(min(left, 0.1))  # signals are heeded in between
            began = time.monotonic()
            size = -1
            while len(self._changed) != size and time.monotonic() < began + LONGEST_BURST_SECONDS:
                size = len(self._changed)
                self._woken.wait(QUIET_SECONDS)
                if self._stop.is_set():
                    break
            changed, self._changed = self._changed, set()
        return None if len(changed) > MANY_CHANGES else changed


def _concerned(paths: Iterable[str]) -> set[str]:
    """The paths to look at: of an ignore file its folder, which it rules."""
    concerned = set()
    for path in paths:
        folder, name = os.path.split(path)
        concerned.add(folder if name in readers.IGNORE_FILES else path)
    return concerned
