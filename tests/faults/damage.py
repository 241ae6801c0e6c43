"""The damage harness: one file of an index is changed, cut or removed; no answer may be wrong in silence.

What may happen: the answers are the same, and nothing was embedded for it; or the index is refused with a line that
names ``repair`` and ``backup``, and `repair` then saves every document that it does not name as lost.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctxsearch
from ctxsearch.catalog.care import UNNAMED
from ctxsearch.records import MODES
from tests import hashing
from tests.crash.harness import WORDS, text_of

QUESTIONS = [*WORDS[:3], "markers7v1 begins", "otter heron badger"]
DOCUMENTS = 40


@dataclass
class Damage:
    """An index that was closed in order, and what it answers."""

    root: Path
    seed: int = 1
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        hashing.install()
        model = hashing.make_model(self.root / "models", "hash-a").path
        self.whole = self.root / "whole"
        with ctxsearch.open(self.whole, model=model) as index:
            index.add(
                ctxsearch.Document(text_of(f"s{n}", 1), source=f"s{n}", title=f"title {n}", metadata={"n": n % 3})
                for n in range(DOCUMENTS)
            )
            index.delete(source="s3")
            self.texts = {d.source: index.text(document_id=d.document_id) for d in index.documents()}
        self.answers = self.ask(self.whole)
        self.files = sorted(
            path for path in self.whole.iterdir() if path.stat().st_size and not path.name.endswith("-shm")
        )

    def ask(self, folder: Path) -> list[Any]:
        """Everything that the questions get, with scores and texts."""
        with ctxsearch.open(folder, read_only=True) as index:
            answers: list[Any] = [
                [(h.source, h.title, round(h.score, 6), h.text, h.sentence, dict(h.metadata)) for h in hits]
                for question in QUESTIONS
                for mode in MODES
                for hits in (index.query(question, k=8, mode=mode), index.query(question, mode=mode, where={"n": 1}))
            ]
            return [*answers, [(d.source, d.contexts) for d in index.documents()]]

    def once(self) -> str:
        """Damage one file of a copy; returns what became of it. Raises if an answer is wrong."""
        copy = self.root / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.whole, copy)
        file = copy / self.random.choice(self.files).name
        how = self.damage(file)
        outcome = self.look(copy, f"{file.name} {how}")
        self.outcomes[f"{file.suffix[1:]}: {outcome}"] += 1
        return outcome

    def damage(self, file: Path) -> str:
        """Flip a bit, cut the end, or remove the file."""
        content = bytearray(file.read_bytes())
        kind = self.random.choices(["flip", "cut", "remove"], [8, 3, 1])[0]
        at = self.random.randrange(len(content))
        if kind == "remove":
            file.unlink()
        elif kind == "cut":
            file.write_bytes(content[:at])
        else:
            content[at] ^= 1 << self.random.randrange(8)
            file.write_bytes(content)
        return f"{kind} at {at}"

    def look(self, folder: Path, what: str) -> str:
        """Ask a damaged index."""
        try:
            answers = self.ask(folder)
        except ctxsearch.DamagedIndexError as error:
            _expect_advice(str(error), "ctxsearch repair", "ctxsearch backup")
            return "refused, " + self.repair(folder, what)
        assert answers == self.answers, f"{what}: other answers in silence"
        return "answers the same"

    def repair(self, folder: Path, what: str) -> str:
        """Repair a damaged index: what it does not name as lost is there, letter for letter."""
        try:
            report = ctxsearch.Index.repair(folder)
        except ctxsearch.DamagedIndexError as error:
            _expect_advice(str(error), "ctxsearch backup")
            return "nothing to save"
        with ctxsearch.open(folder) as index:
            assert index.verify() == [], what
            assert hashing.misfits(index) == [], what
            there = {d.source: index.text(document_id=d.document_id) for d in index.documents()}
        assert report.documents == len(there)
        assert all(self.texts.get(source) == text for source, text in there.items()), what
        missing = set(self.texts) - set(there)
        named = missing <= set(report.lost) or len(report.lost) >= len(missing)
        assert named or UNNAMED in report.lost, f"{what}: {missing} lost in silence"
        if missing and not named:
            return "some lost, the pages with their names too, and said"
        return "all saved" if not missing else "some lost and named"


def _expect_advice(message: str, *commands: str) -> None:
    """A refusal names what helps."""
    assert all(command in message for command in commands), message
