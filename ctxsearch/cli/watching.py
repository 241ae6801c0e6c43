"""ctxsearch ingest --watch: a line a round, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ctxsearch.cli import failures, present
from ctxsearch.cli.common import DONE, complain
from ctxsearch.cli.progress import progress_bar
from ctxsearch.cli.terminal import say
from ctxsearch.index import Index
from ctxsearch.records import IngestReport


def watch(index: Index, paths: list[str], *, as_json: bool, **options: Any) -> int:
    """Ingest, then take in what changes; returns the exit status when somebody stops it."""
    stop = threading.Event()
    rounds = 0
    total = dict.fromkeys(("added", "updated", "moved", "deleted"), 0)
    with _stopped_by_signals(stop) as running, ExitStack() as first:
        try:
            on_progress = first.enter_context(progress_bar())
            for report in index.watch(paths, stop=stop, on_progress=on_progress, on_problem=complain, **options):
                first.close()
                running.set()  # from now on a round is short enough to be waited for
                rounds += 1
                for name in total:
                    total[name] += getattr(report.documents, name)
                _tell(report, str(index.path), as_json=as_json)
                if rounds == 1 and not as_json:
                    say(f"watching {', '.join(paths)}; Ctrl-C to stop", err=True)
        except KeyboardInterrupt:
            complain("interrupted; what was acknowledged is kept")
    if not as_json:
        counts = ", ".join(f"{count:,} {name}" for name, count in total.items())
        say(f"stopped after {rounds:,} {'round' if rounds == 1 else 'rounds'}: {counts}", err=True)
    return DONE


def _tell(report: IngestReport, index_path: str, *, as_json: bool) -> None:
    if as_json:
        present.json_line(report.to_dict())
        return
    present.report(report)
    failures.tell(report, index_path, only_new=True)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM end the watch: at once while the first ingest runs, then after the round that is in progress.

    A second one ends it at once.
    """
    running = threading.Event()

    def heed(number: int, frame: object) -> None:
        if stop.is_set() or not running.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield running
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
