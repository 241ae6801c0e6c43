"""A long ingest on a terminal: its progress tells the truth, and what failed fits the screen."""

from __future__ import annotations

import re
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

from ctxsearch.cli import failures
from ctxsearch.estimate import Estimate
from ctxsearch.records import DocumentCounts, Failure, IngestReport

pytest.importorskip("termios", reason="pseudo-terminals are of Unix")

from tests.terminals import Terminal

COLUMNS, ROWS = 80, 24
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016) + "WordDocument".encode("utf-16-le").ljust(128, b"\0")


def mixed_folder(folder: Path) -> Path:
    """400 files: 340 that are read, 20 pictures, and 40 that fail for five reasons."""
    folder.mkdir()
    for n in range(340):
        text = " ".join(
            f"On day {n} the {word} of pump {n} was found worn and replaced." for word in WORDS[: n % 12 + 1]
        )
        suffix, written = (
            (".txt", text),
            (".md", f"# Day {n}\n\n{text}\n"),
            (".html", f"<h1>Day {n}</h1><p>{text}</p>"),
            (".csv", f"Day,Note\n{n},{text}\n{n},none\n"),
        )[n % 4]
        (folder / f"note-{n:03}{suffix}").write_text(written)
    for n in range(20):
        (folder / f"picture-{n}.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(64)))
    for n in range(14):
        (folder / f"old-{n}.doc").write_bytes(OLE)
    for n in range(10):
        with zipfile.ZipFile(folder / f"cut-{n}.docx", "w") as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr("word/document.xml", f"<w:document xmlns:w='x'><w:p>{'<w:r>' * n}")
    for n in range(7):
        (folder / f"empty-{n}.txt").write_bytes(b"")
    for n in range(5):
        (folder / f"app-{n}.html").write_text(f"<html><script src='{n}.js'></script></html>")
    for n in range(4):
        (folder / f"noise-{n}.txt").write_bytes(bytes(range(1, 32)) * (n + 9) + b"\xff")
    return folder


WORDS = "valve seal rotor shaft bearing gasket flange motor switch gauge filter hose".split()


def test_progress_tells_the_truth_and_the_summary_fits_a_screen(tmp_path: Path) -> None:
    folder = mixed_folder(tmp_path / "mixed")
    samples: list[tuple[float, str]] = []
    with Terminal("ingest", folder, "--index", tmp_path / "i", columns=COLUMNS) as seen:
        seen.wait_for("0:0")
        running = True
        while running:
            before = len(seen.shown)
            running = seen.sample(0.5)
            samples.append((time.monotonic(), seen.shown[before:]))
        assert seen.process.wait() == 3
    drawn, _, summary = seen.shown.partition("documents: ")

    shares = [int(share) for share in re.findall(r"(\d+)%  ", drawn) + re.findall(r"(\d+)%\n", drawn)]
    assert max(shares) < 100
    ordered = [int(share) for share in re.findall(r"(\d+)%", drawn)]
    assert ordered == sorted(ordered)
    embedded = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) of (?:about )?[\d,]+ con", drawn)]
    assert embedded == sorted(embedded)
    assert len(set(embedded)) > 5  # they are counted while a window is embedded
    assert not re.search(r"0:0[012] left", drawn)

    frames = [(at, re.findall(r"(\d+:\d\d)  [\d,]+ of", text)) for at, text in samples]
    clocks = [(at, found[-1]) for at, found in frames if found]
    changed = [at for (at, clock), (_, before) in zip(clocks[1:], clocks, strict=False) if clock != before]
    assert max(after - before for before, after in pairwise(changed)) < 2.1

    lines = ("documents: " + summary).rstrip("\n").split("\n")
    assert sum(max(1, -(-len(line) // COLUMNS)) for line in lines) < ROWS
    assert lines[0] == "documents: 340 added, 0 updated, 0 unchanged, 40 failed"
    counted = [int(count) for count in re.findall(r"^ctxsearch: (\d+) files: ", summary, re.MULTILINE)]
    assert counted == [14, 10, 7, 5, 4]
    assert "skipped 20 files that no reader takes: 20 .png" in lines
    assert f"40 failed, ctxsearch list --failed --index {tmp_path / 'i'} shows them all" in summary.replace("\n", "")


def report(*failed: Failure, skipped: tuple[Failure, ...] = ()) -> IngestReport:
    return IngestReport("i", 1, DocumentCounts(failed=len(failed)), 0, 0, 0, 1.0, failures=failed, skipped=skipped)


def told(capsys: pytest.CaptureFixture[str], done: IngestReport) -> list[str]:
    failures.tell(done, "indexes/default")
    return capsys.readouterr().err.splitlines()


def test_few_failures_are_listed_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, report(Failure("a.txt", "is empty"), Failure("b.txt", "is empty")))
    assert found == ["ctxsearch: a.txt: is empty", "ctxsearch: b.txt: is empty"]


def test_failures_are_grouped_whatever_numbers_they_name(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(
        capsys,
        report(
            Failure("x.pdf", "is encrypted; save it without a password"),
            *(Failure(f"{n}.txt", f"is not text: a NUL byte at offset {n}") for n in range(5)),
            *(Failure(f"{n}.zip", f"is damaged: its part {n} is cut") for n in "ab"),
        ),
    )
    assert found == [
        "ctxsearch: 5 files: is not text: a NUL byte at offset …",
        "ctxsearch:     0.txt, 1.txt, 2.txt and 2 more",
        "ctxsearch: 2 files: is damaged: its part …",
        "ctxsearch:     a.zip, b.zip",
        "ctxsearch: x.pdf: is encrypted; save it without a password",
        "ctxsearch: 8 failed, ctxsearch list --failed shows them all",
    ]


def test_many_kinds_of_failures_fit_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [chr(97 + n) * 3 for n in range(26)]
    found = told(capsys, report(*(Failure(f"{kind}{n}", f"is {kind}") for kind in kinds for n in range(2))))
    assert len(found) < ROWS - 4
    assert found[-1] == "ctxsearch: 52 failed, 36 of them for other reasons; ctxsearch list --failed shows them all"


def test_skipped_files_are_counted_once_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [Failure(f"{n}.png", "no reader for .png files") for n in range(5)]
    sounds = [Failure(f"{n}.mp3", "no reader for .mp3 files") for n in range(2)]
    link = Failure("l", "a link; links inside a folder are not followed")
    assert told(capsys, report(skipped=(*pictures, *sounds, link))) == [
        "skipped 7 files that no reader takes: 5 .png, 2 .mp3",
        "skipped l: a link; links inside a folder are not followed",
    ]


# The estimate


def test_an_estimate_is_refined_by_what_files_come_to() -> None:
    files = [(f"{n}.txt", 15_000) for n in range(100)] + [("picture.png", 10**9)]
    estimate = Estimate(files)
    assert estimate.left() == pytest.approx(1000)
    for name, size in files[:50]:
        estimate.took(name, size, contexts=20)
    assert estimate.left() == pytest.approx(50 * 20, rel=0.05)
    for name, size in files[50:]:
        estimate.took(name, size, contexts=20)
    assert estimate.left() == 0
