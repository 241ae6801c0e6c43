"""PDF files made for tests: lines of text at given places, fields of forms, notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.hostile import write_pdf

WIDTH, HEIGHT = 600, 800
PLAIN_WIDTH = 0.5
"""Width of a letter of Helvetica, about, as a share of its size."""

Shown = tuple[float, float, float, str]
"""A piece of text: x, y, size, text; in points from the lower left corner."""


def pdf(path: Path, pages: Sequence[Sequence[Shown]], info: bytes = b"", annotations: Sequence[bytes] = ()) -> Path:
    """A PDF.

    Args:
        path: where it is written.
        pages: what each of them shows, in the order in which it is drawn.
        info: entries of its information dictionary.
        annotations: dictionaries of fields and notes on its first page.
    """
    kids = b" ".join(b"%d 0 R" % (5 + 2 * n) for n in range(len(pages)))
    first = 5 + 2 * len(pages)
    references = b" ".join(b"%d 0 R" % (first + n) for n in range(len(annotations)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%s]/DR<</Font<</F 3 0 R>>>>/DA(/F 10 Tf)>>>>" % references,
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<<%s>>" % info,
    ]
    for number, lines in enumerate(pages):
        shown = b"".join(
            b"BT /F %g Tf %g %g Td (%s) Tj ET\n" % (size, x, y, _escaped(text)) for x, y, size, text in lines
        )
        annots = b"/Annots[%s]" % references if number == 0 else b""
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R%s>>"
            % (WIDTH, HEIGHT, 6 + 2 * number, annots),
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
        ]
    write_pdf(path, objects + list(annotations), b"/Info 4 0 R")
    return path


def _escaped(text: str) -> bytes:
    data = text.encode("cp1252")
    return data.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def field(kind: str, name: str, value: str, rectangle: tuple[int, int, int, int], more: str = "") -> bytes:
    """A field of a form: ``Tx``, ``Btn`` or ``Ch``."""
    place = " ".join(map(str, rectangle))
    shown = f"/V{value}" if value else ""
    return f"<</Type/Annot/Subtype/Widget/FT/{kind}/T({name}){shown}/Rect[{place}]/F 4{more}>>".encode("cp1252")


def note(kind: str, contents: str, rectangle: tuple[int, int, int, int], more: str = "") -> bytes:
    """A note: ``Text``, ``FreeText``, ``Highlight`` …"""
    place = " ".join(map(str, rectangle))
    return f"<</Type/Annot/Subtype/{kind}/Contents({contents})/Rect[{place}]{more}>>".encode("cp1252")
