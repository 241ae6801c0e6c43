"""Containers: zip archives and OLE files that are documents. What is inside, and members read within limits.

Nothing is ever unpacked to disk, so a name with ``..`` in it leads nowhere. Sizes are those that the archive's
directory declares, and no more is read than that.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ctxsearch.errors import SourceError
from ctxsearch.readers.decoding import open_binary
from ctxsearch.readers.walk import File

MAX_MEMBERS = 20_000
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
"""Of all members together."""
MAX_MEMBER_BYTES = 128 * 1024 * 1024
"""Of a member that is read: it is held in memory as a tree."""
MAX_RATIO = 200
"""A member that is larger than a megabyte and packed more tightly than this is no text that a person wrote."""

_KINDS_OF_OPEN_DOCUMENT = {"text": "odt", "presentation": "odp", "graphics": "odp", "spreadsheet": "ods"}
_OPEN_DOCUMENT_NAME = re.compile(r"application/vnd\.oasis\.opendocument\.(\w+)(?:-(?:template|master|web))*")
_OFFICE = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"))
_ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError)


class Package:
    """An open archive whose directory was looked through. Members are read by name."""

    def __init__(self, archive: zipfile.ZipFile, source: str) -> None:
        self._archive = archive
        self._source = source
        self.names = frozenset(archive.namelist())
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise SourceError(
                source, f"an archive of {len(infos):,} members; the most for a document is {MAX_MEMBERS:,}"
            )
        if sum(info.file_size for info in infos) > MAX_UNPACKED_BYTES:
            raise SourceError(source, f"would unpack to more than {MAX_UNPACKED_BYTES // 2**20} MB")

    def read(self, name: str) -> bytes:
        """A member's content.

        Raises:
            SourceError: it is not there, encrypted, damaged, or too large.
        """
        try:
            info = self._archive.getinfo(name)
            self._check(info)
            with self._archive.open(info) as member:
                return member.read(info.file_size)
        except KeyError as error:
            raise SourceError(self._source, f"is damaged: it has no part {name}") from error
        except (*_ZIP_DAMAGE, RuntimeError) as error:
            raise SourceError(
                self._source, f"is damaged: its part {name} cannot be unpacked ({error}); copy it again"
            ) from error

    def size(self, name: str) -> int:
        """The unpacked size of a member that is there."""
        return self._archive.getinfo(name).file_size

    def check(self) -> None:
        """Check all members as `read` would, for a library that reads them itself.

        Raises:
            SourceError: one is encrypted or too large.
        """
        for info in self._archive.infolist():
            self._check(info)

    def _check(self, info: zipfile.ZipInfo) -> None:
        name, size, packed = info.filename, info.file_size, max(1, info.compress_size)
        if info.flag_bits & 1:
            raise SourceError(self._source, "is encrypted; save it without a password")
        if size > MAX_MEMBER_BYTES:
            raise SourceError(self._source, f"its part {name} would unpack to {size / 2**20:,.0f} MB")
        if size > 2**20 and size > MAX_RATIO * packed:
            raise SourceError(self._source, f"its part {name} would unpack to {size // packed:,} times its size")


@contextmanager
def opened(file: File) -> Iterator[Package]:
    """Open an archive.

    Raises:
        SourceError: it is damaged or beyond the limits.
    """
    with open_binary(file) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except _ZIP_DAMAGE as error:
            raise SourceError(file.source, f"is damaged: not a whole zip archive ({error}); copy it again") from error
        with archive:
            yield Package(archive, file.source)


def kind_inside(file: File) -> str:
    """The kind of document that a container is: a key of ``kinds.KINDS``.

    Raises:
        SourceError: it is none that can be read, or encrypted.
    """
    with open_binary(file) as stream:
        mark = stream.read(8)
    return _kind_of_zip(file) if mark.startswith(b"PK") else _kind_of_ole(file)


def _kind_of_zip(file: File) -> str:
    with opened(file) as package:
        if "mimetype" in package.names:
            named = package.read("mimetype")[:100].decode("ascii", "replace").strip()
            match = _OPEN_DOCUMENT_NAME.fullmatch(named)
            kind = _KINDS_OF_OPEN_DOCUMENT.get(match[1]) if match else None
            if named == "application/epub+zip":
                kind = "epub"
            if kind in ("odt", "odp", "ods") and "META-INF/manifest.xml" in package.names:
                manifest = package.read("META-INF/manifest.xml")
                if b"encryption-data" in manifest:
                    raise SourceError(file.source, "is encrypted; save it without a password")
            if kind:
                return kind
            if match:
                raise SourceError(file.source, f"an OpenDocument {match[1]}, which is not read; export it as PDF")
        if "[Content_Types].xml" in package.names:
            for folder, kind in _OFFICE:
                if any(name.startswith(folder) for name in package.names):
                    return kind
        if "META-INF/container.xml" in package.names:
            return "epub"
        reason = _reason_for_archive(package.names)
    raise SourceError(file.source, reason)


def _reason_for_archive(names: frozenset[str]) -> str:
    """What an archive that is no document is, and what helps."""
    for mark, program, formats in _OTHER_DOCUMENTS:
        if any(name.startswith(mark) or name.endswith(mark) for name in names):
            return f"a document of {program}, which is not read; export it as {formats}"
    if any(name.rpartition(".")[2].lower() in _READABLE for name in names):
        return "a zip archive and not a document; unpack it and ingest the folder"
    return "a zip archive without a document or text in it"


_OTHER_DOCUMENTS = (
    (".iwa", "Pages, Numbers or Keynote", "PDF, or for Word, Excel or PowerPoint"),
    ("Index.zip", "Pages, Numbers or Keynote", "PDF, or for Word, Excel or PowerPoint"),
    ("index.apxl", "Keynote", "PDF or for PowerPoint"),
    ("visio/", "Visio", "PDF"),
    ("FixedDocSeq.fdseq", "XPS", "PDF"),
    ("FixedDocumentSequence.fdseq", "XPS", "PDF"),
)
"""By how the name of a part begins or ends."""
_READABLE = frozenset(
    "txt md rst adoc html htm xhtml xml csv tsv json jsonl ipynb vtt srt eml msg mbox pdf rtf docx pptx xlsx xls odt "
    "odp ods epub tex log yaml yml toml py zip gz".split()
)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-le")


_OLE_STREAMS = (  # names as they stand in the directory of an OLE file
    (_utf16("EncryptedPackage"), "encrypted"),
    (_utf16("__properties_version1.0"), "msg"),
    (_utf16("Workbook"), "xls"),
    (_utf16("WordDocument"), "doc"),
    (_utf16("PowerPoint Document"), "ppt"),
    (_utf16("Book"), "xls"),
    (_utf16("VisioDocument"), "vsd"),
    (_utf16("Quill"), "pub"),
)
_OLE_REASONS = {
    "encrypted": "is encrypted; save it without a password",
    "doc": "a Word file of the format before 2007; save it as .docx, for example with: soffice --convert-to docx",
    "ppt": "a PowerPoint file of the format before 2007; save it as .pptx, for example with: soffice --convert-to pptx",
    "vsd": "a Visio drawing, which is not read; export it as PDF",
    "pub": "a Publisher file, which is not read; export it as PDF",
}
_OTHER_OLE = (
    "an OLE file of a program whose documents are not read; if it holds text, export it as PDF from that program"
)


def _kind_of_ole(file: File) -> str:
    with open_binary(file) as stream:
        data = stream.read(MAX_MEMBER_BYTES)
    found = next((kind for name, kind in _OLE_STREAMS if _is_in_directory(name, data)), None)
    if found in ("msg", "xls"):
        return str(found)
    raise SourceError(file.source, _OLE_REASONS.get(found or "", _OTHER_OLE))


def _is_in_directory(name: bytes, data: bytes) -> bool:
    """Whether a name stands where a directory entry begins: entries are of 128 bytes, on boundaries of 128."""
    at = data.find(name)
    while at >= 0:
        if at % 128 == 0:
            return True
        at = data.find(name, at + 1)
    return False
