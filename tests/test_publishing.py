"""Segments of a store: what a writer writes, when they are merged, and that nobody notices."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import ctxsearch
from ctxsearch.layout import IndexFolder
from ctxsearch.records import FloatArray
from ctxsearch.store import LocalStore, compact, publishing, repair, verify
from ctxsearch.vectors import parts
from tests.contract.test_store import put
from tests.hashing import HashEncoder, make_model

WEIGHT = 0.85


class Kept:
    """A store with the encoder of its texts."""

    def __init__(self, root: Path) -> None:
        model = make_model(root / "models", "hash-a")
        self.encoder = HashEncoder(model)
        self.store = LocalStore.create(IndexFolder(root / "index"), model.passport, str(model.path))

    @property
    def files(self) -> dict[str, int]:
        """Vector files with their sizes."""
        return {path.name: path.stat().st_size for path in sorted(self.store.folder.root.glob("vectors-*"))}

    def segments(self) -> list[int]:
        """Contexts of each segment."""
        with self.store.snapshot() as snapshot:
            return [note["contexts"] for note in snapshot._catalog.fact("segments")["segments"]]

    def write(self, *texts: tuple[str, str], delete: tuple[str, ...] = ()) -> None:
        with self.store.writer() as writer:
            for source in delete:
                for document_id in writer.find_documents(source):
                    writer.delete_document(document_id)
            for source, text in texts:
                put(writer, self.encoder, source, text)
            writer.commit()

    def reopen(self) -> None:
        self.store.close()
        self.store = LocalStore(self.store.folder)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def many(first: int, count: int) -> list[tuple[str, str]]:
    return [(f"s{n}", f"The number {n}. It follows {n - 1}.") for n in range(first, first + count)]


def brute_force(store: LocalStore, vector: FloatArray, k: int) -> list[tuple[int, float]]:
    """From the catalog, by NumPy."""
    scored = []
    with store.snapshot() as snapshot:
        for stored in snapshot._catalog.vectors_from(0, len(vector)):
            products = stored.rows.astype(np.float64) @ vector.astype(np.float64)
            scored.append((stored.context_id, WEIGHT * products[1:].max() + (1 - WEIGHT) * products[0]))
    return sorted(scored, key=lambda item: (-item[1], item[0]))[:k]


def assert_exact(kept: Kept) -> None:
    for text in ("It follows 4.", "something else"):
        vector = kept.encoder.vector(text)
        with kept.store.snapshot() as snapshot:
            found = snapshot.search_dense(vector, 10, WEIGHT)
        expected = brute_force(kept.store, vector, 10)
        assert [c.context_id for c in found] == [context_id for context_id, _ in expected]
        np.testing.assert_allclose([c.dense for c in found], [score for _, score in expected], atol=1e-5)


def test_a_small_session_writes_what_it_added(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "SMALL_ROWS", 10)
    kept.write(*many(0, 200))
    before = kept.files
    kept.write(("new", "A new one. It is small."))
    after = kept.files
    assert before.items() < after.items()
    (added,) = after.keys() - before.keys()
    assert after[added] < 4096 + 3 * 16 * 2 + 100
    assert kept.segments() == [200, 1]
    assert_exact(kept)


def test_small_segments_become_one(kept: Kept) -> None:
    for n in range(5):
        kept.write(*many(10 * n, 10))
    assert kept.segments() == [50]
    assert len(kept.files) == 1
    assert_exact(kept)


def test_sizes_fall_from_segment_to_segment(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "SMALL_ROWS", 0)
    written = 0
    for n in range(64):
        before = set(kept.files)
        kept.write(*many(n, 1))
        sizes = kept.segments()
        assert sum(sizes) == n + 1
        assert all(earlier > publishing.LESS * later for earlier, later in pairwise(sizes))
        written += sum(sizes[i] for i, name in enumerate(sorted(kept.files, key=len)) if name not in before)
    assert len(kept.segments()) <= 6
    assert written < 64 * 12, "each context is written a few times, not at every session"
    assert_exact(kept)


def test_what_is_removed_is_masked_until_it_is_much(kept: Kept) -> None:
    kept.write(*many(0, 40))
    before = kept.files
    kept.write(delete=("s1", "s2"))
    assert kept.files == before
    with kept.store.snapshot() as snapshot:
        assert len(snapshot._catalog.removed_since(0)) == 2
        assert snapshot.contexts_with_vectors() == 38
    assert_exact(kept)
    kept.reopen()
    assert_exact(kept)
    kept.write(delete=tuple(f"s{n}" for n in range(3, 20)))
    assert kept.files.keys() != before.keys()
    assert kept.segments() == [21]
    kept.write(("more", "One more. And that is all."))
    kept.write(("yet more", "Yet one more. And that is all."))
    with kept.store.snapshot() as snapshot:
        assert len(snapshot._catalog.removed_since(0)) == 0, "nobody has to follow from before"
    assert_exact(kept)
    assert verify(kept.store) == []


def test_a_reader_goes_on_while_segments_are_merged(kept: Kept) -> None:
    kept.write(*many(0, 30))
    reader = LocalStore(kept.store.folder)
    vector = kept.encoder.vector("It follows 4.")
    with reader.snapshot() as snapshot:
        before = snapshot.search_dense(vector, 5, WEIGHT)
        kept.write(*many(30, 30), delete=("s5",))
        kept.write(*many(60, 30))
        assert snapshot.search_dense(vector, 5, WEIGHT) == before
    with reader.snapshot() as snapshot:
        assert [c.context_id for c in snapshot.search_dense(vector, 5, WEIGHT)] == [
            context_id for context_id, _ in brute_force(kept.store, vector, 5)
        ]
    reader.close()


def test_random_changes_with_lists_and_damage(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is added, removed, compacted, damaged: the answers are those of brute force, and verify says so."""
    monkeypatch.setattr(publishing, "SMALL_ROWS", 20)
    monkeypatch.setattr(parts, "SCANNED_BYTES", 3000)
    kept.store.recall = 1.0
    chance = random.Random(7)
    for n in range(25):
        kind = chance.choice(["add", "add", "delete", "replace", "compact", "reopen", "lose", "damage"])
        if kind == "add":
            kept.write(*many(1000 * n, chance.choice([1, 5, 40])))
        elif kind == "delete":
            with kept.store.snapshot() as snapshot:
                sources = [d.source for d in snapshot.documents()]
            kept.write(delete=tuple(chance.sample(sources, min(len(sources), chance.choice([1, 20])))))
        elif kind == "replace":
            kept.write(*((source, f"{text} Again.") for source, text in many(0, 5)))
        elif kind == "compact":
            compact(kept.store)
        elif kind == "reopen":
            kept.reopen()
            kept.store.recall = 1.0
        elif kept.files:
            path = kept.store.folder.root / chance.choice(sorted(kept.files))
            content = bytearray(path.read_bytes())
            content[chance.randrange(len(content))] ^= 255
            path.unlink()  # not written over: this process has it mapped
            if kind == "damage":
                path.write_bytes(content)
            kept.reopen()
            kept.store.recall = 1.0
            assert_exact(kept)
            assert [line for line in verify(kept.store) if "vector file is missing or damaged" in line]
            assert repair(kept.store.folder).repaired == ("the vector files",)
        assert_exact(kept)
        assert verify(kept.store) == [], kind
    assert len(kept.segments()) > 1


def test_recall_is_a_share(tmp_path: Path) -> None:
    for wrong in (0.0, -1.0, 1.5):
        with pytest.raises(ctxsearch.ArgumentError, match="recall is"):
            ctxsearch.open(tmp_path / "index", recall=wrong)
