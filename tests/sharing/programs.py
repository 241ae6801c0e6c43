"""Programs that a user might write, each run in a process of its own by the tests beside this module.

``python -m tests.sharing.programs NAME INDEX [ARGUMENT …]``. A program that ends with 0 has seen what it should.
"""

from __future__ import annotations

import concurrent.futures
import faulthandler
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import ctxsearch
from ctxsearch import Document

PATIENCE = 60.0
"""Seconds after which a child that does not end is taken to hang: its stacks are printed, and it ends with 1."""


def records(count: int) -> list[Document]:
    return [Document(f"Record {i} is about topic {i % 37}.", f"r:{i}") for i in range(count)]


def filled(path: str) -> ctxsearch.Index:
    """An index that has answered a question in each mode, so that everything is loaded."""
    index = ctxsearch.open(path)
    index.add([Document(f"The manager number {i} approves refunds.", f"s{i}") for i in range(50)])
    for mode in ("hybrid", "dense", "lexical"):
        assert len(index.query("who approves refunds?", mode=mode)) == 5
    return index


def adds_then_asks(path: str, count: str, who: str) -> None:
    """Thousands of contexts are added to a long-lived index, by itself or by another process; then it is asked."""
    index = filled(path)
    if who == "itself":
        index.add(records(int(count)))
    else:
        subprocess.run([sys.executable, "-m", "tests.sharing.programs", "adds", path, count], check=True)
    for _ in range(3):
        hits = index.query("who approves refunds?", k=3)
        assert all(hit.source.startswith("s") for hit in hits), hits
    assert index.verify() == []


def adds(path: str, count: str) -> None:
    ctxsearch.open(path).add(records(int(count)))


def asks_in_threads(path: str, threads: str, questions: str) -> None:
    """Threads ask in different modes; others read and write meanwhile."""
    index = filled(path)

    def ask(number: int) -> int:
        modes = ("hybrid", "dense", "lexical")
        for n in range(int(questions)):
            assert len(index.query(f"who approves refund {n}?", mode=modes[number % 3])) == 5
            if number % 4 == 3:
                index.add([Document(f"A note of thread {number}.", f"note:{number}")])
                index.status()
        return number

    with concurrent.futures.ThreadPoolExecutor(int(threads)) as pool:
        assert list(pool.map(ask, range(int(threads)))) == list(range(int(threads)))


def forks(path: str, children: str, load: str) -> None:
    """Children of a process that has asked, and whose other threads ask and write, use its index and end as usual."""
    index = filled(path)
    for n in range(int(load)):
        threading.Thread(target=_load, args=(index, n), daemon=True).start()
    for n in range(int(children)):
        child = os.fork()
        if not child:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            for mode in ("hybrid", "dense", "lexical"):
                assert len(index.query("who approves refunds?", mode=mode)) == 5
            index.add([Document(f"A child writes {n}.", f"child:{n}")])
            assert f"child:{n}" in index
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0, f"child {n} failed"
        assert f"child:{n}" in index
    assert index.verify() == []
    os._exit(0)


def _load(index: ctxsearch.Index, number: int) -> None:
    while True:
        if number % 2:
            index.add([Document(f"Written under load {time.time()}.", f"load:{number}")])
        index.query("who approves refunds?", mode=("hybrid", "dense", "lexical")[number % 3])


def forks_while_writing(path: str) -> None:
    """A fork in the middle of a write: the child is told, and the parent's write goes on."""
    index = filled(path)
    statuses = []

    def documents() -> Iterator[Document]:
        for place, document in enumerate(records(300)):
            if place == 200:
                statuses.append(_status_of_a_question_in_a_child(index))
            yield document

    assert index.add(documents()).documents.added == 300
    assert statuses == [REFUSED]
    assert index.verify() == []


ANSWERED, REFUSED, WRONGLY_REFUSED = 5, 3, 4


def _status_of_a_question_in_a_child(index: ctxsearch.Index) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        index.query("who approves refunds?", mode="lexical")
    except ctxsearch.StoreError as error:
        os._exit(REFUSED if "forked" in str(error) else WRONGLY_REFUSED)
    os._exit(ANSWERED)


def sources(index: ctxsearch.Index, question: str) -> list[str]:
    return [hit.source for hit in index.query(question, k=2)]


def uses_processes(path: str, method: str) -> None:
    """An index that was used is passed to the workers of a pool of processes."""
    index = filled(path)
    expected = sources(index, "who approves refunds?")
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
        found = [pool.submit(sources, index, "who approves refunds?") for _ in range(4)]
        assert [one.result(PATIENCE) for one in found] == [expected] * 4
    process = context.Process(target=sources, args=(index, "who approves refunds?"))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert sources(index, "who approves refunds?") == expected


if __name__ == "__main__":
    faulthandler.enable()
    globals()[sys.argv[1]](*sys.argv[2:])
