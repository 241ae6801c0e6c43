"""Reads folders of documents, and compares the text with what another library finds in each file.

    python benchmarks/documents.py FOLDER…

Prints a line a format, then each failure and each file that is below a threshold:

    recall   share of the other library's words (each as often as it stands there) that are in our text
    order    length of the longest common subsequence of words, over the number of the other library's words
    garbage  share of our characters that are controls, replacement characters, or pairs as UTF-8 read as Latin-1 gives
    tables   rows of tables.json, a truth written by hand, whose values stand beside their headings in one line

The other libraries: pdftotext (of poppler-utils), mammoth, python-pptx, openpyxl, xlrd, odfpy, striprtf, BeautifulSoup
with lxml, lxml; files that are text are compared with themselves. They are not needed for anything else:

    apt-get install poppler-utils
    pip install mammoth striprtf python-pptx openpyxl xlrd odfpy beautifulsoup4 lxml
"""

from __future__ import annotations

import argparse
import csv
import email
import email.policy
import json
import mailbox
import re
import subprocess
import sys
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ctxsearch import readers
from ctxsearch.errors import SourceError
from ctxsearch.records import Document

ENOUGH = 0.95
"""Recall and order of a file."""
RECALLED, ORDERED = 0.97, 0.90
"""Share of the files that have to reach it."""
MAX_GARBAGE = 0.001
MAX_WORDS = 50_000
"""Order is that of so many words at the beginning: the time grows with the square."""
TABLES = Path(__file__).with_name("tables.json")
_WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+")
_MARKUP = re.compile(r"<[^>]*>|\d\d:[\d:.]+ --> [^\n]*|^WEBVTT.*|^NOTE.*|^\S+$(?=\n\d\d:)", re.MULTILINE)


_GARBAGE = re.compile("[\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f-\\x9f\ufffd]|[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac.")


def pdf(path: Path) -> str:
    done = subprocess.run(["pdftotext", "-enc", "UTF-8", str(path), "-"], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def docx(path: Path) -> str:
    import bs4
    import mammoth

    with path.open("rb") as file:
        return bs4.BeautifulSoup(mammoth.convert_to_html(file).value, "lxml").get_text(" ")


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
    from odf import opendocument, teletype

    def paragraphs(node: Any) -> Iterator[str]:
        for inner in node.childNodes:
            if getattr(inner, "qname", ("", ""))[1] in ("p", "h"):
                yield teletype.extractText(inner)
            elif inner.hasChildNodes():
                yield from paragraphs(inner)

    return "\n".join(paragraphs(opendocument.load(str(path)).text))


def html(path: Path) -> str:
    import bs4

    data = path.read_bytes()
    encoding = "utf-8" if data == data.decode("utf-8", "ignore").encode() else None
    if encoding is None and b"utf-8" in data[:1024].lower():  # which is not true
        encoding = "cp1252"
    soup = bs4.BeautifulSoup(data, "lxml", from_encoding=encoding)
    for node in soup(["script", "style", "nav", "head", "noscript", "template", "svg"]):
        node.decompose()
    main = soup.find("main") or soup
    for node in main(["footer", "aside", "button", "select", "form"]) if main is soup else ():
        if not node.find_parent("article"):
            node.decompose()
    return str(main.get_text(" "))


def xml(path: Path) -> str:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    root = etree.fromstring(path.read_bytes(), parser)
    return " ".join(text for node in root.iter(etree.Element) for text in (node.text, node.tail) if text)


def eml(path: Path) -> str:
    """Subject and texts of a mail; of alternatives the longest, since a stub may stand beside the body."""
    import bs4

    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16").encode()
    message = email.message_from_bytes(data, policy=email.policy.default)

    def texts(part: Any) -> str:
        if part.get_content_type() == "multipart/alternative":
            return max(map(texts, part.iter_parts()), key=len)
        if part.is_multipart():
            return "\n".join(map(texts, part.iter_parts()))
        if part.get_content_type() == "text/html":
            return bs4.BeautifulSoup(part.get_content(), "lxml").get_text(" ")
        return str(part.get_content()) if part.get_content_type() == "text/plain" else ""

    return f"{message['subject']}\n{texts(message)}"


def epub(path: Path) -> str:
    import bs4

    with zipfile.ZipFile(path) as book:
        chapters = [name for name in book.namelist() if name.endswith(("html", "htm"))]
        bodies = (bs4.BeautifulSoup(book.read(name), "xml").find("body") for name in chapters)
        return "\n".join(body.get_text(" ") for body in bodies if body)


def rtf(path: Path) -> str:
    from striprtf import striprtf

    return str(striprtf.rtf_to_text(path.read_text("cp1252"), errors="replace"))


def mbox(path: Path) -> str:
    messages = mailbox.mbox(path, lambda file: email.message_from_binary_file(file, policy=email.policy.default))
    parts = (part for message in messages for part in message.walk() if part.get_content_type() == "text/plain")
    return "\n".join(part.get_content() for part in parts)


def records(path: Path) -> str:
    """The texts of a table that has a column for them, else all of it."""
    rows = list(csv.reader(path.open(encoding="utf-8", errors="replace", newline="")))
    column = rows[0].index("text") if "text" in rows[0] else None
    return plain(path) if column is None else "\n".join(row[column] for row in rows[1:])


def escaped(path: Path) -> str:
    return re.sub(r"\\u[0-9a-fA-F]{4}", " ", plain(path))


def markdown(path: Path) -> str:
    return re.sub(r"\(data:[^)]*\)", "", plain(path))


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
    "host:2,S": eml,
    "vtt": subtitles,
    "csv": records,
    "md": markdown,
    "json": escaped,
    "epub": epub,
    "rtf": rtf,
    "mbox": mbox,
    "xhtml": html,
}


def words_of(text: str) -> list[str]:
    """Words; what a line's end divided is one, and so are the halves of a compound."""
    return _WORD.findall(re.sub(r"-\s*\n\s*|-", "", text.lower()))


def recall_of(ours: str, theirs: str) -> float:
    """The share of their words that we have."""
    wanted, found = Counter(words_of(theirs)), Counter(words_of(ours))
    return (wanted & found).total() / wanted.total()


def order_of(ours: str, theirs: str) -> float:
    """The length of the longest common subsequence of words, over the number of theirs.

    Bit-parallel, after Hyyrö 2004: a bit for each word of theirs, a step for each of ours.
    """
    wanted = words_of(theirs)[:MAX_WORDS]
    places: dict[str, int] = defaultdict(int)
    for number, word in enumerate(wanted):
        places[word] |= 1 << number
    every = (1 << len(wanted)) - 1
    unmatched = every
    for word in words_of(ours)[: 2 * MAX_WORDS]:
        if matches := places.get(word, 0) & unmatched:
            unmatched = ((unmatched + matches) | (unmatched - matches)) & every
    return (len(wanted) - unmatched.bit_count()) / len(wanted)


def as_tables(text: str) -> str:
    """A text whose lines of the form ``name: value | name: value`` have their names in a line before them, once.

    So they stand in the file; a name that is said again in each row is no fault in the order.
    """
    lines: list[str] = []
    names: list[str] = []
    first = 0
    for line in text.splitlines():
        pairs = [part.partition(": ") for part in line.split(" | ")]
        if len(pairs) < 2:
            names = []
            lines.append(line)
            continue
        if not names:
            first = len(lines)
            lines.append("")
        names += [name for name, colon, _ in pairs if colon and name not in names]
        lines[first] = " ".join(names)
        lines.append(" ".join(value if colon else name for name, colon, value in pairs))
    return "\n".join(lines)


def is_drawing(text: str) -> bool:
    """Whether the lines of a PDF are labels of a figure, which have no order: of three words or less in the median."""
    lengths = sorted(len(line.split()) for line in text.splitlines() if line.strip())
    return lengths[len(lengths) // 2] <= 3


def garbage_of(text: str) -> float:
    """The share of characters that no text has."""
    return sum(len(match) for match in _GARBAGE.findall(text)) / max(1, len(text))


def check_tables(texts: dict[str, str]) -> tuple[int, int, list[str]]:
    """How many tables of the truth were met, how many of those are right, and the rows that are not."""
    met = right = 0
    wrong: list[str] = []
    for table in json.loads(TABLES.read_text("utf-8")):
        text = next((text for name, text in texts.items() if name.endswith(table["file"])), None)
        if text is None:
            continue
        met += 1
        lines = [set(line.split(" | ")) for line in text.splitlines()]
        missing = [row for row in table["rows"] if not any(line.issuperset(row) for line in lines)]
        right += not missing
        wrong += [f"{table['file']}: {' | '.join(row)}" for row in missing]
    return met, right, wrong


def main() -> int:
    """Compare, print, and say by the exit status whether all thresholds are reached."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folders", type=Path, nargs="+")
    folders = [folder.absolute() for folder in arguments.parse_args().folders]
    rows: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"files": 0, "read": 0, "seconds": 0.0, "recalls": [], "orders": []}
    )
    failed: list[str] = []
    low: list[str] = []
    texts: dict[str, str] = {}
    with readers.Worker() as worker:
        for file in readers.find([str(folder) for folder in folders]).files:
            if file.path.name in ("README", "LICENSE-docling"):
                continue
            name = file.path.as_posix()
            suffix = file.path.suffix.lstrip(".") or "(none)"
            row = rows[suffix]
            started = time.perf_counter()
            items = list(readers.read(file, worker))
            row["files"] += 1
            row["seconds"] = max(row["seconds"], time.perf_counter() - started)
            found = [item.text for item in items if isinstance(item, Document)]
            row["read"] += bool(found)
            failed += [f"{name}: {item.reason}" for item in items if isinstance(item, SourceError)]
            if not found:
                continue
            ours = texts[name] = "\n".join(found)
            try:
                theirs = REFERENCES.get(suffix, plain)(file.path)
            except ImportError as error:
                sys.exit(f"{error}; see the top of {__file__} for what to install")
            except Exception as error:  # the other library may fail where we do not
                low.append(f"{name}: no comparison, {type(error).__name__}: {error}")
                continue
            if not words_of(theirs):
                continue
            row["recalls"].append(recall := recall_of(ours, theirs))
            order = max(order_of(ours, theirs), order_of(as_tables(ours), theirs))
            if suffix != "pdf" or not is_drawing(theirs):
                row["orders"].append(order)
            if min(recall, order) < ENOUGH:
                low.append(f"{name}: recall {recall:.3f}, order {order:.3f}")
            if garbage_of(ours) >= MAX_GARBAGE:
                low.append(f"{name}: garbage {garbage_of(ours):.2%}")
    return report(rows, failed, low, texts)


def report(rows: dict[str, dict[str, Any]], failed: list[str], low: list[str], texts: dict[str, str]) -> int:
    """Print what was found; 0 if it is good enough."""
    heads = ["format", "files", "read", "failed", "slowest, s", f"recall ≥ {ENOUGH}", f"order ≥ {ENOUGH}"]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    whole: dict[str, Any] = {key: [v for row in rows.values() for v in row[key]] for key in ("recalls", "orders")}
    whole |= {key: sum(row[key] for row in rows.values()) for key in ("files", "read")}
    whole["seconds"] = max(row["seconds"] for row in rows.values())
    for suffix, row in [*sorted(rows.items()), ("all", whole)]:
        enough = [f"{sum(v >= ENOUGH for v in row[key])} of {len(row[key])}" for key in ("recalls", "orders")]
        cells = [suffix, row["files"], row["read"], row["files"] - row["read"], f"{row['seconds']:.2f}"]
        print("| " + " | ".join(map(str, [*cells, *enough])) + " |")
    recalled, ordered = (sum(v >= ENOUGH for v in whole[key]) / len(whole[key]) for key in ("recalls", "orders"))
    garbage = garbage_of("".join(texts.values()))
    met, right, wrong = check_tables(texts)
    print(
        f"\nWord recall of at least {ENOUGH}: {recalled:.1%} of {len(whole['recalls'])} files (wanted {RECALLED:.0%})."
    )
    print(f"Order of at least {ENOUGH}: {ordered:.1%} (wanted {ORDERED:.0%}).")
    print(f"Garbage: {garbage:.3%} of all characters (wanted less than {MAX_GARBAGE:.1%}).")
    print(f"Tables: {right} of {met} have every row that was looked for.")
    print("\nFailed:", *failed, sep="\n- ")
    print("\nBelow, or not compared:", *low, sep="\n- ")
    print("\nRows of tables that were not found:", *wrong, sep="\n- ")
    return 0 if recalled >= RECALLED and ordered >= ORDERED and garbage < MAX_GARBAGE and right == met else 1


if __name__ == "__main__":
    sys.exit(main())
