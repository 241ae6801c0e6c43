"""A damaged file is harmless or noticed; `repair` saves what it does not name as lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import ctxsearch
from ctxsearch.layout import IndexFolder
from tests import hashing
from tests.faults.damage import Damage


@pytest.fixture(scope="module")
def damage(tmp_path_factory: pytest.TempPathFactory) -> Damage:
    return Damage(tmp_path_factory.mktemp("damage"))


@pytest.fixture
def copy(damage: Damage, tmp_path: Path) -> Path:
    return Path(shutil.copytree(damage.whole, tmp_path / "index"))


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_no_damage_gives_a_wrong_answer_in_silence(damage: Damage) -> None:
    for _ in range(15):
        damage.once()
    assert damage.outcomes.total() == 15


def test_each_byte_of_a_segment_is_under_its_checksum(
    damage: Damage, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the file is changed, nothing is attached of it, and the answers are the same."""
    from ctxsearch.vectors import VectorIndex

    attached = []
    attach = VectorIndex.attach

    def noting(self: VectorIndex, *segment: Any) -> None:
        attach(self, *segment)
        attached.append(segment)

    monkeypatch.setattr(VectorIndex, "attach", noting)
    vectors = one(copy, "vectors-*.rows")
    size = vectors.stat().st_size
    for at in (0, 1, 4000, 4095, 4096, size // 3, size // 2, size - 1):
        flip(vectors, at)
        assert damage.ask(copy) == damage.answers
        flip(vectors, at)
    assert attached == []
    assert damage.ask(copy) == damage.answers
    assert len(attached) == 1


def test_verify_names_what_is_damaged(copy: Path) -> None:
    flip(one(copy, "vectors-*.rows"), 5000)
    with ctxsearch.open(copy, read_only=True) as index:
        assert index.verify() == [
            "a vector file is missing or damaged; repair makes it anew, and no answer is lost by it"
        ]
    report = ctxsearch.Index.repair(copy)
    assert (report.repaired, report.lost) == (("the vector files",), ())
    with ctxsearch.open(copy, read_only=True) as index:
        assert index.verify() == []


def test_a_text_that_changed_in_an_unsealed_catalog_is_not_shown(damage: Damage, copy: Path) -> None:
    """As after a crash: there is no seal, so the row's checksum has to notice."""
    one(copy, "*.seal").unlink()
    catalog = one(copy, "catalog-*.sqlite3")
    content = catalog.read_bytes()
    assert content.count(b"markers7v1") >= 1
    catalog.write_bytes(content.replace(b"markers7v1 begins", b"markers7v1 begAns"))
    with ctxsearch.open(copy, read_only=True) as index:
        assert [problem for problem in index.verify() if "document 8 is damaged" in problem]
        with pytest.raises(ctxsearch.DamagedIndexError, match="ctxsearch repair"):
            index.query("markers7v1", mode="lexical")
    report = ctxsearch.Index.repair(copy)
    assert (report.lost, report.documents) == (("s7",), len(damage.texts) - 1)
    with ctxsearch.open(copy, read_only=True) as index:
        assert index.verify() == []


def test_full_text_that_does_not_fit_the_texts_is_found(copy: Path) -> None:
    import sqlite3

    one(copy, "*.seal").unlink()
    with sqlite3.connect(one(copy, "catalog-*.sqlite3")) as db:
        db.execute(
            "INSERT INTO contexts_fts (contexts_fts, rowid, title, headings, text) "
            "SELECT 'delete', id, title, headings, text FROM contexts WHERE id = (SELECT max(id) FROM contexts)"
        )
    db.close()
    with ctxsearch.open(copy, read_only=True) as index:
        assert [problem for problem in index.verify() if "full text search does not fit" in problem]
    assert ctxsearch.Index.repair(copy).lost == ()
    with ctxsearch.open(copy, read_only=True) as index:
        assert index.verify() == []


def test_the_catalog_of_another_index_is_refused(damage: Damage, copy: Path, tmp_path: Path) -> None:
    model = damage.root / "models" / "hash-a"
    with ctxsearch.open(tmp_path / "other", model=model) as other:
        other.add([ctxsearch.Document("something else", source="s1")])
    for name in ("catalog-1.sqlite3", "catalog-1.seal"):
        shutil.copyfile(tmp_path / "other" / name, copy / name)
    with pytest.raises(ctxsearch.DamagedIndexError, match="that of another index"):
        ctxsearch.open(copy, read_only=True)


def test_a_vector_file_of_another_index_is_not_read(damage: Damage, copy: Path, tmp_path: Path) -> None:
    model = damage.root / "models" / "hash-a"
    with ctxsearch.open(tmp_path / "other", model=model) as other:
        other.add([ctxsearch.Document(f"something else {n}", source=f"s{n}") for n in range(9)])
    shutil.copyfile(one(tmp_path / "other", "vectors-*.rows"), one(copy, "vectors-*.rows"))
    assert damage.ask(copy) == damage.answers


def test_missing_files(damage: Damage, copy: Path) -> None:
    one(copy, "vectors-*.rows").unlink()
    one(copy, "*.seal").unlink()
    assert damage.ask(copy) == damage.answers
    assert ctxsearch.Index.repair(copy).repaired == ("the vector files",)
    IndexFolder(copy).pointer.unlink()
    with pytest.raises(ctxsearch.DamagedIndexError, match=r"index\.json is missing; .*ctxsearch repair"):
        damage.ask(copy)
    assert ctxsearch.Index.repair(copy).repaired[0] == "index.json"
    assert damage.ask(copy) == damage.answers
    one(copy, "catalog-*.sqlite3").unlink()
    with pytest.raises(ctxsearch.DamagedIndexError, match=r"catalog-1\.sqlite3 is missing"):
        damage.ask(copy)
    with pytest.raises(ctxsearch.DamagedIndexError, match="nothing can be saved: copy back"):
        ctxsearch.Index.repair(copy)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_catalog_that_was_cut_loses_only_what_it_names(damage: Damage, copy: Path, share: float) -> None:
    catalog = one(copy, "catalog-*.sqlite3")
    content = catalog.read_bytes()
    catalog.write_bytes(content[: int(share * len(content))])
    report = ctxsearch.Index.repair(copy)
    with ctxsearch.open(copy) as index:
        there = {d.source for d in index.documents()}
        assert index.verify() == []
        assert hashing.misfits(index) == []
    assert report.lost
    assert there | set(report.lost) == set(damage.texts) or len(there) + len(report.lost) == len(damage.texts)
    assert one(copy, "damaged-*.sqlite3").stat().st_size == int(share * len(content))


def test_a_sealed_catalog_that_changed_anywhere_is_refused(damage: Damage, copy: Path) -> None:
    """Also where SQLite would notice nothing, as in full text search or in free space."""
    catalog = one(copy, "catalog-*.sqlite3")
    size = catalog.stat().st_size
    for at in range(50, size, size // 12):
        flip(catalog, at)
        with pytest.raises(ctxsearch.DamagedIndexError, match="it is not what was written"):
            ctxsearch.open(copy, read_only=True)
        flip(catalog, at)
    assert damage.ask(copy) == damage.answers
