"""Links, FIFOs and folders in an index from a stranger (case 08 of the engine): nothing outside the index is read or
written, nothing blocks, and every error is one line of ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import CtxsearchError, DamagedIndexError, Document, StoreError
from tests.hashing import install, make_model

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there, and there are no FIFOs")

PRECIOUS = "precious"


@pytest.fixture(autouse=True)
def hash_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        install()
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index that was closed in order, beside a file of the user."""
    model = make_model(tmp_path / "models", "m").path
    with ctxsearch.open(tmp_path / "i", model=model) as index:
        index.add([Document("One text here.", "a"), Document("Two texts here.", "b")])
        index.delete(source="b")
    (tmp_path / "victim").write_text(PRECIOUS)
    return tmp_path / "i"


def use(folder: Path) -> None:
    """Do all that can be done with an index; only errors of ours are accepted."""

    def attempt(what: Callable[[], object]) -> None:
        with suppress(CtxsearchError):
            what()

    def read() -> None:
        with ctxsearch.open(folder, read_only=True) as index:
            index.query("text")
            index.status()
            index.verify()
            index.export(folder.parent / "export.jsonl")

    def write() -> None:
        with ctxsearch.open(folder, lock_timeout=0.5) as index:
            index.add([Document("Another text here.", "c")])

    def compact() -> None:
        with ctxsearch.open(folder, lock_timeout=0.5) as index:
            index.compact()

    attempt(read)
    attempt(write)
    attempt(compact)
    attempt(lambda: ctxsearch.Index.repair(folder))
    attempt(read)


NAMES = (
    "index.json",
    "catalog-1.sqlite3",
    "catalog-1.sqlite3-wal",
    "catalog-1.sqlite3-shm",
    "catalog-1.sqlite3-journal",
    "catalog-1.seal",
    "catalog-2.sqlite3",
    "catalog-2.seal",
    ".catalog-2.sqlite3.partial",
    ".catalog-2.sqlite3.partial-wal",
    ".catalog-2.sqlite3.partial-journal",
    ".catalog-1.sqlite3.damaged.partial",
    "damaged-2.sqlite3",
    "vectors-1-1.rows",
    "vectors-1-2.rows",
    "vectors-1-1.lists",
    "writer.lock",
    "writer.json",
    f".writer.json.{os.getpid()}.partial",
    f".index.json.{os.getpid()}.partial",
    f".catalog-1.seal.{os.getpid()}.partial",
    f".vectors-1-2.rows.{os.getpid()}.partial",
)


@pytest.mark.parametrize(
    "kind",
    [
        "link",
        "FIFO",
        pytest.param("link to nothing", marks=pytest.mark.slow),
        pytest.param("link to a folder", marks=pytest.mark.slow),
        pytest.param("folder", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.replace(str(os.getpid()), "PID"))
def test_what_is_planted_under_a_name_of_ours_leads_nowhere(folder: Path, name: str, kind: str) -> None:
    planted = folder / name
    planted.unlink(missing_ok=True)
    if kind == "link":
        planted.symlink_to("../victim")
    elif kind == "link to nothing":
        planted.symlink_to("../made")
    elif kind == "link to a folder":
        (folder.parent / "other").mkdir()
        planted.symlink_to("../other")
    elif kind == "FIFO":
        os.mkfifo(planted)
    else:
        planted.mkdir()
    use(folder)
    assert (folder.parent / "victim").read_text() == PRECIOUS
    outside = {path.name for path in folder.parent.iterdir()} - {"i", "victim", "models", "other", "export.jsonl"}
    assert outside == set()
    assert not (folder.parent / "other").exists() or not any((folder.parent / "other").iterdir())


@pytest.mark.parametrize("name", ["catalog-1.sqlite3", "index.json", "catalog-1.sqlite3-wal"])
def test_a_link_to_another_index_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "secret")
    (tmp_path / "secret" / name).touch()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(f"../secret/{name}")
    with pytest.raises(DamagedIndexError, match=r"not a regular file \(a link, a folder or a device\)|is damaged"):
        ctxsearch.open(folder, read_only=True).query("text")


@pytest.mark.parametrize("name", ["catalog-1.sqlite3", "catalog-1.sqlite3-wal", "catalog-1.sqlite3-shm"])
def test_a_file_with_a_second_name_is_not_written_to(folder: Path, name: str) -> None:
    victim = folder.parent / "victim"
    if name == "catalog-1.sqlite3":
        victim.unlink()
        os.link(folder / name, victim)
    else:
        (folder / name).unlink(missing_ok=True)
        os.link(victim, folder / name)
    before = victim.read_bytes()
    with pytest.raises(StoreError, match=r"second name \(a hard link\)"), ctxsearch.open(folder) as index:
        index.add([Document("Another text here.", "c")])
    assert victim.read_bytes() == before


def test_a_folder_of_an_index_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "by link").symlink_to(folder)
    with ctxsearch.open(tmp_path / "by link") as index:
        index.add([Document("Another text here.", "c")])
        assert len(index) == 2


def test_an_export_does_not_follow_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").symlink_to("victim")
    (tmp_path / f".out.jsonl.{os.getpid()}.partial").symlink_to("victim")
    with ctxsearch.open(folder) as index:
        index.export(tmp_path / "out.jsonl")
    assert (tmp_path / "victim").read_text() == PRECIOUS
    assert not (tmp_path / "out.jsonl").is_symlink()


@pytest.mark.parametrize(
    "said",
    ["[" * 4000, '{"pid": 1}', '{"pid": [], "host": {}, "since": 1e400, "command": "\\u001b]0;x\\u0007"}', "x" * 10**6],
)
def test_a_holder_that_says_anything_is_named_in_one_line(folder: Path, said: str) -> None:
    with ctxsearch.open(folder) as index, index._store.locked():
        (folder / "writer.json").write_text(said)
        with ctxsearch.open(folder, lock_timeout=0.1) as other, pytest.raises(ctxsearch.IndexBusyError) as caught:
            other.add([Document("Another text here.", "c")])
        assert len(str(caught.value)) < 3000
        with suppress(FileNotFoundError):
            (folder / "writer.json").unlink()
