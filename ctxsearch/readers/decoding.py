"""Bytes become text: by byte-order mark, else the encoding they declare, else UTF-8, else the most likely one.

What is in no encoding that can be told is said to be no text.
"""

from __future__ import annotations

import codecs
import gzip
import re
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
    if file.size > MAX_BYTES:
        raise SourceError(file.source, f"larger than {MAX_BYTES // 2**20} MB, the most for one document; split it")
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
    if b"\0" not in head:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)
            return False
        except UnicodeDecodeError:
            pass
    return likely_encoding(head) is None


def decode(data: bytes, source: str, declared: str | None = None) -> str:
    """Text of bytes.

    Args:
        data: the bytes.
        source: how a message names them.
        declared: an encoding that the content names itself.

    Raises:
        SourceError: they are not text in the encoding that their mark or they themselves name, or in any.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), declared)
    if encoding is None:
        if (nul := data.find(0)) >= 0:
            encoding = likely_encoding(data)
            if encoding is None:
                raise SourceError(source, f"is not text: a NUL byte at offset {nul}")
        else:
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError:
                encoding = likely_encoding(data) or "utf-8"  # which then says where it is none
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


SAMPLED_BYTES = 64 * 1024
"""Bytes that an encoding is guessed from: guessing takes far longer than decoding."""

LEAST_BYTES = 4
"""Fewer tell nothing."""

MOST_CONTROLS = 0.01
"""A text has hardly any control characters; binary data have many."""

_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]")
_WESTERN = frozenset("éèêëàâäáãåæçîïíìôöóòõøœùûüúñßÉÈÀÂÄÁÅÆÇÍÖÓØŒÜÚÑ“”‘’„‚«»–—…•·€£§°©®™´¿¡\xa0²½×")
"""What high bytes mean in texts of Western Europe; other code pages use the same bytes for other letters."""
WESTERN_SHARE = 0.9
MOST_HIGH = 0.3
"""Scripts without Latin letters have more high bytes than this."""


def likely_encoding(data: bytes) -> str | None:
    """The most likely encoding of bytes that are not UTF-8 and have no mark; None for bytes that are no text.

    Windows-1252 is tried first where Latin letters prevail, since the statistics of charset-normalizer often take short
    Western texts for Czech ones; it decides on all others.
    """
    sample = data[:SAMPLED_BYTES]
    if len(sample) < LEAST_BYTES:
        return None
    if b"\0" in sample:
        return _utf16(sample)
    if len(_CONTROLS.findall(sample)) > MOST_CONTROLS * len(sample):
        return None
    high = b"".join(_HIGH.findall(sample))
    if len(high) <= MOST_HIGH * len(sample):
        letters = high.decode("cp1252", "replace")
        if sum(letter in _WESTERN for letter in letters) >= WESTERN_SHARE * len(letters):
            return "cp1252"
    cut = sample[: sample.rfind(b"\n") + 1] or sample if len(data) > len(sample) else sample  # no half character
    import charset_normalizer  # here, since few texts need it and it takes time to import

    best = charset_normalizer.from_bytes(cut).best()
    if best is None or best.encoding.startswith(("utf_16", "utf_32")):
        return None
    return str(best.encoding)


def _utf16(sample: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of its Latin letters and spaces is zero, and it decodes."""
    even, odd = sample[0::2], sample[1::2]
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if len(zeros) < LEAST_BYTES or zeros.count(0) < 0.05 * len(zeros) or 0 in others:
            continue
        try:
            text = codecs.getincrementaldecoder(name)().decode(sample)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and sum(not c.isprintable() and not c.isspace() for c in text) <= 0.01 * len(text):
            return name
    return None
