"""Progress of an ingest, an evaluation, a training and a download: on a terminal only, on standard error.

Two lines that are drawn anew some times a second, so that they fit a terminal that was resized, and that are gone when
it is done: a bar with the share and the time left; what is done so far, and what is worked on.

The share never falls. That of an ingest never reaches 100 %: the report says it, when the lines are gone.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctxsearch.cli import terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ctxsearch import evaluate, pull
    from ctxsearch.ingest import Progress, ProgressListener
    from ctxsearch.training.steps import Progress as Training

DRAWN_PER_SECOND = 6
LEAST_NAME = 12
"""Cells below which the name of what is worked on is left out."""
LEAST_BAR = 10
HIGHEST_SHARE = 0.99
"""Of an ingest."""
LEAST_SHARE = 0.02
"""Below it nothing can be told of the time left."""
LEAST_SECONDS_LEFT = 3.0
"""Less is not said: the end might be later."""
TYPICAL_INDEXING_SECONDS = 10.0


@contextmanager
def progress_bar() -> Iterator[ProgressListener | None]:
    """A listener for an ingest: contexts embedded of how many, documents, contexts a second, time, current source.

    Yields None where standard error is no terminal: nothing is drawn and nothing need be told.
    """
    with _meter() as meter:
        if meter is None:
            yield None
            return
        ingest = _Ingest()
        meter.follow(ingest.shown)
        yield ingest.listen


class _Ingest:
    """What is to be shown of an ingest: asked anew each time it is drawn, since contexts are embedded meanwhile."""

    READ_AND_EMBEDDED = 0.97
    """The share at which all is embedded; what remains is writing the index."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._told: Progress | None = None
        self._indexing_since: float | None = None

    def listen(self, progress: Progress) -> None:
        """Take what an ingest tells."""
        self._told = progress
        if progress.stage == "indexing" and self._indexing_since is None:
            self._indexing_since = time.monotonic()

    def shown(self) -> _Shown:
        """Where the ingest stands now."""
        now = time.monotonic()
        elapsed = _clock(now - self._started)
        told = self._told
        if told is None:
            return _Shown(0, 0, (elapsed, "starting"), "", None)
        embedded = told.contexts_embedded()
        expected = max(told.contexts_expected, embedded)
        parts = (
            elapsed,
            f"{embedded:,} of {_about(expected) if told.is_estimate else f'{expected:,}'} contexts",
            f"{told.documents:,} documents",
            f"{embedded / max(now - self._started, 1e-9):,.0f}/s",
        )
        if self._indexing_since is not None:
            waited = 1.0 - math.exp((self._indexing_since - now) / TYPICAL_INDEXING_SECONDS)
            share = self.READ_AND_EMBEDDED + (HIGHEST_SHARE - self.READ_AND_EMBEDDED) * waited
            return _Shown(share, 1.0, parts, "writing the index", None)
        if expected:
            share = embedded / expected
        else:
            share = told.bytes_read / told.bytes_total if told.bytes_total else 0.0
        left = (now - self._started) * (1.0 - share) / share if share > LEAST_SHARE else None
        ends = None if left is None or left < LEAST_SECONDS_LEFT else now + left
        return _Shown(share * self.READ_AND_EMBEDDED, 1.0, parts, told.source, ends)


def _about(count: int) -> str:
    """An estimate with the two digits that it is good for."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"about {-(-count // step) * step:,}"


@contextmanager
def questions_bar(label: str) -> Iterator[evaluate.ProgressListener | None]:
    """A listener for an evaluation: how many questions of how many. None off a terminal."""
    with _meter() as meter:
        if meter is None:
            yield None
            return

        def listen(done: int, all_of_them: int) -> None:
            meter.show(done, all_of_them, (f"{done:,} of {all_of_them:,} questions",), label)

        yield listen


@contextmanager
def training_line() -> Iterator[Callable[[str, Training], None] | None]:
    """A listener for a training: step, loss, pairs a second, time left. None off a terminal."""
    with _meter() as meter:
        if meter is None:
            yield None
            return

        def listen(step: str, progress: Training) -> None:
            said = (
                f"{progress.step:,} of {progress.steps:,}",
                f"loss {progress.loss:.3f}",
                f"{progress.pairs_per_second:.0f} pairs/s",
            )
            meter.show(progress.step, progress.steps, said, step, progress.seconds_left)

        yield listen


@contextmanager
def download_bar() -> Iterator[pull.ProgressListener | None]:
    """A listener for a download: megabytes, megabytes a second, time left, current file. None off a terminal."""
    with _meter() as meter:
        if meter is None:
            yield None
            return
        started, first = time.monotonic(), -1

        def listen(name: str, have: int, whole: int) -> None:
            nonlocal first
            first = have if first < 0 else first
            rate = (have - first) / max(time.monotonic() - started, 1e-9)
            meter.show(have, whole, (f"{have / 1e6:,.1f} of {whole / 1e6:,.1f} MB", f"{rate / 1e6:.1f} MB/s"), name)

        yield listen


@dataclass(slots=True)
class _Shown:
    """What was told last."""

    done: float
    whole: float
    parts: Sequence[str]
    name: str
    ends: float | None
    """When it will be done, on the monotonic clock."""


class _Meter:
    """Keeps what was told last; a thread of rich draws it."""

    def __init__(self) -> None:
        self._shown: _Shown | None = None
        self._asked: Callable[[], _Shown] | None = None
        self._share = 0.0  # the highest that was drawn
        self._first: tuple[float, int] | None = None
        self.drawn: tuple[int, tuple[int, ...]] = (0, ())
        """Columns of the terminal when it was last drawn, and of each line."""

    def follow(self, ask: Callable[[], _Shown]) -> None:
        """Ask each time it is drawn, instead of being told."""
        self._asked = ask

    def show(self, done: int, whole: int, parts: Sequence[str], name: str, seconds_left: float | None = None) -> None:
        """Say where things stand; costs nothing but an assignment.

        Args:
            done: of ``whole``, in any unit.
            whole: 0 if it is not known.
            parts: what is said of it, most important first; what does not fit is left out.
            name: of what is worked on; its end is shown.
            seconds_left: if the caller knows; else it is reckoned from how fast ``done`` grew.
        """
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        since, at_first = self._first
        if seconds_left is None and done > at_first and whole:
            seconds_left = (now - since) * (whole - done) / (done - at_first)
        ends = None if seconds_left is None else now + seconds_left
        self._shown = _Shown(done, whole, parts, name, ends)

    def draw(self, width: int) -> RenderableType:
        """The two lines, in at most ``width`` columns."""
        from rich.cells import cell_len
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        shown = self._asked() if self._asked else self._shown
        share = None
        if shown and shown.whole:
            share = self._share = min(max(self._share, shown.done / shown.whole), 1.0)
        said = "" if share is None else f"{math.floor(100 * share):3}%"
        if shown and shown.ends is not None and shown.ends > time.monotonic():
            said += f"  {_clock(shown.ends - time.monotonic())} left"
        line = Table.grid(padding=(0, 1))
        room = width - len(said) - 2
        if room >= LEAST_BAR:
            line.add_row(ProgressBar(None if share is None else 1.0, share or 0.0, width=room), said)
        else:
            line.add_row(said[: width - 1])
        below = _fitted(shown.parts, terminal.clean(shown.name), width - 1) if shown else "starting"
        self.drawn = (width, (width - 1 if room >= LEAST_BAR else len(said), cell_len(below)))
        return Group(line, Text(terminal.clean(below), no_wrap=True))


@contextmanager
def _meter() -> Iterator[_Meter | None]:
    """A meter that is drawn on standard error; None where that is no terminal, or one that cannot move its cursor."""
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        yield None
        return
    from rich.live import Live

    console = terminal.console(sys.stderr)
    meter = _Meter()

    def draw() -> RenderableType:
        before, lines = meter.drawn
        now = terminal.width(sys.stderr)
        if now < before:
            # The terminal has wrapped what was drawn, of which rich knows nothing: start where the first line starts.
            rows = sum(max(1, -(-line // now)) for line in lines)
            console.file.write(f"\r\x1b[{rows - 1}A\x1b[J" + "\n" * (len(lines) - 1))
        return meter.draw(now)

    with Live(
        get_renderable=draw,
        console=console,
        refresh_per_second=DRAWN_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield meter


def _fitted(parts: Sequence[str], name: str, width: int) -> str:
    """The parts that fit, and as much of the end of the name as fits after them."""
    from rich.cells import cell_len

    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if cell_len(longer) > width:
            return line
        line = longer
    room = width - cell_len(line) - 2
    if cell_len(name) > room:
        while name and cell_len(name) > room - 1:
            name = name[max(1, (cell_len(name) - room + 1) // 2) :]
        name = f"…{name}"
    return f"{line}  {name}" if room >= LEAST_NAME else line


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
