"""Bytes become text: byte-order marks, UTF-8, and a clear word about what is neither."""

from __future__ import annotations

import codecs
import gzip
import zlib
from typing import IO, cast

from ctxsearch.errors import SourceError
from ctxsearch.readers.walk import File

SNIFFED_BYTES = 4096
"""Bytes at a file's start that tell its kind."""

MAX_BYTES = 256 * 1024 * 1024
"""Most bytes of one document, unpacked. A text is held in memory while it is cut into contexts."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_binary(file: File) -> IO[bytes]:
    """The content of a file; that of a ``.gz`` file unpacked as it is read."""
    if file.path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(file.path, "rb"))
    return file.path.open("rb")


def read_bytes(file: File) -> bytes:
    """All of a file.

    Raises:
        SourceError: it is empty, too large, or a damaged ``.gz``.
        OSError: it cannot be read.
    """
    try:
        with open_binary(file) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(file.source, f"not a whole gzip file: {error}") from error
    if len(data) > MAX_BYTES:
        raise SourceError(file.source, f"larger than {MAX_BYTES // 2**20} MB, the most for one document; split it")
    if not data:
        raise SourceError(file.source, "is empty")
    return data


def looks_binary(head: bytes) -> bool:
    """True for bytes that are no text in an encoding we know."""
    if any(head.startswith(mark) for mark, _ in _MARKS):
        return False
    if b"\0" in head:
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return True
    return False


def decode(data: bytes, source: str, declared: str | None = None) -> str:
    """Text of bytes: by byte-order mark, else by the encoding they declare, else UTF-8.

    Args:
        data: the bytes.
        source: how a message names them.
        declared: an encoding that the content names itself.

    Raises:
        SourceError: they are not text in that encoding.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), declared or "utf-8")
    if encoding == "utf-8" and (nul := data.find(b"\0")) >= 0:
        raise SourceError(source, f"is not text: a NUL byte at offset {nul}")
    if encoding == "utf-8-sig":
        encoding, mark = "utf-8", len(codecs.BOM_UTF8)
    else:
        mark = 0
    try:
        return data[mark:].decode(encoding)
    except UnicodeDecodeError as error:
        offset = mark + error.start
        raise SourceError(
            source,
            f"is not {encoding.upper()} text: byte 0x{data[offset]:02X} at offset {offset}; "
            "convert it, for example with iconv -t UTF-8",
        ) from error
