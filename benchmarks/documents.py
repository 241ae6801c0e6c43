"""Reads a folder of documents, and compares the words with those that another library finds in each file.

    python benchmarks/documents.py FOLDER

Prints a line a format: files, read, failed, seconds of the slowest file, and how many of the files with text have a
word recall of at least 0.9; then each failure with its reason and each file below 0.9. Word recall is the share of the
other library's words (runs of letters and digits, each as often as it stands there) that are in our text.

The other libraries: pypdf, python-docx or mammoth, python-pptx, openpyxl, xlrd, odfpy, BeautifulSoup with lxml, lxml;
files that are text are compared with themselves. They are not needed for anything else:

    pip install pypdf mammoth python-pptx openpyxl xlrd odfpy beautifulsoup4 lxml
"""

from __future__ import annotations

import argparse
import email
import email.policy
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctxsearch import readers
from ctxsearch.errors import SourceError
from ctxsearch.records import Document

ENOUGH = 0.9
_WORD = re.compile(r"\w+")
_MARKUP = re.compile(r"<[^>]*>|\d\d:[\d:.]+ --> [^\n]*|^WEBVTT.*|^\S+/\d+-\d+$", re.MULTILINE)


def pdf(path: Path) -> str:
    import pypdf

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def docx(path: Path) -> str:
    import mammoth

    with path.open("rb") as file:
        return str(mammoth.extract_raw_text(file).value)


def pptx(path: Path) -> str:
    import pptx

    def texts(shapes: Any) -> list[str]:
        found = []
        for shape in shapes:
            if shape.has_text_frame:
                found.append(shape.text_frame.text)
            if getattr(shape, "has_table", False) and shape.has_table:
                found += [cell.text for row in shape.table.rows for cell in row.cells]
            if hasattr(shape, "shapes"):
                found += texts(shape.shapes)
        return found

    slides = pptx.Presentation(str(path)).slides
    notes = [slide.notes_slide.notes_text_frame for slide in slides if slide.has_notes_slide]
    return "\n".join([text for slide in slides for text in texts(slide.shapes)] + [note.text for note in notes if note])


def xlsx(path: Path) -> str:
    import openpyxl

    book = openpyxl.load_workbook(path, data_only=True)
    return "\n".join(
        f"{cell:.15g}" if isinstance(cell, float) else str(cell)
        for sheet in book.worksheets
        for row in sheet.iter_rows(values_only=True)
        for cell in row
        if cell is not None
    )


def xls(path: Path) -> str:
    import xlrd

    values = [cell for sheet in xlrd.open_workbook(path).sheets() for row in sheet.get_rows() for cell in row]
    return "\n".join(f"{c.value:.15g}" if isinstance(c.value, float) else str(c.value) for c in values)


def odt(path: Path) -> str:
    from odf import opendocument, teletype, text

    paragraphs = opendocument.load(str(path)).getElementsByType
    return "\n".join(teletype.extractText(node) for kind in (text.P, text.H) for node in paragraphs(kind))


def html(path: Path) -> str:
    import bs4

    soup = bs4.BeautifulSoup(path.read_bytes(), "lxml")
    for node in soup(["script", "style", "nav", "footer", "head", "noscript", "button", "select", "form", "aside"]):
        node.decompose()
    return (soup.find("main") or soup).get_text(" ")


def xml(path: Path) -> str:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    root = etree.fromstring(path.read_bytes(), parser)
    return " ".join(text for node in root.iter(etree.Element) for text in (node.text, node.tail) if text)


def eml(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    parts = [part.get_content() for part in message.walk() if part.get_content_type() == "text/plain"]
    return "\n".join([str(message["subject"]), *parts])


def plain(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def subtitles(path: Path) -> str:
    return _MARKUP.sub(" ", plain(path))


REFERENCES: dict[str, Callable[[Path], str]] = {
    "pdf": pdf,
    "docx": docx,
    "pptx": pptx,
    "xlsx": xlsx,
    "xls": xls,
    "odt": odt,
    "html": html,
    "xml": xml,
    "eml": eml,
    "vtt": subtitles,
}


def word_recall(ours: str, theirs: str) -> float | None:
    """The share of their words that we have; None where they have none."""
    wanted = Counter(_WORD.findall(theirs.lower()))
    found = Counter(_WORD.findall(ours.lower()))
    return sum((wanted & found).values()) / wanted.total() if wanted else None


def main() -> int:
    """Compare, print, and say by the exit status whether 90 % of the files have a recall of 0.9."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    rows: dict[str, dict[str, Any]] = defaultdict(lambda: {"files": 0, "read": 0, "seconds": 0.0, "recalls": []})
    failed: list[str] = []
    low: list[str] = []
    with readers.Worker() as worker:
        for file in readers.find([str(folder)]).files:
            name = file.path.relative_to(folder).as_posix()
            suffix = file.path.suffix.lstrip(".") or "(none)"
            row = rows[suffix]
            started = time.perf_counter()
            items = list(readers.read(file, worker))
            row["files"] += 1
            row["seconds"] = max(row["seconds"], time.perf_counter() - started)
            texts = [item.text for item in items if isinstance(item, Document)]
            row["read"] += bool(texts)
            failed += [f"{name}: {item.reason}" for item in items if isinstance(item, SourceError)]
            if not texts:
                continue
            try:
                recall = word_recall("\n".join(texts), REFERENCES.get(suffix, plain)(file.path))
            except ImportError as error:
                sys.exit(f"{error}; see the top of {__file__} for what to install")
            except Exception as error:  # the other library may fail where we do not
                low.append(f"{name}: no comparison, {type(error).__name__}: {error}")
                continue
            if recall is not None:
                row["recalls"].append(recall)
                if recall < ENOUGH:
                    low.append(f"{name}: {recall:.3f}")
    print(
        "| format | files | read | failed | slowest, s | compared | word recall ≥ 0.9 |\n|---|---|---|---|---|---|---|"
    )
    recalls = [recall for row in rows.values() for recall in row["recalls"]]
    total = {"files": 0, "read": 0, "seconds": 0.0, "recalls": recalls}
    for row in rows.values():
        total["files"] += row["files"]
        total["read"] += row["read"]
        total["seconds"] = max(total["seconds"], row["seconds"])
    for suffix, row in [*sorted(rows.items()), ("all", total)]:
        enough = sum(recall >= ENOUGH for recall in row["recalls"])
        cells = [suffix, row["files"], row["read"], row["files"] - row["read"], f"{row['seconds']:.2f}"]
        print("| " + " | ".join(map(str, [*cells, len(row["recalls"]), enough])) + " |")
    share = sum(recall >= ENOUGH for recall in recalls) / len(recalls)
    print(f"\nWord recall of at least {ENOUGH} in {100 * share:.1f} % of {len(recalls)} files.")
    print("\nFailed:", *failed, sep="\n- ")
    print("\nBelow, or not compared:", *low, sep="\n- ")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
