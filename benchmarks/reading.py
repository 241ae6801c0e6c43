"""What reading costs beside embedding, by format: processor time of both, for the same texts.

    python -m benchmarks.reading TEXTS.jsonl[.gz] [--texts 300] [--embedded 100]

The texts (lines with "title" and "text") are written as one file of each format: headings and paragraphs, and for
sheets and CSV a row a text. Each is read twice, and the second time counts, so that imports do not. The first contexts
of each are embedded, which says what all of them would take. Both are seconds of the processor, over all threads:
clocks say little on a machine that others use.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import resource
import tempfile
import textwrap
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

from benchmarks.machine import describe
from ctxsearch import contexts, readers
from ctxsearch.encoder import Encoder
from ctxsearch.passport import find_model
from ctxsearch.readers import dispatch
from ctxsearch.records import Document
from tests import office
from tests.pdfs import pdf

Texts = list[tuple[str, str]]
LINES_OF_A_PAGE = 50


def texts_of(path: Path, count: int) -> Texts:
    """The first texts with their titles."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in itertools.islice(lines, count)]
    return [(record["title"], " ".join(record["text"].split())) for record in records]


def as_html(path: Path, texts: Texts) -> None:
    path.write_text("<!doctype html>" + "".join(f"<h2>{escape(t)}</h2><p>{escape(x)}</p>" for t, x in texts), "utf-8")


def as_epub(path: Path, texts: Texts) -> None:
    names = [f"c{n}.xhtml" for n in range(len(texts))]
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in names)
    spine = "".join(f'<itemref idref="{n}"/>' for n in names)
    chapters = {
        name: f"<html><body><h1>{escape(title)}</h1><p>{escape(text)}</p></body></html>"
        for name, (title, text) in zip(names, texts, strict=True)
    }
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="a.opf"/></container>',
        "a.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    office.archive(path, {**members, **chapters})


def as_docx(path: Path, texts: Texts) -> None:
    heading = '<w:pStyle w:val="H"/>'
    styles = '<w:style w:styleId="H"><w:name w:val="heading 1"/></w:style>'
    body = (office.paragraph(escape(t), heading) + office.paragraph(escape(x)) for t, x in texts)
    office.word(path, "".join(body), {"styles.xml": styles})


def as_odt(path: Path, texts: Texts) -> None:
    inner = "".join(f'<t:h t:outline-level="1">{escape(t)}</t:h><t:p>{escape(x)}</t:p>' for t, x in texts)
    spaces = 'xmlns:o="urn:o" xmlns:t="urn:t"'
    content = f"<o:document {spaces}><o:body><o:text>{inner}</o:text></o:body></o:document>"
    office.archive(path, {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def as_pptx(path: Path, texts: Texts) -> None:
    def slide(title: str, text: str) -> str:
        shown = '<sp><nvSpPr><nvPr><ph type="{}"/></nvPr></nvSpPr><txBody><p><r><t>{}</t></r></p></txBody></sp>'
        shapes = shown.format("title", escape(title)) + shown.format("body", escape(text))
        return f"<sld><cSld><spTree>{shapes}</spTree></cSld></sld>"

    members: dict[str, str | bytes] = {"[Content_Types].xml": "<Types/>"}
    members |= {f"ppt/slides/slide{n}.xml": slide(*text) for n, text in enumerate(texts, start=1)}
    office.archive(path, members)


def as_xlsx(path: Path, texts: Texts) -> None:
    office.workbook(path, {"S": [["Title", "Text"], *map(list, texts)]})


def as_csv(path: Path, texts: Texts) -> None:
    rows = (f'"{title.replace(chr(34), "")}","{text.replace(chr(34), "")}"' for title, text in texts)
    path.write_text("\n".join(["Title,Summary", *rows]), "utf-8")


def as_rtf(path: Path, texts: Texts) -> None:
    def plain(text: str) -> str:
        return text.encode("ascii", "ignore").decode().translate({ord(c): None for c in "{}\\"})

    body = "".join(rf"\pard\outlinelevel0 {plain(t)}\par\pard {plain(x)}\par" + "\n" for t, x in texts)
    path.write_text(rf"{{\rtf1\ansi {body}}}")


def as_pdf(path: Path, texts: Texts) -> None:
    lines = [line for title, text in texts for line in [title, *textwrap.wrap(text, 95), ""]]
    pages = itertools.batched(lines, LINES_OF_A_PAGE) if hasattr(itertools, "batched") else _batched(lines)
    shown = [
        [(60.0, 750 - 14.0 * n, 10.0, line.encode("cp1252", "ignore").decode("cp1252")) for n, line in enumerate(page)]
        for page in pages
    ]
    pdf(path, shown)


def _batched(lines: list[str]) -> list[list[str]]:
    return [lines[at : at + LINES_OF_A_PAGE] for at in range(0, len(lines), LINES_OF_A_PAGE)]


WRITERS: dict[str, Callable[[Path, Texts], None]] = {
    "html": as_html,
    "epub": as_epub,
    "docx": as_docx,
    "odt": as_odt,
    "pptx": as_pptx,
    "xlsx": as_xlsx,
    "csv": as_csv,
    "rtf": as_rtf,
    "pdf": as_pdf,
}


def read(path: Path) -> tuple[Document, float]:
    """The document of a file, and the seconds of the processor that its reader took."""
    (file,) = readers.find([str(path)]).files
    kind = readers._kind(file)
    assert isinstance(kind, str), kind
    for _ in range(2):
        started = time.process_time()
        (document,) = dispatch.read_kind(file, kind)
        seconds = time.process_time() - started
    assert isinstance(document, Document), document
    return document, seconds


def main() -> None:
    """Write, read, embed, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("texts", type=Path)
    arguments.add_argument("--texts", type=int, default=300, dest="count")
    arguments.add_argument("--embedded", type=int, default=100)
    options = arguments.parse_args()
    texts = texts_of(options.texts, options.count)
    encoder = Encoder(find_model())
    print(describe())
    print(
        "| format | contexts | reading, ms | cutting, ms | embedding, ms | reading / embedding |\n" + "|---" * 6 + "|"
    )
    for suffix, write in WRITERS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a.{suffix}"
            write(path, texts)
            document, reading = read(path)
        started = time.process_time()
        found = list(contexts.split(document, encoder.count_tokens, encoder.context_budget))
        cutting = time.process_time() - started
        sample = found[: options.embedded]
        encoder.embed_contexts(sample[:8])
        started = time.process_time()
        encoder.embed_contexts(sample)
        embedding = (time.process_time() - started) * len(found) / len(sample)
        cells = [suffix, len(found), *(f"{1000 * s:.0f}" for s in (reading, cutting, embedding))]
        print("| " + " | ".join(map(str, [*cells, f"{reading / embedding:.3f}"])) + " |", flush=True)
    print(f"\nPeak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
