"""What a file is: by its first bytes, else by its suffix. Which module reads it, and whether in a worker process.

What is inside a container (zip, OLE) is only looked at where it is read; see `packages`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ctxsearch.readers.walk import File

SMALL = 64 * 1024
ANY_SIZE = 2**63


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file."""

    name: str
    """As a message calls one: "a PDF file"."""
    mime_type: str
    module: str
    """The module below ``ctxsearch.readers`` whose ``read`` takes it."""
    extra: bool = False
    """True when its module needs the extra [documents]."""
    here_up_to: int = 0
    """A file of at most so many bytes is read in this process: its reader is Python alone, and whatever the bytes, so
    few take it neither long nor much memory. Readers that are linear take files of any size."""


KINDS: dict[str, Kind] = {
    "text": Kind("a text file", "text/plain", "text", here_up_to=ANY_SIZE),
    "markdown": Kind("a Markdown file", "text/markdown", "markdown", here_up_to=SMALL),
    "rst": Kind("a reStructuredText file", "text/x-rst", "markup", here_up_to=ANY_SIZE),
    "asciidoc": Kind("an AsciiDoc file", "text/asciidoc", "markup", here_up_to=ANY_SIZE),
    "html": Kind("an HTML page", "text/html", "html"),
    "xml": Kind("an XML file", "application/xml", "xml"),
    "csv": Kind("a CSV file", "text/csv", "tables", here_up_to=ANY_SIZE),
    "tsv": Kind("a TSV file", "text/tab-separated-values", "tables", here_up_to=ANY_SIZE),
    "json": Kind("a JSON file", "application/json", "json", here_up_to=SMALL),
    "jsonl": Kind("a JSON Lines file", "application/jsonl", "jsonl", here_up_to=ANY_SIZE),
    "notebook": Kind("a Jupyter notebook", "application/x-ipynb+json", "notebook", here_up_to=SMALL),
    "vtt": Kind("a WebVTT file", "text/vtt", "subtitles", here_up_to=ANY_SIZE),
    "srt": Kind("a SubRip file", "application/x-subrip", "subtitles", here_up_to=ANY_SIZE),
    "eml": Kind("a mail", "message/rfc822", "mail"),
    "mbox": Kind("a mailbox", "application/mbox", "mail"),
    "msg": Kind("an Outlook message", "application/vnd.ms-outlook", "outlook", extra=True),
    "pdf": Kind("a PDF file", "application/pdf", "pdf", extra=True),
    "rtf": Kind("an RTF file", "application/rtf", "rtf", here_up_to=SMALL),
    "zip": Kind("a zip archive", "application/zip", "packages"),
    "ole": Kind("an old Office file", "application/x-ole-storage", "packages"),
    "docx": Kind("a Word document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    "pptx": Kind(
        "a PowerPoint file", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"
    ),
    "xlsx": Kind(
        "an Excel file", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "sheets", extra=True
    ),
    "xls": Kind("an Excel file", "application/vnd.ms-excel", "sheets", extra=True),
    "odt": Kind("an OpenDocument text", "application/vnd.oasis.opendocument.text", "opendocument"),
    "odp": Kind("an OpenDocument presentation", "application/vnd.oasis.opendocument.presentation", "opendocument"),
    "ods": Kind("an OpenDocument sheet", "application/vnd.oasis.opendocument.spreadsheet", "opendocument"),
    "epub": Kind("an EPUB book", "application/epub+zip", "epub"),
}

SUFFIXES: dict[str, str] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".adoc": "asciidoc",
    ".asciidoc": "asciidoc",
    ".asc": "asciidoc",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xml": "xml",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ipynb": "notebook",
    ".vtt": "vtt",
    ".srt": "srt",
    ".eml": "eml",
    ".mht": "eml",
    ".mhtml": "eml",
    ".mbox": "mbox",
}
"""Kinds of text by suffix. Kinds that are no text are known by their first bytes alone."""

CODE: dict[str, str] = {
    ".c": "text/x-c",
    ".cc": "text/x-c++",
    ".cpp": "text/x-c++",
    ".cs": "text/x-csharp",
    ".css": "text/css",
    ".go": "text/x-go",
    ".h": "text/x-c",
    ".hpp": "text/x-c++",
    ".java": "text/x-java",
    ".js": "text/javascript",
    ".jsx": "text/javascript",
    ".kt": "text/x-kotlin",
    ".lua": "text/x-lua",
    ".php": "text/x-php",
    ".pl": "text/x-perl",
    ".py": "text/x-python",
    ".r": "text/x-r",
    ".rb": "text/x-ruby",
    ".rs": "text/x-rust",
    ".scala": "text/x-scala",
    ".sh": "text/x-shellscript",
    ".sql": "application/sql",
    ".swift": "text/x-swift",
    ".toml": "application/toml",
    ".ts": "text/typescript",
    ".tsx": "text/typescript",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
"""MIME types of source code by suffix. It is read as text."""

UNITS: dict[str, str] = {
    KINDS["pptx"].mime_type: "slide",
    KINDS["odp"].mime_type: "slide",
    KINDS["xlsx"].mime_type: "sheet",
    KINDS["xls"].mime_type: "sheet",
    KINDS["ods"].mime_type: "sheet",
    KINDS["epub"].mime_type: "chapter",
    KINDS["mbox"].mime_type: "message",
    KINDS["notebook"].mime_type: "cell",
}
"""What `Page` counts in a file of a MIME type, where it is not pages."""

LINED: frozenset[str] = frozenset(
    {KINDS[name].mime_type for name in ("text", "markdown", "rst", "asciidoc")} | set(CODE.values())
)
"""MIME types of files whose text is kept letter for letter, so that a line of the text is a line of the file."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty one
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"{\\rtf", "rtf"),
    (b"WEBVTT", "vtt"),
)
_PDF_WITHIN = 1024
"""A PDF's mark stands somewhere in so many bytes, as readers have long allowed."""

_HTML_STARTS = (b"<!doctype html", b"<html")
_HTML_ROOT = re.compile(rb"\s*<\?xml[^>]*>\s*(?:<!--.*?-->\s*)*(?:<!doctype html|<html)", re.IGNORECASE | re.DOTALL)
_MAIL_HEADERS = re.compile(rb"(?:[!-9;-~]{1,60}:[ \t]?[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)+")
_MAIL_HEADER = re.compile(rb"^([!-9;-~]{1,60}):", re.MULTILINE)
_MAIL_PATH = frozenset(b"received return-path delivered-to message-id mime-version dkim-signature".split())
"""Headers that only mails have; memos have others of theirs."""
_MAIL_ORIGIN = frozenset((b"from", b"date"))
_MBOX = re.compile(rb"From \S+ [^\r\n]*\d{4}[^\r\n]*\r?\n[!-9;-~]{1,60}:[ \t]")
_WEAK = frozenset(("text", None))
"""What a suffix may say that content has the last word on."""


def kind_of(file: File, head: bytes) -> str | None:
    """The kind of a file: a key of `KINDS`, None if nothing tells it.

    Args:
        file: its suffix counts, that before ``.gz`` if it is packed.
        head: its first bytes, unpacked.
    """
    for mark, name in _MAGIC:
        if head.startswith(mark):
            return name
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"%PDF-" in head[:_PDF_WITHIN] and (head.startswith(b"%PDF-") or suffix_of(file) == ".pdf" or b"\0" in head):
        return "pdf"
    if start.startswith(b"WEBVTT"):
        return "vtt"
    named = SUFFIXES.get(suffix_of(file))
    if named not in _WEAK and named != "xml":
        return named
    if start[:15].lower().startswith(_HTML_STARTS) or _HTML_ROOT.match(start[:1000]):
        return "html"
    if start.startswith(b"<?xml") or named == "xml":
        return "xml"
    if named in _WEAK and _MBOX.match(start):
        return "mbox"
    if named in _WEAK and _is_mail(start):
        return "eml"
    return named


def _is_mail(start: bytes) -> bool:
    """Whether a text begins with the headers of a mail, as that of a Maildir does, whose name has no suffix."""
    headers = _MAIL_HEADERS.match(start)
    if not headers:
        return False
    names = {name.lower() for name in _MAIL_HEADER.findall(headers[0])}
    ends = headers.end() < len(start) and start[headers.end() : headers.end() + 1] in b"\r\n"
    return not names.isdisjoint(_MAIL_PATH) and (names >= _MAIL_ORIGIN if ends else len(start) > 2048)


def suffix_of(file: File) -> str:
    """The suffix in lower case; that of the packed file for ``.gz``."""
    suffix = file.path.suffix.lower()
    return file.path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix


def mime_type_of(kind: str, file: File) -> str:
    """The MIME type that the metadata of a file's documents names."""
    return CODE.get(suffix_of(file), KINDS[kind].mime_type) if kind == "text" else KINDS[kind].mime_type


def must_be_isolated(kind: str, file: File) -> bool:
    """Whether a file's reader has to run in a worker process."""
    if file.path.suffix.lower() == ".gz":
        return kind != "jsonl"  # which alone is read as a stream; others may unpack to more than memory holds
    return file.size > KINDS[kind].here_up_to
