"""What a PDF holds above its pages: values typed into forms, boxes that are ticked, notes and comments."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ctxsearch.readers.composing import one_line
from ctxsearch.readers.pdf.lines import Line, placed

_HIDDEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD = 1 << 13
_TYPED = frozenset((pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX))
_MARKS = {pdfium.FPDF_FORMFIELD_CHECKBOX: ("☒", "☐"), pdfium.FPDF_FORMFIELD_RADIOBUTTON: ("◉", "○")}
_NOT_COMMENTS = frozenset((pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_WIDGET))
_LINE_HEIGHT = 12.0
"""Of a line in a text field, in points, if the field is higher."""
_MAX_CHARACTERS = 1_000_000
COMMENTS = -1
"""The group of lines that are comments."""


def annotations_of(page: pypdfium2.PdfPage, number: int) -> tuple[list[Line], list[Line]]:
    """What stands in the fields of a page, where they are; and its comments.

    Args:
        page: a page of a document whose forms were initialised.
        number: its index.
    """
    values: list[Line] = []
    comments: list[Line] = []
    form = page.formenv.raw if page.formenv else None
    for index in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            if pdfium.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                continue
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            if kind == pdfium.FPDF_ANNOT_WIDGET:
                values += _at(_field(form, annotation), annotation, page, number)
            elif kind == pdfium.FPDF_ANNOT_FREETEXT:
                values += _at(_string(annotation, b"Contents"), annotation, page, number)
            elif kind not in _NOT_COMMENTS:
                comments += _comment(annotation, page, number)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return values, comments


def _field(form: Any, annotation: Any) -> str:
    """What a field of a form shows."""
    if form is None:
        return _string(annotation, b"V")
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _MARKS:
        return _MARKS[kind][not pdfium.FPDFAnnot_IsChecked(form, annotation)]
    if kind not in _TYPED:
        return ""
    flags = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation)
    if kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and flags & _PASSWORD:
        return ""
    if kind != pdfium.FPDF_FORMFIELD_TEXTFIELD and (chosen := list(_chosen(form, annotation))):
        return ", ".join(chosen)
    return _read(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size))


def _chosen(form: Any, annotation: Any) -> Iterator[str]:
    for index in range(max(0, pdfium.FPDFAnnot_GetOptionCount(form, annotation))):
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, index):
            yield _read(
                lambda buffer, size, n=index: pdfium.FPDFAnnot_GetOptionLabel(form, annotation, n, buffer, size)
            )


def _string(annotation: Any, key: bytes) -> str:
    return _read(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(annotation, key, buffer, size))


def _read(get: Any) -> str:
    """A string of pdfium's: UTF-16, its size asked for first."""
    size = get(None, 0)
    if not 2 < size <= 2 * _MAX_CHARACTERS:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _at(text: str, annotation: Any, page: pypdfium2.PdfPage, number: int) -> list[Line]:
    """The lines of a field, from the top of its box."""
    rectangle = pdfium.FS_RECTF()
    lines = [line for line in map(one_line, text.split("\n")) if line]
    if not lines or not pdfium.FPDFAnnot_GetRect(annotation, ctypes.byref(rectangle)):
        return []
    height = max(rectangle.top - rectangle.bottom, 1.0)
    size = min(_LINE_HEIGHT, height / len(lines))
    top = rectangle.top - max(0.0, height - size * len(lines)) / 2
    found = []
    for line in lines:
        found.append(
            Line(
                line, number, rectangle.left, max(rectangle.right, rectangle.left + 1), top, top - size, size, 0, False
            )
        )
        top -= size
    return [placed(line, page) for line in found]


def _comment(annotation: Any, page: pypdfium2.PdfPage, number: int) -> list[Line]:
    text = one_line(_string(annotation, b"Contents"))
    if not text:
        return []
    author = one_line(_string(annotation, b"T"))
    found = _at(f"Comment by {author}: {text}" if author else f"Comment: {text}", annotation, page, number)
    return [replace(line, group=COMMENTS) for line in found]


def init_forms(pdf: pypdfium2.PdfDocument) -> None:
    """Let pdfium read the forms of a document, if it can; before any of its pages is loaded."""
    with contextlib.suppress(pypdfium2.PdfiumError):
        pdf.init_forms()
