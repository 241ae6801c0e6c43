"""A compiled graph at work: texts in batches of like length, requests that run side by side, and their time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch import locks
from ctxsearch.encoder.activity import activity
from ctxsearch.encoder.library import openvino
from ctxsearch.errors import ModelError
from ctxsearch.records import FloatArray, IntArray, UnderWay

TOKENS_PER_BATCH = 2048
"""Padded tokens of one inference. Half as many are as fast, and twice as many a tenth slower: the layers between the
matrix products then read and write more than a core's cache holds."""

LENGTH_STEP = 16
"""Batches are padded to a multiple of this. Fewer shapes make fewer kernels: 5 % faster than padding to the longest
text alone, and a quarter less memory."""

ROWS_STEPS = 4
"""A batch has one of so many numbers of rows for each length; only the last ones have rows without a text. For each new
shape OpenVINO takes 4 MB that it does not give back, whatever `graph.SHAPES_REMEMBERED` says."""

AWAKE_SECONDS = 0.0005
"""How long whoever waits for a question's inference does not sleep: most are over by then."""

Consumer = Callable[[FloatArray, Sequence[int]], None]
"""Takes the output of a batch, and the indices of its texts."""


class Clock:
    """Counts the seconds in which at least one inference was under way."""

    def __init__(self) -> None:
        self._lock = locks.make(locks.Rank.CLOCK)
        self._running = 0
        self._since = self._before = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """An inference, by any thread."""
        with self._lock:
            if not self._running:
                self._since = time.perf_counter()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._before += time.perf_counter() - self._since

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        with self._lock:
            return self._before + (time.perf_counter() - self._since if self._running else 0.0)


class _Request(NamedTuple):
    """One of OpenVINO's requests, for one inference at a time."""

    request: Any
    inputs: dict[str, NDArray[Any]] | None
    """What it reads, where all batches are of one shape."""


class Compiled:
    """A compiled graph, its requests, and how token ids are laid out for it. Threads may share it."""

    def __init__(
        self, compiled: Any, output: int, dtypes: dict[str, Any], window: int | None, pad_id: int, clock: Clock
    ) -> None:
        """
        Args:
            window: tokens of each row for a graph of static shapes; None for one of dynamic shapes.
            clock: told of every inference.
        """
        self._output = output
        self._dtypes = dtypes
        self._window = window
        self._pad_id = pad_id
        self._clock = clock
        self._compiled = compiled
        # One more than run at once, so that none of the cores waits while results are pooled.
        self._kept = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        for _ in range(self._kept):
            self._requests.put(self._new_request())
        self._threads = ThreadPoolExecutor(self._kept, thread_name_prefix="inference")

    def run(self, ids: Sequence[IntArray], consume: Consumer) -> None:
        """Run the graph over all texts; ``consume`` may be called from several threads, never twice for a text.

        Calls from several threads share the cores; the batches of the one that came first go first.
        """
        batches = list(self._batches([len(row) for row in ids]))
        if len(batches) == 1:
            self._infer(ids, batches[0], consume)
            return
        futures = [self._threads.submit(self._infer, ids, members, consume) for members in batches]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def begin(self, ids: Sequence[IntArray], consume: Consumer) -> UnderWay[None]:
        """Begin to run the graph over texts; has to be finished, once.

        A batch alone is run by a thread of OpenVINO meanwhile; of several, none is begun.
        """
        batches = list(self._batches([len(row) for row in ids]))
        if len(batches) != 1:
            return UnderWay(partial(self.run, ids, consume))
        with activity.inside():
            one = self._take()
            try:
                one.request.start_async(self._feed([ids[i] for i in batches[0]], one), share_inputs=True)
            except RuntimeError as error:
                self._give_back(one)
                raise ModelError(f"the model cannot be run: {first_line(error)}") from error
            activity.begun(one.request)

        def finish() -> None:
            with activity.inside():
                try:
                    try:
                        with self._clock.running():
                            _wait(one.request)
                    except RuntimeError as error:
                        raise ModelError(f"the model cannot be run: {first_line(error)}") from error
                    consume(one.request.get_output_tensor(self._output).data, batches[0])
                finally:
                    activity.finished(one.request)
                    self._give_back(one)

        def over() -> bool:
            try:
                return bool(one.request.wait_for(0))
            except RuntimeError:  # which `finish` raises
                return True

        return UnderWay(finish, over)

    def _infer(self, ids: Sequence[IntArray], members: Sequence[int], consume: Consumer) -> None:
        with activity.inside():
            one = self._take()
            try:
                feed = self._feed([ids[i] for i in members], one)
                try:
                    with self._clock.running():
                        one.request.infer(feed, share_inputs=True, share_outputs=True)  # copied by nobody but `consume`
                except RuntimeError as error:
                    raise ModelError(f"the model cannot be run: {first_line(error)}") from error
                consume(one.request.get_output_tensor(self._output).data, members)
            finally:
                self._give_back(one)

    def _take(self) -> _Request:
        """A request that nobody uses. It is made where all are in use, and never waited for.

        Who has begun an inference may wait for a lock before finishing it. If another thread held that lock while it
        waited for a request, both would wait for ever.
        """
        try:
            return self._requests.get_nowait()
        except Empty:
            return self._new_request()

    def _give_back(self, one: _Request) -> None:
        if self._requests.qsize() < self._kept:
            self._requests.put(one)

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        if self._window is None:
            return batches_by_length(lengths, TOKENS_PER_BATCH)
        return ([i] for i in range(len(lengths)))

    def _new_request(self) -> _Request:
        """A request; where all batches are of one shape, with inputs that it keeps."""
        request = self._compiled.create_infer_request()
        if self._window is None:
            return _Request(request, None)
        inputs = self._blank((1, self._window))
        for name, values in inputs.items():
            request.set_tensor(name, openvino.Tensor(values, shared_memory=True))
        return _Request(request, inputs)

    def _feed(self, ids: Sequence[IntArray], one: _Request) -> dict[str, NDArray[Any]] | None:
        """The inputs for texts, padded; None where they were written to those that the request keeps."""
        feed = one.inputs
        if feed is None:
            longest = _steps(max(len(row) for row in ids)) * LENGTH_STEP
            feed = self._blank((_rows(len(ids), longest), longest))
        else:
            feed["input_ids"][:] = self._pad_id
            if "attention_mask" in feed:
                feed["attention_mask"][:] = 0
        if "attention_mask" in feed:
            feed["attention_mask"][len(ids) :, 0] = 1  # without a token to look at, a row would be no numbers
        for i, row in enumerate(ids):
            feed["input_ids"][i, : len(row)] = row
            if "attention_mask" in feed:
                feed["attention_mask"][i, : len(row)] = 1
        return None if one.inputs else feed

    def _blank(self, shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Inputs without a text."""
        blank: dict[str, NDArray[Any]] = {}
        for name, dtype in self._dtypes.items():
            blank[name] = np.full(shape, self._pad_id if name == "input_ids" else 0, dtype)
            if name == "position_ids":
                blank[name][:] = np.arange(shape[1], dtype=dtype)
        return blank


def _wait(request: Any) -> None:
    """Wait for a request: awake at first, since to sleep and be woken takes as long as a tenth of a query."""
    until = time.perf_counter() + AWAKE_SECONDS
    while time.perf_counter() < until:
        if request.wait_for(0):
            break
    request.wait()  # raises what went wrong


def batches_by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of ``lengths`` in batches of like length, longest first.

    A padded batch has at most ``budget`` tokens, or one member.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    first = 0
    while first < len(order):
        padded = _steps(max(1, lengths[order[first]])) * LENGTH_STEP
        size = max(1, budget // padded)
        yield order[first : first + size]
        first += size


def _rows(texts: int, padded: int) -> int:
    """Rows of the batch that so many texts of a padded length make."""
    most = max(1, TOKENS_PER_BATCH // padded)
    step = -(-most // ROWS_STEPS)
    return min(-(-texts // step) * step, most)


def _steps(tokens: int) -> int:
    return -(-tokens // LENGTH_STEP)


def first_line(error: BaseException) -> str:
    """What OpenVINO says is wrong: the last line of its message, behind the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
