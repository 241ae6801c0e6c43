"""The fuzz harness. Each case is made from a seed of its own, so that one that failed can be had again.

Invariants, after whatever was done:

- only `CtxsearchError` is raised;
- nothing is written outside of the index folder and of what a call was told to write;
- a case takes less than `SECONDS`, and the process less than `MEGABYTES`;
- an index to which only the API was used is healthy for `verify`, and has what was accepted.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import faulthandler
import math
import os
import random
import shutil
import signal
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import ctxsearch
from ctxsearch import CtxsearchError, Document, Heading, Page
from ctxsearch.encoder.lexical import LexicalPart
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.passport import ModelFolder, vocabulary_file
from tests import hashing
from tests.fuzz import mutations

SECONDS = 30
"""Of one case, on a machine where others compute."""

MEGABYTES = 1000
FULL_TEXT_MEGABYTES = 2500
"""Of a case that writes noise into the full-text index. FTS5 makes room for what a record claims; its only limit is one
for all connections of a process, which is not ours to set. SECURITY.md says so."""

PRECIOUS = "precious"
QUESTIONS = ("otters", "number 3 swims", 'évil \x1b[2J \u202e 100% (a OR b) AND NOT "c', "獺")


def limit_memory() -> None:
    """No process of the harness takes so much that the machine suffers; what a case may take is less."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


class HangError(BaseException):
    """A case took too long."""


class Colour(enum.Enum):
    RED = "red"
    NOTHING = None


@dataclass
class Plain:
    """A value that JSON does not have."""

    x: int = 1


class Hostile:
    """An object that raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __index__ = __float__ = __len__ = __iter__ = __fspath__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]


def _cycle() -> list[Any]:
    found: list[Any] = []
    found.append({"a": found})
    return found


def _deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        2**63,
        -(2**63) - 1,
        2**70,
        10**5000,
        0.5,
        -0.0,
        math.nan,
        math.inf,
        1j,
        b"x",
        bytearray(b"x"),
    ),
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "\udcff",
        "x" * 70_000,
        "\x1b]0;x\x07",
        "\u202e",
        "\x1f",
        "a\x1fb",
        "2024-05-01",
        "../x",
    ),
    *(
        Path("x"),
        Path("\0"),
        uuid.UUID(int=1),
        decimal.Decimal("1.1"),
        decimal.Decimal("NaN"),
        decimal.Decimal("1e999"),
    ),
    *(
        datetime.date(1, 1, 1),
        datetime.datetime.max,
        datetime.timedelta(1),
        datetime.time(1),
        Colour.RED,
        Colour.NOTHING,
    ),
    *(np.int64(3), np.float16(0.1), np.float64("nan"), np.bool_(True), np.str_("x"), np.datetime64("NaT"), np.ones(3)),
    *(np.array(1), np.array(["a"]), np.array([object()]), np.zeros((0, 3)), Plain(), Plain, Hostile(), object(), len),
    *((), [], {}, set(), {1, "a"}, frozenset("ab"), range(3), _cycle(), _deep(31), _deep(40), _deep(2000), {1: 2}),
    *(
        {"": ""},
        {"\ud800": 1},
        {"a.b": 1, "a": {"b": 2}},
        {Colour.RED: 1},
        {None: 1},
        {"$eq": 1},
        {"source": "x"},
        memoryview(b"x"),
    ),
]

TEXTS = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            "Otters swim. Number 3 swims, too.",
            "獺は泳ぐ。",
            "a\x1fb. \x00c.",
            "e\u0301 é. \u202eabc.",
            "\r\n\x85\u2028x",
        ]
    ),
    st.builds(
        lambda text, times: text * times, st.sampled_from(["Otters swim fast. ", "x", "\n\n", "ß "]), st.integers(1, 60)
    ),
)
ANYTHING = st.recursive(
    st.one_of(
        st.integers(0, len(ODD) - 1).map(lambda place: ODD[place]),  # hypothesis would print the values
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.binary(max_size=8),
        st.dates(),
        st.datetimes(),
        st.decimals(),
        st.uuids(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=8), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=8,
)


def either(sound: st.SearchStrategy[Any], share: int = 40) -> st.SearchStrategy[Any]:
    """Mostly what is sound, now and then anything."""
    return st.one_of(*[sound] * share, ANYTHING)


USUAL = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.datetimes(),
    st.uuids(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.builds(np.int64, st.integers(-9, 9)),
)
NESTED = st.recursive(
    USUAL, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner))
)
METADATA = either(st.dictionaries(st.text(max_size=10), either(NESTED, 12), max_size=3))
DOCUMENTS = st.builds(
    lambda **fields: Document(**{name: value for name, value in fields.items() if value is not ...}),
    text=either(TEXTS),
    source=either(st.one_of(st.sampled_from(["a", "b", "c#1", "/x/y.txt"]), st.text(min_size=1, max_size=20))),
    title=either(st.one_of(st.just(...), st.text(max_size=20))),
    metadata=st.one_of(st.just(...), METADATA),
    headings=either(
        st.one_of(
            st.just(...),
            st.lists(st.builds(Heading, st.integers(0, 30), st.integers(1, 6), st.text(max_size=9)), max_size=2).map(
                tuple
            ),
        )
    ),
    pages=either(
        st.one_of(st.just(...), st.lists(st.builds(Page, st.integers(0, 30), st.integers(1, 9)), max_size=2).map(tuple))
    ),
    origin=either(st.one_of(st.just(...), st.sampled_from(["", "/x/y.txt"]))),
    is_record=either(st.just(...)),
)


def expect(condition: bool, otherwise: object) -> None:
    """An assertion that says what was there instead."""
    if not condition:
        raise AssertionError(otherwise)


def expect_a_line(error: Exception) -> None:
    """A message of ours is one line that a person can read."""
    expect("\n" not in str(error) and len(str(error)) < 4000, str(error)[:1000])


@dataclass
class Fuzz:
    """Cases in a folder of their own."""

    root: Path
    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        hashing.install()
        os.environ["CTXSEARCH_CACHE"] = str(self.root / "cache")
        from ctxsearch.vectors import parts

        self.model = hashing.make_model(self.root / "models", "m").path
        self.empty, self.small, self.large = (self.root / name for name in ("empty", "small", "large"))
        ctxsearch.open(self.empty, model=self.model).close()
        self._fill(self.small, 6)
        at_home, parts.SCANNED_BYTES = parts.SCANNED_BYTES, 10_000  # so that a few rows have lists
        self._fill(self.large, 200)
        parts.SCANNED_BYTES = at_home
        with ctxsearch.open(self.small) as index:
            for name in ("e.jsonl", "e.jsonl.gz"):
                index.export(self.root / name)
        self.tokenized = _tokenized_model(self.root / "tokenized")
        self.work = self.root / "work"

    def _fill(self, folder: Path, documents: int) -> None:
        with ctxsearch.open(folder, model=self.model) as index:
            index.add(
                Document(f"Otter number {n} swims. It eats {n} fish. Nobody minds.", f"s{n}", f"T {n}", {"n": n})
                for n in range(documents)
            )
            index.delete(source="s1")

    def run(self, cases: int) -> dict[str, Any]:
        """Run cases; returns what became of them."""
        of_documents = cases // 4
        self._documents(of_documents)
        for number in range(cases - of_documents):
            own = random.Random(f"{self.seed}/{number}")
            name, case = own.choice(FILES)
            self._case(f"{name}, seed {self.seed}/{number}", name, lambda own=own, case=case: case(self, own))
        return {"outcomes": self.outcomes, "errors": self.errors[:50], "megabytes": _peak()}

    # One case

    @contextmanager
    def _sandbox(self) -> Iterator[Path]:
        """A folder with a file of the user in it, of which nothing may change but the index."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        (self.work / "victim").write_text(PRECIOUS)
        (self.work / "here").mkdir()
        before = os.getcwd()
        os.chdir(self.work / "here")
        try:
            yield self.work
            assert (self.work / "victim").read_text() == PRECIOUS, "a file outside of the index was changed"
            there = {str(path.relative_to(self.work)) for path in self.work.rglob("*")}
            outside = {name for name in there if not name.startswith(("index/", "told", "model/"))}
            assert outside <= {"victim", "here", "index", "model"}, f"new files outside: {outside}"
        finally:
            os.chdir(before)

    def _case(self, label: str, kind: str, case: Callable[[], str]) -> None:
        def too_long(number: int, frame: object) -> None:
            raise HangError

        signal.signal(signal.SIGALRM, too_long)
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True)  # a library that does not come back
        signal.alarm(SECONDS)
        before = _peak()
        try:
            outcome = case()
        except (Exception, HangError) as error:
            shown = "".join(traceback.format_exception(error))[-2500:]
            self.errors.append(f"{label}: {type(error).__name__}\n{shown}")
            outcome = "WRONG"
        finally:
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
        most = FULL_TEXT_MEGABYTES if mutations.full_text_changed else MEGABYTES
        mutations.full_text_changed = False
        if _peak() > most >= before:
            self.errors.append(f"{label}: the process takes {_peak()} MB")
        self.outcomes[f"{kind}: {outcome}"] += 1

    # Documents of any type

    def _documents(self, cases: int) -> None:
        left = [cases]

        @seed(self.seed)
        @settings(
            max_examples=max(1, cases),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        )
        @given(st.lists(DOCUMENTS, min_size=1, max_size=3), ANYTHING, st.integers(0, 2**32))
        def each(documents: list[Document], value: Any, number: int) -> None:
            own = random.Random(number)
            if left[0]:
                left[0] -= 1
                shown = repr(documents[0].text)[:80] if isinstance(documents[0].text, str) else type(documents[0].text)
                self._case(f"documents ({shown})", "documents", lambda: self._add(documents, value, own))

        each()

    def _add(self, documents: list[Document], value: Any, own: random.Random) -> str:
        with self._sandbox() as sandbox:
            shutil.copytree(self.small if own.random() < 0.3 else self.empty, sandbox / "index")
            with ctxsearch.open(sandbox / "index") as index:
                before = {document.source: document.text for document in index.iterate()}
                accepted: list[Document] = []
                outcome = "accepted"
                try:
                    report = index.add(documents)
                except CtxsearchError as error:
                    expect(isinstance(error, ctxsearch.ArgumentError), error)
                    expect_a_line(error)
                    outcome = "refused"
                else:
                    failed = {failure.source for failure in report.failures}
                    accepted = [one for one in documents if str(one.source) not in failed]
                    outcome = "accepted" if accepted else "among the failures"
                assert index.verify() == [], index.verify()
                for document in accepted:
                    assert index.get(os.fspath(document.source)).source == os.fspath(document.source)
                for source, text in before.items():
                    if source not in {one.source for one in documents if isinstance(one.source, str)}:
                        assert index.get(source).text == text
                self._ask(index, own, value)
                assert index.verify() == [], index.verify()
                path = sandbox / f"told.jsonl{own.choice(['', '.gz'])}"
                index.export(path)
                ctxsearch.Index.import_(path, sandbox / "told-index")
                with ctxsearch.open(sandbox / "told-index") as other:
                    assert other.verify() == [], other.verify()
                    assert list(other.iterate(vectors=True)) == list(index.iterate(vectors=True)) or accepted
                    assert [d.text for d in other.iterate()] == [d.text for d in index.iterate()]
                    assert [d.metadata for d in other.iterate()] == [d.metadata for d in index.iterate()]
        return outcome

    @staticmethod
    def _ask(index: ctxsearch.Index, own: random.Random, value: Any) -> None:
        """Ask with anything."""
        calls: list[Callable[[], Any]] = [
            lambda: index.query(value),
            lambda: index.query("otters", where=value),
            lambda: index.query("otters", where={"n": value}),
            lambda: index.query("otters", where={"$or": [{"n": {"$gt": value}}, {"n": {"$in": value}}]}),
            lambda: index.query("otters", k=value),
            lambda: index.query("otters", offset=value, group_by=value),
            lambda: index.query("otters", vector=value),
            lambda: index.get(value),
            lambda: index.get(document_id=value),
            lambda: index.delete(source=value),
            lambda: index.update_metadata("a", value),
            lambda: index.update_metadata("a", {"n": value}),
            lambda: index.more_like(value),
            lambda: index.documents(value),
            lambda: index.count({"title": value}),
            lambda: index.query_many(value),
            lambda: index.add(value),
            lambda: index.text(source=value),
            lambda: list(index.iterate(after=value)),
        ]
        for question in own.sample(QUESTIONS, 2):
            for mode in ctxsearch.records.MODES:
                index.query(question, mode=mode)
        for call in own.sample(calls, 4):
            try:
                call()
            except CtxsearchError as error:
                expect(not isinstance(error, ctxsearch.DamagedIndexError), error)
                expect_a_line(error)

    # Files

    def _use(self, folder: Path, own: random.Random) -> str:
        """Do what can be done with an index; returns what became of it."""
        refused = []

        def attempt(call: Callable[[], Any]) -> None:
            try:
                call()
            except CtxsearchError as error:
                refused.append(error)
                expect_a_line(error)

        def read() -> None:
            with ctxsearch.open(folder, read_only=own.random() < 0.7, lock_timeout=1.0) as index:
                for mode in ctxsearch.records.MODES:
                    attempt(lambda mode=mode: index.query(own.choice(QUESTIONS), mode=mode))
                    attempt(lambda mode=mode: index.query("otter swims", mode=mode, where={"n": {"$gt": 1}}))
                for call in (
                    index.status,
                    index.verify,
                    index.failures,
                    lambda: index.documents({"n": 3}),
                    lambda: index.get("s3", vectors=True),
                    lambda: list(index.iterate(vectors=True)),
                    lambda: index.more_like("s2"),
                    lambda: index.export(folder.parent / "told.jsonl"),
                ):
                    attempt(call)

        def write() -> None:
            with ctxsearch.open(folder, lock_timeout=1.0) as index:
                attempt(lambda: index.add([Document("Another otter swims.", "new"), Document("A heron.", "s3")]))
                attempt(lambda: index.update_metadata("s4", {"n": 9}))
                attempt(lambda: index.delete(source="s2"))
                if own.random() < 0.3:
                    attempt(index.compact)
                if own.random() < 0.1:
                    attempt(lambda: index.backup(folder.parent / "told-backup"))

        attempt(read)
        attempt(write)
        if own.random() < 0.5:
            before = len(refused)
            attempt(lambda: ctxsearch.Index.repair(folder))
            attempt(read)
            return "refused" if len(refused) == before == 0 else "refused or used" if before == 0 else "repaired"
        return "refused in part" if refused else "used"

    def _of_index(self, own: random.Random, mutate: Callable[[random.Random, Path], None]) -> str:
        with self._sandbox() as sandbox:
            folder = sandbox / "index"
            shutil.copytree(self.large if own.random() < 0.15 else self.small, folder)
            mutate(own, folder)
            return self._use(folder, own)

    def _lists(self, own: random.Random) -> str:
        with self._sandbox() as sandbox:
            shutil.copytree(self.large, sandbox / "index")
            mutations.vectors(own, sandbox / "index")
            return self._use(sandbox / "index", own)

    def _export(self, own: random.Random) -> str:
        with self._sandbox() as sandbox:
            folder, path = sandbox / "index", sandbox / f"told.jsonl{own.choice(['', '.gz'])}"
            shutil.copyfile(self.root / path.name.replace("told", "e"), path)
            mutations.export(own, path)
            there = own.random() < 0.3
            if there:
                shutil.copytree(self.small if own.random() < 0.5 else self.empty, folder)
            try:
                ctxsearch.Index.import_(path, folder)
            except CtxsearchError as error:
                expect_a_line(error)
                expect(there or not folder.exists(), "what was made for an import is left")
                if there:
                    with ctxsearch.open(folder) as index:
                        assert index.verify() == [], index.verify()
                return "refused"
            with ctxsearch.open(folder, model=None) as index:
                assert index.verify() == [], index.verify()
                index.query("otter", mode="lexical")
                list(index.iterate(vectors=True))
                index.export(sandbox / "told-again.jsonl")
            ctxsearch.Index.import_(sandbox / "told-again.jsonl", sandbox / "told-index")
            return "imported"

    def _model(self, own: random.Random) -> str:
        with self._sandbox() as sandbox:
            shutil.copytree(self.model if own.random() < 0.5 else self.tokenized, sandbox / "model")
            mutations.model(own, sandbox / "model")
            try:
                model = ModelFolder.load(sandbox / "model")
                tokenizer = Tokenizer(vocabulary_file(model.path), lower_case=model.passport.lower_case)
                for text in QUESTIONS:
                    tokenizer.encode([text], 16)
                LexicalPart.load(model, tokenizer.size)
                model.verify()
                with ctxsearch.open(sandbox / "index", model=model.path) as index:
                    index.status()
            except CtxsearchError as error:
                expect_a_line(error)
                return "refused"
            return "used"


def _tokenized_model(home: Path) -> Path:
    """A model folder with a small vocabulary and weights of its words."""
    import json

    from ctxsearch.passport import CARD, LEXICAL, TOKENIZER, VOCABULARY, checksums

    folder = hashing.make_model(home, "t").path
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##s", "otter", "swims"]
    (folder / TOKENIZER).unlink()
    (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in words))
    np.save(folder / LEXICAL, np.ones(len(words), np.float16))
    card = json.loads((folder / CARD).read_text())
    weights, vocabulary = checksums(folder)
    lexical = {
        "lexical_dim": 8,
        "lexical_weight": 0.5,
        "lexical_sha256": ctxsearch.passport.sha256_of(folder / LEXICAL),
    }
    card |= {"weights_sha256": weights, "vocabulary_sha256": vocabulary, **lexical}
    (folder / CARD).write_text(json.dumps(card))
    return folder


def _peak() -> int:
    """The most memory that this process has had, in megabytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM:"))


def _phases() -> Any:
    from hypothesis import Phase

    return [Phase.generate]


PHASES = _phases()

Case = Callable[[Fuzz, random.Random], str]
FILES: tuple[tuple[str, Case], ...] = (
    ("index.json", lambda fuzz, own: fuzz._of_index(own, mutations.index_json)),
    ("bytes", lambda fuzz, own: fuzz._of_index(own, mutations.any_file)),
    ("catalog", lambda fuzz, own: fuzz._of_index(own, mutations.catalog)),
    ("catalog", lambda fuzz, own: fuzz._of_index(own, mutations.catalog)),
    ("catalog", lambda fuzz, own: fuzz._of_index(own, mutations.catalog)),
    ("planted", lambda fuzz, own: fuzz._of_index(own, mutations.planted)),
    ("vectors", Fuzz._lists),
    ("export", Fuzz._export),
    ("export", Fuzz._export),
    ("model", Fuzz._model),
)
