"""Progress of an ingest, an evaluation, a training and a download: on a terminal only, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ctxsearch import evaluate, pull
    from ctxsearch.ingest import Progress, ProgressListener
    from ctxsearch.training.steps import Progress as Training

REDRAW_SECONDS = 0.1


@contextmanager
def progress_bar() -> Iterator[ProgressListener | None]:
    """A listener for an ingest that draws a bar: documents, contexts a second, time left, current source.

    Yields None where standard error is no terminal: nothing is drawn and nothing need be told.
    """
    if not sys.stderr.isatty():
        yield None
        return
    started = time.monotonic()
    drawn = 0.0
    with click.progressbar(length=1, file=sys.stderr, item_show_func=lambda text: text, show_percent=True) as bar:

        def listen(progress: Progress) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn < REDRAW_SECONDS:
                return
            drawn = now
            bar.length = max(1, progress.bytes_total)
            rate = progress.contexts / max(now - started, 1e-9)
            name = progress.source if len(progress.source) <= 40 else "…" + progress.source[-39:]
            text = f"{progress.documents:,} documents  {progress.contexts:,} contexts  {rate:,.0f}/s  {name}"
            bar.update(progress.bytes_read - bar.pos, text.encode("utf-8", "replace").decode())

        yield listen
        bar.update(bar.length - bar.pos if bar.length else 0)


@contextmanager
def questions_bar(label: str) -> Iterator[evaluate.ProgressListener | None]:
    """A listener for an evaluation that draws a bar: how many questions of how many. None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, file=sys.stderr, label=label, show_pos=True) as bar:

        def listen(done: int, all_of_them: int) -> None:
            bar.length = all_of_them
            bar.update(done - bar.pos)

        yield listen


@contextmanager
def training_line() -> Iterator[Callable[[str, Training], None] | None]:
    """A listener for a training that keeps one line: step, loss, pairs a second, time left. None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return

    def listen(step: str, progress: Training) -> None:
        minutes, seconds = divmod(int(progress.seconds_left), 60)
        end = "\n" if progress.step == progress.steps else ""
        click.echo(
            f"\r\x1b[K{step}: {progress.step}/{progress.steps}  loss {progress.loss:.3f}  "
            f"{progress.pairs_per_second:.0f} pairs/s  {minutes}:{seconds:02} left{end}",
            err=True,
            nl=False,
        )

    yield listen


@contextmanager
def download_bar() -> Iterator[pull.ProgressListener | None]:
    """A listener for a download that draws a bar: megabytes, megabytes a second, time left, current file.

    Yields None where standard error is no terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    started, first = time.monotonic(), -1
    drawn = 0.0
    with click.progressbar(length=1, file=sys.stderr, item_show_func=lambda text: text, show_percent=True) as bar:

        def listen(name: str, have: int, whole: int) -> None:
            nonlocal drawn, first
            now = time.monotonic()
            if first < 0:
                first, bar.length = have, whole
                bar.pos = have
            if now - drawn < REDRAW_SECONDS and have < whole:
                return
            drawn = now
            rate = (have - first) / max(now - started, 1e-9)
            bar.update(have - bar.pos, f"{have / 1e6:,.1f} of {whole / 1e6:,.1f} MB  {rate / 1e6:.1f} MB/s  {name}")

        yield listen
