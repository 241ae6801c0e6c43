"""What an ingest knows of those before it: failures that are kept until the file changes, documents that only moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import readers
from ctxsearch.records import Failure
from tests import hashing
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        home = tmp_path_factory.mktemp("models")
        yield [hashing.make_model(home, name).path for name in ("first", "second")]


@pytest.fixture
def index(tmp_path: Path, models: list[Path]) -> Iterator[ctxsearch.Index]:
    with ctxsearch.open(tmp_path / "index", model=models[0]) as index:
        yield index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "good.txt").write_text("The river is long.")
    (folder / "bad.txt").write_text("")
    return folder


def failed(index: ctxsearch.Index) -> list[tuple[str, str]]:
    return [(Path(failure.source).name, failure.error) for failure in index.failures()]


# Failures


def test_failures_are_kept_and_not_tried_again(
    index: ctxsearch.Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = index.ingest(folder)
    assert report.documents.failed == 1
    assert report.failed_before == frozenset()
    assert failed(index) == [("bad.txt", "is empty")]
    assert index.status().failed == 1
    (kept,) = index.failures()
    assert kept.origin == str(folder / "bad.txt")
    looked: list[str] = []
    kind = readers._kind
    monkeypatch.setattr(readers, "_kind", lambda file: looked.append(file.path.name) or kind(file))
    generation = index.status().generation
    report = index.ingest(folder)
    assert looked == ["good.txt"]
    assert report.documents.failed == 1
    assert report.failures == (Failure((folder / "bad.txt").as_posix(), "is empty"),)
    assert report.failed_before == frozenset(report.failures)
    assert index.status().generation == generation
    assert index.failures() == [kept]
    report = index.ingest(folder, retry=True)
    assert looked[1:] == ["bad.txt", "good.txt"]
    assert report.failed_before == frozenset()
    assert index.failures() == [kept]


def test_a_file_that_changes_is_tried_again(index: ctxsearch.Index, folder: Path) -> None:
    index.ingest(folder)
    (folder / "bad.txt").write_bytes(b"\0\1\2\3" * 100)
    assert index.ingest(folder / "bad.txt").failed_before == frozenset()
    assert [error for _, error in failed(index)] != ["is empty"]
    (folder / "bad.txt").write_text("The lake is deep.")
    assert index.ingest(folder).failures == ()
    assert index.failures() == []
    assert index.status().failed == 0


def test_a_file_that_is_gone_did_not_fail(index: ctxsearch.Index, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "bad.md").write_text("")
    index.ingest([folder, tmp_path / "other"])
    assert [name for name, _ in failed(index)] == ["bad.txt", "bad.md"]
    (folder / "bad.txt").unlink()
    (tmp_path / "other" / "bad.md").unlink()
    index.ingest(folder, glob="*.md")
    assert len(index.failures()) == 2  # the ingest was not about bad.txt, and not about the other folder
    index.ingest(folder)
    assert [name for name, _ in failed(index)] == ["bad.md"]
    index.ingest(tmp_path / "other")
    assert index.failures() == []


def test_a_part_of_a_file_may_fail(index: ctxsearch.Index, folder: Path) -> None:
    lines = folder / "lines.jsonl"
    lines.write_text('{"text": "one"}\nno line\n{"text": "three"}\n')
    report = index.ingest(lines)
    assert report.documents.added == 2
    place = lines.as_posix() + ":2"
    assert report.failures == (Failure(place, "is not a line of JSON"),)
    report = index.ingest(lines, prune=True)
    assert report.documents.unchanged == 2
    assert report.failed_before == {Failure(place, "is not a line of JSON")}
    lines.write_text('{"text": "one"}\n{"text": "two"}\n')
    report = index.ingest(lines, prune=True)
    assert report.failures == ()
    assert index.failures() == []
    assert sorted(index.text(document_id=one.document_id) for one in index.documents()) == ["one", "two"]


def test_another_reader_may_read_what_failed(
    index: ctxsearch.Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.ingest(folder)
    monkeypatch.setattr(readers, "_libraries", lambda: "0.1.0 another")
    assert index.ingest(folder).failed_before == frozenset()
    assert len(index.ingest(folder).failed_before) == 1


def test_a_name_that_leads_nowhere_is_not_kept(index: ctxsearch.Index, folder: Path) -> None:
    assert index.ingest([folder / "nowhere", folder]).documents.failed == 2
    assert [name for name, _ in failed(index)] == ["bad.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="names need not be UTF-8 on Linux alone")
def test_names_that_are_not_utf8_are_kept(index: ctxsearch.Index, folder: Path) -> None:
    path = os.fsencode(folder) + b"/caf\xe9.txt"
    with open(path, "wb") as file:
        file.write(b"The lake is deep.")
    index.ingest(folder)
    assert len(index.ingest(folder).failed_before) == 2
    assert [name for name, _ in failed(index)] == ["bad.txt", "caf\\udce9.txt"]
    os.unlink(path)
    index.ingest(folder)
    assert [name for name, _ in failed(index)] == ["bad.txt"]


def test_failures_outlive_the_catalog(index: ctxsearch.Index, folder: Path, tmp_path: Path, models: list[Path]) -> None:
    index.ingest(folder)
    kept = index.failures()
    index.compact()
    assert index.failures() == kept
    index.backup(tmp_path / "backup")
    with ctxsearch.open(tmp_path / "backup", model=models[0], read_only=True) as backup:
        assert backup.failures() == kept
    index.reembed(models[1])
    assert index.failures() == kept
    (folder / "bad.txt").unlink()
    index.ingest(folder)
    assert index.failures() == []
    index.rollback()
    assert index.failures() == []
    (folder / "bad.txt").write_text("")
    index.ingest(folder)
    index.export(tmp_path / "export.jsonl")
    index.close()
    catalog = max((tmp_path / "index").glob("catalog-*.sqlite3"), key=os.path.getmtime)
    content = catalog.read_bytes()
    damaged = content.replace(b"The river is long.", b"The river is LONG.")
    assert damaged != content
    catalog.write_bytes(damaged)
    assert len(ctxsearch.Index.repair(tmp_path / "index").lost) == 1
    with ctxsearch.open(tmp_path / "index") as repaired:
        assert failed(repaired) == [("bad.txt", "is empty")]
    ctxsearch.Index.import_(tmp_path / "export.jsonl", tmp_path / "imported")
    with ctxsearch.open(tmp_path / "imported") as imported:
        assert imported.failures() == []  # they are of files here, not of what the index holds


def test_metadata_that_sqlite_cannot_hold_fail(index: ctxsearch.Index, folder: Path) -> None:
    (folder / "lines.jsonl").write_text(
        '{"text": "one", "size": 1e999}\n{"text": "two", "mood": "\\ud83d\\ude00", "author": "\\ud800"}\n'
    )
    report = index.ingest(folder / "lines.jsonl")
    assert [failure.error for failure in report.failures] == [
        "metadata['size'] is inf, which JSON cannot hold; leave it out or pass None"
    ]
    assert index.documents({"mood": "😀", "author": "\ufffd"})[0].source.endswith("lines.jsonl:2")


# Moves, and what else needs no embedding


def test_a_renamed_file_is_not_embedded_again(index: ctxsearch.Index, folder: Path) -> None:
    (folder / "bad.txt").unlink()
    (folder / "other.txt").write_text("The river is long?")  # as long as the other, and not the same
    index.ingest(folder)
    before = {summary.title: summary.document_id for summary in index.documents()}
    (folder / "good.txt").rename(folder / "better.txt")
    (folder / "other.txt").rename(folder / "another.txt")
    report = index.ingest(folder, prune=True)
    assert (report.documents.moved, report.documents.added, report.documents.deleted) == (2, 0, 0)
    assert report.contexts == 0
    assert {one.title: one.document_id for one in index.documents()} == {
        "better": before["good"],
        "another": before["other"],
    }
    assert index.text(source=folder / "another.txt") == "The river is long?"
    assert index.verify() == []
    assert hashing.misfits(index) == []
    assert [hit.source for hit in index.query("better", mode="lexical")] == [(folder / "better.txt").as_posix()]


def test_without_prune_what_is_gone_stays(index: ctxsearch.Index, folder: Path) -> None:
    index.ingest(folder)
    (folder / "good.txt").rename(folder / "better.txt")
    report = index.ingest(folder)
    assert (report.documents.moved, report.documents.added) == (0, 1)
    assert len(index.documents()) == 2


def test_other_metadata_need_no_embedding(index: ctxsearch.Index, folder: Path) -> None:
    index.ingest(folder / "good.txt")
    report = index.ingest(folder / "good.txt", metadata={"team": "ops"})
    assert (report.documents.updated, report.contexts) == (1, 0)
    assert [one.document_id for one in index.documents({"team": "ops"})] == [1]
    report = index.ingest(folder / "good.txt", metadata={"team": "hr"})
    assert len(index.documents({"team": {"$ne": "ops"}})) == 1
    (folder / "good.txt").write_text("The river is short.")
    report = index.ingest(folder / "good.txt", metadata={"team": "hr"})
    assert (report.documents.updated, report.contexts) == (1, 1)
    assert index.verify() == []
    assert hashing.misfits(index) == []


def test_a_touched_file_has_a_new_date(index: ctxsearch.Index, folder: Path) -> None:
    index.ingest(folder / "good.txt")
    os.utime(folder / "good.txt", (0, 86400))
    report = index.ingest(folder / "good.txt")
    assert (report.documents.unchanged, report.contexts) == (1, 0)
    assert len(index.documents({"modified": "1970-01-02"})) == 1


def test_records_follow_their_file(index: ctxsearch.Index, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"text": "one", "source": "memo:1"}\n{"text": "two"}\n')
    index.ingest(folder)
    (folder / "a.jsonl").rename(folder / "b.jsonl")
    report = index.ingest(folder, prune=True)
    assert (report.documents.moved, report.documents.deleted, report.contexts) == (1, 0, 0)
    assert {one.source for one in index.documents({"path": {"$glob": "*/b.jsonl"}})} == {
        "memo:1",
        f"{(folder / 'b.jsonl').as_posix()}:2",
    }
    assert len(index.documents()) == 3
    (folder / "b.jsonl").unlink()
    assert index.ingest(folder, prune=True).documents.deleted == 2


# The command line


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ctxsearch.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_commands_show_what_failed(folder: Path, tmp_path: Path) -> None:
    where = ["--index", tmp_path / "cli"]
    done = run("ingest", folder, *where)
    assert done.returncode == 3
    assert done.stderr == f"ctxsearch: {folder}/bad.txt: is empty\n"
    done = run("ingest", folder, *where)
    assert done.returncode == 3
    assert done.stderr == (
        "ctxsearch: 1 failed before and did not change; ctxsearch list --failed shows them, "
        "ctxsearch ingest --retry tries them again\n"
    )
    done = run("ingest", folder, *where, "--retry", "--json")
    report = json.loads(done.stdout)
    assert (report["documents"]["failed"], report["failed_before"]) == (1, 0)
    done = run("list", "--failed", *where)
    assert done.stdout[10:] == f"  {folder}/bad.txt: is empty\n"
    (listed,) = json.loads(run("list", "--failed", "--json", *where).stdout)["failures"]
    assert {name: listed[name] for name in ("source", "error", "origin")} == {
        "source": f"{folder}/bad.txt",
        "error": "is empty",
        "origin": f"{folder}/bad.txt",
    }
    assert "failed      1 (ctxsearch list --failed)" in run("status", *where).stdout
    done = run("list", "--where", "tema=x", *where)
    assert done.returncode == 2
    assert done.stderr == (
        "ctxsearch: where: no document has the key 'tema'; there are mime_type, modified, path, size, source, title\n"
    )
    done = run("list", "--where", "size>5", "--where", "source~*good*", "--json", *where)
    assert [Path(one["source"]).name for one in json.loads(done.stdout)["documents"]] == ["good.txt"]
