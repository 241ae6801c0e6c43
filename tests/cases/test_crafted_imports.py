"""Exports that a stranger made, with a right checksum (case 12 of the engine): nothing is believed unchecked.

Of the two right answers that the case offers, an export is refused whole with `SourceError`, and an index that was made
for it is removed again. A catalog with such rows is a `DamagedIndexError` (test_crafted_catalogs.py).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctxsearch
from ctxsearch import Document, Heading, SourceError, exchange
from tests.conftest import ROOT
from tests.hashing import install, make_model

Lines = list[Any]


@pytest.fixture(autouse=True)
def hash_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        install()
        yield


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    """The lines of an export of three documents, parsed, without the last one."""
    with ctxsearch.open(tmp_path / "a", model=make_model(tmp_path / "models", "m").path) as index:
        several = [f"The manager number {i} approves. It is so." for i in range(3)]
        index.add([Document(text, f"s{i}", headings=(Heading(0, 1, "One"),)) for i, text in enumerate(several)])
        index.export(tmp_path / "a.jsonl")
    return [json.loads(line) for line in (tmp_path / "a.jsonl").read_bytes().splitlines()][:-1]


def write(path: Path, lines: Lines) -> Path:
    """An export of these lines, each a value or bytes, with its checksum."""
    content = b"".join(x if isinstance(x, bytes) else json.dumps(x, ensure_ascii=False).encode() + b"\n" for x in lines)
    content += json.dumps({"sha256": hashlib.sha256(content).hexdigest()}).encode() + b"\n"
    path.write_bytes(gzip.compress(content, 9) if path.suffix == ".gz" else content)
    return path


def first(lines: Lines) -> dict[str, Any]:
    """The first context of the first document."""
    context: dict[str, Any] = lines[1]["contexts"][0]
    return context


def vectors(rows: object) -> str:
    return base64.b64encode(np.asarray(rows, "<f2").tobytes()).decode()


CHANGES: dict[str, Callable[[Lines], Any]] = {
    "a document's id twice": lambda x: x[2].update(id=x[1]["id"]),
    "a context's id twice": lambda x: x[2]["contexts"][0].update(id=first(x)["id"]),
    "a key twice": lambda x: x[2].update(key=x[1]["key"]),
    "a document less": lambda x: x.pop(),
    "a document more": lambda x: x.append({**x[3], "id": 77, "key": "k", "contexts": [{**first(x), "id": 77}]}),
    "an id at the end of what there is": lambda x: x[1].update(id=2**62),
    "an id of a context at the end of what there is": lambda x: first(x).update(id=2**53),
    "an id that is true": lambda x: x[1].update(id=True),
    "no contexts": lambda x: x[1].update(contexts=[]),
    "contexts that are an object": lambda x: x[1].update(contexts={}),
    "no sentences": lambda x: first(x).update(sentences=[], vectors=vectors(np.eye(1, 16))),
    "sentences beyond the text": lambda x: first(x)["sentences"][-1].__setitem__(1, 10**6),
    "a sentence that ends before it begins": lambda x: first(x).update(
        sentences=[[0, 40], [40, 20], [20, first(x)["end"]]], vectors=vectors(np.eye(1, 16))
    ),
    "a text of another length": lambda x: first(x).update(text="short"),
    "a text with half a character": lambda x: first(x).update(text="\\ud800" + first(x)["text"][1:]),
    "contexts that overlap": lambda x: first(x).update(start=1),
    "vectors of another length": lambda x: first(x).update(vectors=vectors([1.0] * 17)),
    "vectors of another number": lambda x: first(x).update(vectors=vectors(np.eye(2, 16))),
    "no vectors": lambda x: first(x).update(vectors=""),
    "vectors of NaN": lambda x: first(x).update(vectors=vectors([[np.nan] * 16])),
    "vectors of infinity": lambda x: first(x).update(vectors=vectors([[np.inf] * 16])),
    "vectors that are long": lambda x: first(x).update(vectors=vectors([[1000.0] * 16])),
    "metadata that are a list": lambda x: x[1].update(metadata=[]),
    "metadata that are deep": lambda x: x[1].update(metadata={"a": json.loads("[" * 500 + "]" * 500)}),
    "metadata with a huge number": lambda x: x[1].update(metadata={"a": 10**2000}),
    "metadata with infinity": lambda x: x.__setitem__(
        1, json.dumps(x[1]).replace("{}", '{"a": 1e999}').encode() + b"\n"
    ),
    "a title that is a number": lambda x: x[1].update(title=2024),
    "a title of two megabytes": lambda x: x[1].update(title="x" * (2 << 20)),
    "headings out of order": lambda x: x[1].update(headings=[[9, 1, "b"], [3, 1, "a"]]),
    "headings beyond the text": lambda x: x[1].update(headings=[[10**9, 1, "b"]]),
    "a hash that is a text": lambda x: x[1].update(content_hash="\x1b[2J"),
    "a time that is a text": lambda x: x[1].update(ingested_at="yesterday\n"),
    "a page that is negative": lambda x: first(x).update(page=-1),
    "tokens that are a fraction": lambda x: first(x).update(tokens=1.5),
    "a deep line": lambda x: x.__setitem__(1, b"[" * 200_000 + b"\n"),
    "a line of millions of values": lambda x: x.__setitem__(1, b"[" + b"{}," * 5_000_000 + b"1]\n"),
    "a line that is a number": lambda x: x.__setitem__(1, b"5\n"),
    "more of a document that did not begin": lambda x: x.__setitem__(1, {"more": x[1]["contexts"]}),
    "more of a document that is nothing": lambda x: x.insert(2, {"more": 5}),
    "a number of documents that is a text": lambda x: x[0].update(documents="3"),
    "a version that is a list": lambda x: x[0].update(version=[1]),
    "a passport that is a list": lambda x: x[0].update(passport=[]),
    "a passport of no dimensions": lambda x: x[0]["passport"].update(dim=0),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("there", [False, True], ids=["new", "into an index"])
def test_what_export_could_not_have_written_is_refused_whole(
    tmp_path: Path, lines: Lines, name: str, there: bool
) -> None:
    if there:
        with ctxsearch.open(tmp_path / "i", model=tmp_path / "models" / "m") as index:
            index.add([Document("Another text here.", "other")])
    CHANGES[name](lines)
    path = write(tmp_path / "c.jsonl", lines)
    with pytest.raises(SourceError) as caught:
        ctxsearch.Index.import_(path, tmp_path / "i")
    assert len(str(caught.value)) < 600
    if not there:
        assert not (tmp_path / "i").exists()
        return
    with ctxsearch.open(tmp_path / "i") as index:
        assert [document.source for document in index.documents()] == ["other"]
        assert index.verify() == []


def test_a_long_document_goes_on_in_further_lines(
    tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "WRITTEN_BYTES", 4000)
    text = "\n\n".join(f"Paragraph {n} of the manual says that otters number {n} swim in rivers." for n in range(200))
    with ctxsearch.open(tmp_path / "long", model=tmp_path / "models" / "m") as index:
        index.add([Document(text, "long"), Document("A short one.", "short")])
        assert index.export(tmp_path / "long.jsonl") == 2
        written = (tmp_path / "long.jsonl").read_bytes().splitlines()
        assert sum(b'"more": [' in line for line in written) > 3
        assert max(map(len, written)) < 20_000
        assert ctxsearch.Index.import_(tmp_path / "long.jsonl", tmp_path / "i").added == 2
        with ctxsearch.open(tmp_path / "i") as imported:
            assert imported.get("long") == index.get("long")
            assert imported.verify() == []


def test_an_export_of_version_1_is_read(tmp_path: Path, lines: Lines) -> None:
    lines[0]["version"] = 1
    assert ctxsearch.Index.import_(write(tmp_path / "c.jsonl", lines), tmp_path / "i").added == 3


BOMB = """
import sys, ctxsearch
try:
    ctxsearch.Index.import_(sys.argv[1], sys.argv[2])
except ctxsearch.SourceError as error:
    print(str(error)[:200])
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(peak) // 1024)
"""
FILLINGS = {
    "one text": (b'"', b"a" * 1024, 700 << 10),
    "many lists": (b"[", b"[]," * 1024, 200 << 10),
    "wide text": (b'"\xf0\x9f\xa6\xa6', b"a" * 1024, 62 << 10),
    "spaces": (b"", b" " * 1024, 500 << 10),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("name", FILLINGS)
def test_a_small_file_takes_little_memory(tmp_path: Path, lines: Lines, name: str) -> None:
    """1.5 MB of gzip made 3.2 GB of objects."""
    path = tmp_path / "bomb.jsonl.gz"
    begin, kilobyte, times = FILLINGS[name]
    with gzip.open(path, "wb", 1) as file:
        file.write(json.dumps(lines[0]).encode() + b"\n" + begin)
        for _ in range(times):
            file.write(kilobyte)
    command = [sys.executable, "-c", BOMB, str(path), str(tmp_path / "i")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    said, megabytes = done.stdout.splitlines()
    assert "bomb.jsonl.gz" in said, done.stderr
    assert int(megabytes) < 700


def test_a_fifo_is_no_export(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("there are no FIFOs")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceError, match="cannot be read: it is not a regular file"):
        ctxsearch.Index.import_(tmp_path / "fifo", tmp_path / "i")
