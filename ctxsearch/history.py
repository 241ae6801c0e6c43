"""What an ingest knows of the ingests before it.

Failures: a file that failed is passed over until it changes; what failed is kept in the store when the run is done.
Moves: a document whose file is gone may come again under another name, and need not be embedded for that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from ctxsearch import readers
from ctxsearch.records import FailedSource, Failure, KnownDocument
from ctxsearch.store import Writer

MOST_LIKE = 16
"""Documents of files that are gone which a new document is compared with; most are told apart by their length."""

_PART = "part "
"""Begins the signature of what is only a part of a file, as a line of a JSONL file is: the rest may be read again."""


class History:
    """What the store kept, and what becomes of it in one run."""

    def __init__(self, writer: Writer, gone: Iterable[str], *, retry: bool) -> None:
        """Read what was kept.

        Args:
            writer: of the store.
            gone: origins that documents came from, and whose files are no more.
            retry: try again what failed and did not change.
        """
        self.before: set[Failure] = set()
        """Failures of this run that the store knew, of files that are as they were."""
        self._writer = writer
        self._gone = list(gone)
        self._gone_by_length: dict[int, list[KnownDocument]] | None = None
        self._retry = retry
        self._kept: dict[str, list[FailedSource]] = defaultdict(list)
        for failure in writer.failures():
            self._kept[failure.origin].append(failure)
        self._noted: dict[str, list[tuple[Failure, bool]]] = defaultdict(list)

    # Failures

    def failure(self, file: readers.File) -> Failure | None:
        """Why a file need not be read: it failed as it is now. Notes that it failed again."""
        kept = self._kept.get(_name(file.origin), ())
        if not kept or self._retry:
            return None
        signature = readers.signature(file)
        for one in kept:
            if one.signature == signature:
                failure = Failure(file.source, one.error)
                self.before.add(failure)
                return failure
        return None

    def note(self, failure: Failure, origin: str, *, whole: bool) -> None:
        """Something failed in this run.

        Args:
            failure: what and why.
            origin: the path of the file.
            whole: False for a part of a file.
        """
        self._noted[_name(origin)].append((failure, whole))

    def keep(self, files: Iterable[readers.File], is_gone: Callable[[str], bool]) -> None:
        """Keep what failed in this run, and forget what was read or is gone.

        Args:
            files: all that this run was about.
            is_gone: whether the file of an origin would have been met, and was not.
        """
        if not self._noted and not self._kept:
            return
        met = {name: file for file in files if (name := _name(file.origin)) in self._noted or name in self._kept}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        new: dict[str, list[FailedSource]] = {}
        for origin, several in self._noted.items():
            signature = readers.signature(met[origin]) if origin in met else ""
            new[origin] = [
                FailedSource(_name(failure.source), failure.error, origin, self._signed(signature, whole), now)
                for failure, whole in several
            ]
        changed = []
        for origin in {*self._kept, *new}:
            kept = {one[:4]: one for one in self._kept.get(origin, ())}
            for i, (failure, _) in enumerate(self._noted.get(origin, ())):
                if before := kept.get(new[origin][i][:4]):
                    new[origin][i] = before
                    if before.signature and not self._retry:
                        self.before.add(failure)
            if origin in new:
                if set(new[origin]) != set(kept.values()):
                    changed.append(origin)
            elif origin in met or is_gone(origin):
                changed.append(origin)
        if changed:
            self._writer.put_failures(changed, [one for origin in changed for one in new.get(origin, ())])

    @staticmethod
    def _signed(signature: str, whole: bool) -> str:
        return signature if whole or not signature else _PART + signature

    # Moves

    def documents_gone(self, length: int) -> Iterator[KnownDocument]:
        """Some documents of that many characters whose files are gone."""
        if self._gone_by_length is None:
            self._gone_by_length = defaultdict(list)
            for origin in self._gone:
                for known in self._writer.documents_of(origin):
                    self._gone_by_length[known.characters].append(known)
        yield from self._gone_by_length.get(length, [])[:MOST_LIKE]

    def moved(self, known: KnownDocument) -> None:
        """A document has another name now; it is not gone any more."""
        if self._gone_by_length is not None and known in (several := self._gone_by_length.get(known.characters, [])):
            several.remove(known)


def _name(path: object) -> str:
    """A path as the store can keep it: names need not be UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()
