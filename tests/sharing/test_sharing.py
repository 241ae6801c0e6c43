"""One index, and all that may happen around it in a process: other threads, other folders, other programs."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ctxsearch
from ctxsearch import Document, locks
from ctxsearch.vectors.scanning import Block
from tests import hashing


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hashing.install()
    return hashing.make_model(tmp_path_factory.mktemp("models"), "hash-a").path


@pytest.fixture
def index(tmp_path: Path, model: Path) -> Iterator[ctxsearch.Index]:
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        index.add([Document("The secret is blue.", "one")])
        yield index


def sources(index: ctxsearch.Index, question: str = "secret") -> list[str]:
    return [hit.source for hit in index.query(question, mode="lexical")]


def in_another_process(program: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)


# Memory


def test_rows_of_faiss_keep_their_memory() -> None:
    expected = np.arange(64, dtype=np.float16).reshape(4, 16)
    block = Block(expected)
    rows = block.rows
    del block
    assert rows.base is not None
    np.testing.assert_array_equal(rows, expected)


# Locks


def test_the_order_of_locks_is_checked() -> None:
    store, other = object(), object()
    write, read = locks.make(locks.Rank.WRITE, owner=store), locks.make(locks.Rank.READ, owner=store, reentrant=True)
    with write, read, read, locks.make(locks.Rank.CLOCK):
        pass
    with read, pytest.raises(locks.LockOrderError, match="WRITE is taken while READ is held"):
        write.acquire()
    with read, locks.make(locks.Rank.WRITE, owner=other):
        pass  # the locks of two stores have no order
    with locks.make(locks.Rank.CLOCK), pytest.raises(locks.LockOrderError):
        read.acquire()
    with read:
        assert write.acquire(timeout=0.01)  # who gives up hangs nobody
        write.release()


def test_a_write_in_the_middle_of_a_write_is_refused(index: ctxsearch.Index) -> None:
    def documents() -> Iterator[Document]:
        yield Document("The first text.", "two")
        index.delete(source="one")

    with pytest.raises(ctxsearch.IndexBusyError, match="is being written by the call that this one is made in"):
        index.add(documents())
    assert sources(index) == ["one"]
    index.delete(source="one")
    assert sources(index) == []


def test_a_question_in_the_middle_of_a_write_is_answered(index: ctxsearch.Index) -> None:
    def documents() -> Iterator[Document]:
        assert sources(index) == ["one"]
        yield Document("Another secret.", "two")

    index.add(documents())
    assert sorted(sources(index)) == ["one", "two"]


def test_an_index_that_is_closed_while_threads_ask_says_so(index: ctxsearch.Index) -> None:
    started = threading.Barrier(5)

    def ask() -> str:
        started.wait()
        try:
            while True:
                assert sources(index) == ["one"]
        except ctxsearch.StoreError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        started.wait()
        index.close()
        said = {one.result(timeout=30) for one in asking}
    assert said == {f"the index {index.path} was closed; open it again"}
    for call in (
        index.status,
        lambda: index.add([Document("x y", "z")]),
        index.verify,
        lambda: index.delete(source="one"),
    ):
        with pytest.raises(ctxsearch.StoreError, match="was closed"):
            call()


def test_an_index_is_opened_anew_where_it_is_unpickled(index: ctxsearch.Index) -> None:
    copy = pickle.loads(pickle.dumps(index))
    assert copy.path == index.path
    assert sources(copy) == ["one"]
    copy.add([Document("Another secret.", "two")])
    assert sorted(sources(index)) == ["one", "two"]
    copy.close()
    assert sorted(sources(index)) == ["one", "two"]


# The working directory


@pytest.fixture
def elsewhere(tmp_path: Path, model: Path) -> Path:
    """A folder with an index of the same name as another."""
    (tmp_path / "elsewhere").mkdir()
    with ctxsearch.open(tmp_path / "elsewhere" / "index", model=model) as other:
        other.add([Document("The secret is red.", "two")])
    return tmp_path / "elsewhere"


def test_an_index_stays_the_same_when_the_working_directory_changes(
    tmp_path: Path, model: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with ctxsearch.open("index", model=model) as index:
        index.add([Document("The secret is blue.", "one")])
        monkeypatch.chdir(elsewhere)
        assert sources(index) == ["one"]
        with pytest.raises(ctxsearch.DocumentNotFoundError):
            index.delete(source="two")
        index.add([Document("Another secret.", "three")])
        assert sorted(sources(index)) == ["one", "three"]
        assert index.status().index == str(tmp_path / "here" / "index")
    with ctxsearch.open("index") as other:
        assert sources(other) == ["two"]


def test_a_watch_stays_with_its_folder_when_the_working_directory_changes(
    index: ctxsearch.Index, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, color in ((tmp_path, "green"), (elsewhere, "black")):
        (folder / "notes").mkdir()
        (folder / "notes" / "a.txt").write_text(f"The secret is {color}.")
    monkeypatch.chdir(tmp_path)
    stop = threading.Event()
    rounds = index.watch(["notes"], stop=stop, prune=True)
    assert next(rounds).documents.added == 1
    monkeypatch.chdir(elsewhere)
    (tmp_path / "notes" / "b.txt").write_text("Another secret.")
    report = next(rounds)
    assert (report.documents.added, report.documents.deleted) == (1, 0)
    stop.set()
    assert sorted(sources(index)) == ["notes/a.txt", "notes/b.txt", "one"]


def test_a_working_directory_that_was_removed(
    index: ctxsearch.Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "a.txt").write_text("A secret text.")
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert index.ingest(tmp_path / "a.txt").documents.added == 1
    with pytest.raises(ctxsearch.StoreError, match="name an absolute path"):
        ctxsearch.open("index")
    monkeypatch.chdir(tmp_path)


# The folder


def test_a_folder_that_was_moved_is_not_made_again(index: ctxsearch.Index, tmp_path: Path) -> None:
    index.path.rename(tmp_path / "moved")
    for call in (lambda: sources(index), lambda: index.add([Document("x y", "z")]), lambda: index.delete(source="one")):
        with pytest.raises(ctxsearch.IndexNotFoundError, match="no index at"):
            call()
    assert not index.path.exists()
    (tmp_path / "moved").rename(index.path)
    assert sources(index) == ["one"]
    with ctxsearch.open(index.path) as again:
        assert sources(again) == ["one"]


def test_a_folder_that_was_replaced_by_another_index_is_refused(
    index: ctxsearch.Index, tmp_path: Path, elsewhere: Path
) -> None:
    index.path.rename(tmp_path / "old")
    (elsewhere / "index").rename(index.path)
    for call in (lambda: sources(index), lambda: index.delete(source="two"), lambda: index.compact()):
        with pytest.raises(ctxsearch.StoreError, match="holds another index than the one that was opened"):
            call()
    with ctxsearch.open(index.path) as other:
        assert sources(other) == ["two"]


def test_a_folder_that_was_replaced_by_its_backup_is_read(index: ctxsearch.Index, tmp_path: Path) -> None:
    index.backup(tmp_path / "backup")
    index.add([Document("Another secret.", "two")])
    index.path.rename(tmp_path / "old")
    (tmp_path / "backup").rename(index.path)
    assert sources(index) == ["one"]
    index.add([Document("A third secret.", "three")])
    assert sorted(sources(index)) == ["one", "three"]
    assert index.verify() == []


def test_a_copied_folder_is_an_index_of_its_own(index: ctxsearch.Index, tmp_path: Path) -> None:
    shutil.copytree(index.path, tmp_path / "copy")
    with ctxsearch.open(tmp_path / "copy") as copy:
        copy.add([Document("Another secret.", "two")])
        copy.delete(source="one")
        assert sources(copy) == ["two"]
        assert copy.verify() == []
    assert sources(index) == ["one"]
    assert index.verify() == []


def test_two_indexes_on_one_folder_see_each_other(index: ctxsearch.Index) -> None:
    with ctxsearch.open(index.path) as other:
        other.add([Document("Another secret.", "two")])
        assert sorted(sources(index)) == ["one", "two"]
        index.delete(source="one")
        assert sources(other) == ["two"]
        index.compact()
        assert sources(other) == ["two"]
        other.add([Document("A third secret.", "three")])
        assert sorted(sources(index)) == ["three", "two"]


ADD = "import sys, sqlite3; from tests import hashing; hashing.install(); import ctxsearch\n" + (
    "with ctxsearch.open(sys.argv[1]) as index: index.add([ctxsearch.Document(sys.argv[2], sys.argv[3])])"
)


def test_another_program_that_opens_the_catalog_does_not_cut_off_a_reader(index: ctxsearch.Index) -> None:
    """Closing a descriptor of a file drops the process's locks on it; without them the log would be removed."""
    assert sources(index) == ["one"]
    with ctxsearch.open(index.path):
        pass  # which reads the catalog to hold it against its seal
    (catalog,) = index.path.glob("catalog-*.sqlite3")
    in_another_process("import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM documents')", catalog)
    in_another_process(ADD, index.path, "Another secret.", "two")
    assert sorted(sources(index)) == ["one", "two"]


def test_a_catalog_is_in_use_as_long_as_it_is_open(index: ctxsearch.Index, tmp_path: Path) -> None:
    """The log stays while the index is open, and no descriptor stays when it is closed."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system does not list open files")

    def descriptors() -> list[str]:
        links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
        return [os.readlink(link) for link in links if link.is_symlink() and str(index.path) in os.readlink(link)]

    index.add([Document("Another secret.", "two")])
    sources(index)
    assert descriptors()
    index.close()
    assert descriptors() == []


def test_verify_is_right_while_others_write(index: ctxsearch.Index) -> None:
    end = threading.Event()

    def write() -> int:
        count = 0
        while not end.is_set():
            index.add([Document(f"The note number {count}.", f"note:{count % 7}")])
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            assert [index.verify() for _ in range(15)] == [[]] * 15
        finally:
            end.set()
        assert writing.result(timeout=30) > 0


def test_an_export_keeps_nobody_from_asking(
    index: ctxsearch.Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctxsearch import exchange

    real, asked = exchange._write_line, []

    def write_line(*arguments: object) -> None:
        with ThreadPoolExecutor(1) as pool:
            asked.append(pool.submit(sources, index).result(timeout=30))
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exchange, "_write_line", write_line)
    assert index.export(tmp_path / "export.jsonl") == 1
    assert asked == [["one"]] * 3


def test_a_segment_that_is_cut_short_while_it_is_open_ends_no_process(index: ctxsearch.Index) -> None:
    index.add([Document(f"The secret number {i} is kept.", f"s:{i}") for i in range(40)])
    with ctxsearch.open(index.path) as reader:
        reader.query("secret", mode="dense")
        for path in index.path.glob("vectors-*.rows"):
            os.truncate(path, 100)
        assert len(reader.query("the number", mode="dense")) == 5
