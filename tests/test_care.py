"""Care of an index: what compaction leaves on the disk, backup, export, another model, who holds the lock."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctxsearch
from ctxsearch import canaries
from ctxsearch.passport import ModelFolder, Passport
from tests import hashing
from tests.conftest import ROOT
from tests.crash.harness import WORDS, text_of
from tests.golden import make as golden

hashing.install()


@pytest.fixture
def models(tmp_path: Path) -> tuple[ModelFolder, ModelFolder]:
    """Two models of different dimension and window."""
    return (
        hashing.make_model(tmp_path / "models", "hash-a"),
        hashing.make_model(tmp_path / "models", "hash-b", dim=24, window=24),
    )


def documents(count: int, version: int = 1) -> list[ctxsearch.Document]:
    made = []
    for n in range(count):
        text = text_of(f"s{n}", version)
        second = text.index("\n\n") + 2
        headings = (ctxsearch.Heading(0, 1, "One"), ctxsearch.Heading(second, 2, "Two"))
        made.append(ctxsearch.Document(text, f"s{n}", f"title {n}", {"n": n % 3, "of": None}, headings))
    return made


def answers(index: ctxsearch.Index, ids: bool = True) -> list[Any]:
    """What some questions get, in all modes."""
    found: list[Any] = []
    for question in WORDS[:4]:
        for mode in ("hybrid", "dense", "lexical"):
            for hit in index.query(question, k=10, mode=mode, where={"n": {"$in": [0, 1]}}):
                identity = (hit.document_id, hit.context_id) if ids else hit.document_id
                found.append((identity, hit.source, hit.title, hit.headings, hit.text, hit.sentence, hit.score))
    return found


def holding(folder: Path, wanted: list[bytes]) -> int:
    """How many of the byte strings stand in any file of a folder."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return sum(any(one in content for content in contents) for one in wanted)


def test_compaction_leaves_nothing_of_what_was_deleted(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    count = 90
    gone = [f"s{n}" for n in range(0, count, 3)]
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(count))
        with index._store.snapshot() as snapshot:
            ids = [snapshot.find_documents(source)[0] for source in gone]
            vectors = [
                row.tobytes() for document in ids for c in snapshot.whole_document(document).contexts for row in c.rows
            ]
        markers = [f"marker{source}v1".encode() for source in gone]
        assert holding(index.path, vectors) == len(vectors), "before, they are found: the search can fail"
        for source in gone:
            index.delete(source=source)
        assert holding(index.path, markers) > 5, "deleting alone leaves some"
        index.compact()
        assert holding(index.path, markers) == 0
        assert holding(index.path, vectors) == 0
        assert holding(index.path, [b"markers1v1"]) == 1
        assert index.verify() == []
        assert len(index.documents()) == count - len(gone)
    size = sum(path.stat().st_size for path in (tmp_path / "i").iterdir())
    with ctxsearch.open(tmp_path / "fresh", model=models[0].path) as fresh:
        fresh.add(document for document in documents(count) if document.source not in gone)
    expected = sum(path.stat().st_size for path in (tmp_path / "fresh").iterdir())
    assert size <= 1.05 * expected


def test_ids_are_not_given_again_after_compaction(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(3))
        last = max(d.document_id for d in index.documents())
        index.delete(source="s2")
        index.compact()
        index.add(documents(3))
        assert [d.document_id for d in index.documents()] == [1, 2, last + 1]


def test_a_backup_is_a_whole_index(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(12))
        with index._store.writer() as writer:  # in the middle of a write, of which nothing is committed
            writer.delete_document(1)
            index.backup(tmp_path / "b")
        with pytest.raises(ctxsearch.ArgumentError, match="exists already"):
            index.backup(tmp_path / "b")
        expected, generation = answers(index), index.status().generation
    shutil.rmtree(tmp_path / "i")
    shutil.copytree(tmp_path / "b", tmp_path / "i")
    with ctxsearch.open(tmp_path / "i") as index:
        assert index.verify() == []
        assert (answers(index), index.status().generation) == (expected, generation)
        index.delete(source="s1")


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_an_import_of_an_export_answers_the_same(tmp_path: Path, models: tuple[ModelFolder, ...], name: str) -> None:
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(12))
        index.add(documents(6, version=2))
        index.delete(source="s4")
        assert index.export(tmp_path / name) == 11
        report = ctxsearch.Index.import_(tmp_path / name, tmp_path / "j")
        assert (report.added, report.updated, report.unchanged) == (11, 0, 0)
        with ctxsearch.open(tmp_path / "j", model=models[0].path) as imported:
            assert answers(imported) == answers(index)
            assert imported.documents() == index.documents()
            assert imported.verify() == []
            assert imported.add(documents(1, version=2)).documents.unchanged == 1
        again = ctxsearch.Index.import_(tmp_path / name, tmp_path / "j")
        assert (again.added, again.updated, again.unchanged) == (0, 0, 11)


def test_an_export_that_was_changed_is_refused_whole(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(4))
        index.export(tmp_path / "e.jsonl")
    lines = (tmp_path / "e.jsonl").read_bytes().splitlines(keepends=True)
    for damaged in (
        lines[:-1],
        lines[:2] + lines[3:],
        [*lines[:1], lines[1].replace(b"markers0", b"markerx0"), *lines[2:]],
        [lines[0], b'{"id": 1}\n'],
        [b"[]\n"],
        [],
        [lines[0].replace(b'"version": 2', b'"version": 3'), *lines[1:]],
    ):
        (tmp_path / "bad.jsonl").write_bytes(b"".join(damaged))
        with pytest.raises(ctxsearch.SourceError):
            ctxsearch.Index.import_(tmp_path / "bad.jsonl", tmp_path / "j")
    if (tmp_path / "j").exists():
        with ctxsearch.open(tmp_path / "j", model=models[0].path) as index:
            assert index.documents() == []
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"".join(lines))[:-200])
    with pytest.raises(ctxsearch.SourceError, match="cannot be read to its end"):
        ctxsearch.Index.import_(tmp_path / "bad.gz", tmp_path / "k")


def test_reembed_gives_what_a_fresh_index_gives(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    old, new = models
    with ctxsearch.open(tmp_path / "fresh", model=new.path) as fresh:
        fresh.add(documents(12))
        expected = answers(fresh, ids=False)
    with (
        ctxsearch.open(tmp_path / "i", model=old.path) as index,
        ctxsearch.open(tmp_path / "i", read_only=True) as reader,
    ):
        index.add(documents(12))
        before = answers(reader)
        listed = [(d.document_id, d.source, d.metadata, d.ingested_at) for d in index.documents()]
        report = index.reembed(new.path)
        assert (report.model, report.documents, report.embedded) == ("hash-b", 12, 12)
        assert answers(reader, ids=False) == expected
        assert [(d.document_id, d.source, d.metadata, d.ingested_at) for d in reader.documents()] == listed
        assert index.verify() == []
        assert index.add(documents(12)).documents.unchanged == 12
        with pytest.raises(ctxsearch.ArgumentError, match="already"):
            index.reembed(new.path)
        assert index.rollback().embedded == 0
        assert answers(reader) == before
        index.reembed(new.path)
        index.add([ctxsearch.Document("An otter that came late.", source="late", metadata={"n": 1})])
        index.delete(source="s0")
        report = index.rollback()
        assert (report.model, report.embedded, report.documents) == ("hash-a", 1, 12)
        assert [hit.source for hit in reader.query("came late", mode="lexical")] == ["late"]
        assert hashing.misfits(index) == []
        index.compact()
        with pytest.raises(ctxsearch.IndexNotFoundError, match="no former model"):
            index.rollback()


def test_a_reembed_that_was_interrupted_goes_on(
    tmp_path: Path, models: tuple[ModelFolder, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctxsearch.reembed.CONTEXTS_PER_WINDOW", 4)
    embed = hashing.HashEncoder.embed_contexts
    calls = 0

    def breaking(self: hashing.HashEncoder, contexts: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return embed(self, contexts)

    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(12))
        before = answers(index)
        monkeypatch.setattr(hashing.HashEncoder, "embed_contexts", breaking)
        with pytest.raises(KeyboardInterrupt):
            index.reembed(models[1].path)
        assert answers(index) == before
        index.add([ctxsearch.Document("In between.", source="between")])
        index.delete(source="s0")
        report = index.reembed(models[1].path)
        assert (report.documents, 0 < report.embedded < 12) == (12, True)
        assert index.verify() == []
        assert hashing.misfits(index) == []


def test_an_index_of_another_model_names_reembed(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    ctxsearch.open(tmp_path / "i", model=models[0].path).close()
    with pytest.raises(ctxsearch.PassportMismatchError, match=r"hash-a .*hash-b .*ctxsearch reembed --model"):
        ctxsearch.open(tmp_path / "i", model=models[1].path)


def test_canaries(tmp_path: Path, models: tuple[ModelFolder, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A little off is noted once; more is refused before anything is written."""
    vector = hashing.HashEncoder.vector
    off = 0.0

    def other(self: hashing.HashEncoder, text: str) -> Any:
        moved = vector(self, text) + off * vector(self, "aside")
        return moved / np.linalg.norm(moved)

    monkeypatch.setattr(hashing.HashEncoder, "vector", other)
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(1))
        for off, runtime in ((0.0, "same"), (0.05, "near"), (0.05, "near")):
            monkeypatch.setattr(canaries, "runtime", lambda runtime=runtime: runtime)
            index.add([ctxsearch.Document(f"text {off} {runtime} {os.urandom(4).hex()}", source="x")])
            assert index.verify() == []
        with index._store.snapshot() as snapshot:
            kept = snapshot.canaries()
        assert kept is not None
        assert [noted["runtime"] for noted in kept["noted"]] == ["near"]
        generation = index.status().generation
        off = 0.8
        with pytest.raises(ctxsearch.PassportMismatchError, match="gives other vectors here"):
            index.add([ctxsearch.Document("refused", source="y")])
        assert index.status().generation == generation
        assert [problem for problem in index.verify() if "gives other vectors" in problem]


@pytest.mark.parametrize("version", ["format-1", "format-2"])
@pytest.mark.parametrize("read_only", [True, False])
def test_golden_indexes_open_and_answer_the_same(tmp_path: Path, version: str, read_only: bool) -> None:
    folder = ROOT / "tests" / "golden" / version
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    shutil.copytree(folder / "index", tmp_path / "i")
    with ctxsearch.open(tmp_path / "i", read_only=read_only) as index:
        if not read_only:
            with index._store.writer():
                pass  # whoever writes brings it to the format of now
            assert index.status().format == 2
        assert golden.answers(index, expected["asked"]) == expected["answers"]
        assert golden.contents(index) == expected["contents"]
        assert index._store.passport.fingerprint == Passport.from_dict(expected["passport"]).fingerprint
        from ctxsearch import store

        assert store.verify(index._store) == []
        if not read_only:
            index.compact()
            assert golden.answers(index, expected["asked"]) == expected["answers"]
            assert not (index.path / "catalog.sqlite3").exists()


def test_a_newer_format_is_refused(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    from ctxsearch.layout import read_checked, write_checked

    ctxsearch.open(tmp_path / "i", model=models[0].path).close()
    said = read_checked(tmp_path / "i" / "index.json")
    write_checked(tmp_path / "i" / "index.json", {**said, "format": 3, "news": 1})
    with pytest.raises(ctxsearch.IndexFormatError, match="pip install --upgrade ctxsearch"):
        ctxsearch.open(tmp_path / "i")


def test_a_second_writer_is_told_who_writes(
    tmp_path: Path, models: tuple[ModelFolder, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as one, one._store.writer():
        with (
            ctxsearch.open(tmp_path / "i", lock_timeout=0.1) as other,
            pytest.raises(ctxsearch.IndexBusyError, match=rf"process {os.getpid()} on .* \(since 20.*waited 0.1 s"),
        ):
            other.delete(source="x")
        monkeypatch.setenv("CTXSEARCH_LOCK_TIMEOUT", "0.2")
        with ctxsearch.open(tmp_path / "i") as other, pytest.raises(ctxsearch.IndexBusyError, match=r"waited 0\.2 s"):
            other.compact()
        monkeypatch.setenv("CTXSEARCH_LOCK_TIMEOUT", "soon")
        with pytest.raises(ctxsearch.ArgumentError, match="CTXSEARCH_LOCK_TIMEOUT"):
            ctxsearch.open(tmp_path / "i")


@pytest.mark.skipif(os.name == "nt", reason="no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o002, 0o664)])
def test_files_are_made_with_the_users_umask(
    tmp_path: Path, models: tuple[ModelFolder, ...], umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
            index.add(documents(2))
            index.compact()
            index.backup(tmp_path / "b")
            index.export(tmp_path / "e")
    finally:
        os.umask(before)
    files = [path for folder in ("i", "b") for path in (tmp_path / folder).iterdir()] + [tmp_path / "e"]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in files} == {path.name: oct(mode) for path in files}


def test_the_commands(tmp_path: Path, models: tuple[ModelFolder, ...]) -> None:
    """What is on the command line does what the Index does, and says it in JSON."""
    with ctxsearch.open(tmp_path / "i", model=models[0].path) as index:
        index.add(documents(3))

    def run(*arguments: object) -> tuple[int, Any, str]:
        command = [sys.executable, "-m", "ctxsearch.cli", *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout, done.stderr

    here = ("--index", tmp_path / "i", "--json")
    status, said, _ = run("backup", tmp_path / "b", *here)
    assert (status, said["documents"], said["generation"]) == (0, 3, 1)
    status, said, _ = run("export", tmp_path / "e", *here)
    assert (status, said["documents"]) == (0, 3)
    status, said, _ = run("import", tmp_path / "e", "--index", tmp_path / "j", "--json")
    assert (status, said["added"]) == (0, 3)
    status, said, _ = run("repair", *here)
    assert (status, said["documents"], said["lost"]) == (0, 3, [])
    status, _, complaint = run("reembed", *here)
    assert (status, "--rollback" in complaint) == (2, True)
    status, _, complaint = run("reembed", "--rollback", *here)
    assert (status, "no former model" in complaint) == (1, True)
