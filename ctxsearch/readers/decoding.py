"""Bytes become text: by their byte-order mark; as UTF-8 where they are UTF-8, but for some broken bytes; in the
encoding that they declare; in the most likely one.

What is valid UTF-8 is hardly ever anything else, so it is believed before a declaration, which may be stale. Bytes that
are of no character become U+FFFD, and are counted: one of them costs nothing else. What is no text in any encoding is
refused.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, cast

from ctxsearch.errors import SourceError
from ctxsearch.readers.charsets import codec_of, is_of_east_asia, shifts
from ctxsearch.readers.walk import File

SNIFFED_BYTES = 4096
"""Bytes at a file's start that tell its kind."""

MAX_BYTES = 256 * 1024 * 1024
"""Most bytes of one document, unpacked. A text is held in memory while it is cut into contexts."""

CHUNK_BYTES = 1 << 20
"""Bytes that are read at a time."""

SAMPLED_BYTES = 64 * 1024
"""Bytes that an encoding is guessed from: guessing takes far longer than decoding."""

LEAST_BYTES = 4
"""Fewer tell nothing."""

FEW_ERRORS = 4
"""So many broken places are an accident, however short the text."""

MAX_BROKEN = 0.05
"""Share of broken places from which on a text is not in the encoding that its mark or its declaration names."""

MAX_BROKEN_UTF8 = 0.3
"""The same for a text that is in no other encoding."""

MOST_CONTROLS = 0.01
"""A text has hardly any control characters; binary data have many."""

ENCODING_ERRORS = "encoding_errors"
"""The metadata that says at how many places of a text bytes were no character."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
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
            data = b"".join(_chunks(stream))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(file.source, f"not a whole gzip file: {error}") from error
    if len(data) > MAX_BYTES:
        raise SourceError(file.source, f"larger than {MAX_BYTES // 2**20} MB, the most for one document; split it")
    if not data:
        raise SourceError(file.source, "is empty")
    return data


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """A stream up to the limit and a bit further. To ask for all of it would take that much memory at once."""
    size = 0
    while size <= MAX_BYTES and (chunk := stream.read(CHUNK_BYTES)):
        size += len(chunk)
        yield chunk


class Decoded(NamedTuple):
    """A text, and how much of it could not be read."""

    text: str
    errors: int = 0
    """Places where bytes were no character. U+FFFD stands there; at the end of a text, padding is dropped."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What a document's metadata say of it."""
        return {ENCODING_ERRORS: self.errors} if self.errors else {}


def looks_binary(head: bytes) -> bool:
    """True for bytes, cut off anywhere, that are no text in an encoding we know."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return b"\0" in head and _decoded(head, None) is None
    except UnicodeDecodeError:
        return not head.startswith(tuple(mark for mark, _ in _MARKS)) and _decoded(head, None) is None


def decode(data: bytes, source: str, declared: str | None = None) -> Decoded:
    """Text of bytes.

    Args:
        data: the bytes.
        source: how a message names them.
        declared: how the content names its encoding, as it stands there.

    Raises:
        SourceError: they are not text, or in no encoding that can be told.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            rest = data[len(mark) :]
            found = _as_utf8(rest).decoded if encoding == "utf-8" else _replaced(rest, encoding)
            if not _is_mostly_text(found):
                raise SourceError(
                    source,
                    f"is not {encoding.upper()} text, although it begins with the mark of that: {found.errors:,} "
                    "places in it are no characters; it is binary, or damaged",
                )
            return found
    if text := _decoded(data, codec_of(declared)):
        return text
    if (zero := data.find(0)) >= 0:
        raise SourceError(source, f"is not text: a NUL byte at offset {zero}")
    offset = _as_utf8(data).first_error
    raise SourceError(
        source,
        f"is not UTF-8 text: byte 0x{data[offset]:02X} at offset {offset}; if it is text in another encoding, use "
        "iconv -f ENCODING -t UTF-8",
    )


def _decoded(data: bytes, declared: str | None) -> Decoded | None:
    """Text of bytes that have no mark; None if they are none."""
    if b"\0" in data:
        if declared and declared.startswith(_WIDE):
            return _replaced(data, declared)
        # UTF-16 has more zeros than a damaged text, or no Latin letters, and then it is no text in bytes of one each.
        is_narrow = 4 * data.count(0) < len(data) and _is_text_with_zeros(data)
        if not is_narrow and (wide := wide_encoding(data[:SAMPLED_BYTES])):
            return _replaced(data, wide)
        if not is_narrow and not _is_text_with_zeros(data):
            return None
    if declared and _is_right_though_utf8(data, declared):
        return _replaced(data, declared)
    utf8 = _as_utf8(data)
    if utf8.is_likely:
        return utf8.decoded
    if declared and not declared.startswith("utf-"):
        found = _replaced(data, declared)
        if _is_mostly_text(found):
            return found
    if encoding := likely_encoding(data.translate(None, b"\0")):
        return _replaced(data, encoding)
    if declared and declared.startswith(_WIDE):  # without zeros: a text without Latin letters
        return _replaced(data, declared)
    return None if _has_controls(data) or not _is_mostly_text(utf8.decoded, MAX_BROKEN_UTF8) else utf8.decoded


def _is_mostly_text(found: Decoded, most: float = MAX_BROKEN) -> bool:
    """Whether broken bytes are few."""
    return found.errors < len(found.text) and found.errors <= max(FEW_ERRORS, most * len(found.text))


def _replaced(data: bytes, encoding: str) -> Decoded:
    """Text in an encoding, with U+FFFD where there is no character."""
    try:
        return _without_zeros(data.decode(encoding), 0)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        return _without_zeros(text, text.count("\ufffd"))


def _without_zeros(text: str, errors: int) -> Decoded:
    """A text without NULs: padding at its end is dropped, U+FFFD stands for those inside."""
    if "\0" not in text:
        return Decoded(text, errors)
    kept = text.rstrip("\0")
    padded = len(kept) < len(text)
    text, inside = _ZEROS.subn("\ufffd", kept)
    return Decoded(text, errors + inside + padded)


class _Utf8(NamedTuple):
    """Bytes read as UTF-8."""

    decoded: Decoded
    first_error: int
    """Offset of the first broken byte."""
    is_likely: bool
    """Whether they are UTF-8, perhaps with some broken bytes, rather than anything else."""


def _as_utf8(data: bytes) -> _Utf8:
    try:
        return _Utf8(_without_zeros(data.decode("utf-8"), 0), 0, True)
    except UnicodeDecodeError as error:
        first_error = error.start
    whole = _SURROGATE_PAIR.sub(_as_one_character, data)  # characters beyond U+FFFF as Java and old MySQL write them
    whole, halves = _SURROGATE.subn(_REPLACEMENT, whole)
    text = whole.decode("utf-8", "replace")
    errors = text.count("\ufffd") - whole.count(_REPLACEMENT)
    high = len(whole) - len(whole.translate(None, _HIGH_BYTES))
    several = len(text) - (len(whole) - high) - errors  # characters of two to four bytes
    several += 2 * len(_THREE_BYTES.findall(whole))  # of which those of three or four are no accident
    # In other encodings, pairs of bytes that look like a character of UTF-8 are very rare among Latin letters; in the
    # scripts of East Asia, they are up to a third of what UTF-8 would take for a character or an error.
    is_mostly_ascii = high <= MOST_HIGH * len(whole)
    needed = 1 if is_mostly_ascii and errors <= 2 * FEW_ERRORS and "\ufffd" * FEW_ERRORS not in text else errors
    return _Utf8(
        _without_zeros(text, errors + halves),
        first_error,
        errors == 0 or (several >= needed and not _has_controls(whole)),
    )


def _as_one_character(pair: re.Match[bytes]) -> bytes:
    halves = pair[0].decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
    return halves.decode("utf-16-le").encode()


def _is_right_though_utf8(data: bytes, declared: str) -> bool:
    """Whether a declaration is to be believed of bytes that may be valid UTF-8 by chance."""
    if shifts(declared):
        plausible = data.isascii()
    else:  # UTF-8 of the languages of East Asia has characters of three bytes
        plausible = is_of_east_asia(declared) and not data.isascii() and not _THREE_BYTES.search(data)
    if not plausible:
        return False
    try:
        data.decode(declared)
    except UnicodeDecodeError:
        return False
    return True


def _is_text_with_zeros(data: bytes) -> bool:
    """Whether zeros are an accident in a text: padding, or the hole that a crash leaves in a log."""
    kept = data.rstrip(b"\0")
    bare = kept.translate(None, b"\0")
    if len(bare) < LEAST_BYTES or kept[257:262] == b"ustar":  # of a tar archive, whose names and sizes are text
        return False
    if len(_ZERO_BYTES.findall(kept)) > max(FEW_ERRORS, MOST_CONTROLS * len(bare)):
        return False
    if _has_controls(bare):
        return False
    return _as_utf8(bare).is_likely or _is_western(bare) or (len(bare) > 16 and _decoded(bare, None) is not None)


_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_BYTES = bytes(range(128, 256))
_ZEROS = re.compile("\0+")
_ZERO_BYTES = re.compile(b"\0+")
_THREE_BYTES = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")
_SURROGATE_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT = "\ufffd".encode()
_WIDE = ("utf-16", "utf-32")
_WESTERN = frozenset("éèêëàâäáãåæçîïíìôöóòõøœùûüúñßÉÈÀÂÄÁÅÆÇÍÖÓØŒÜÚÑ“”‘’„‚«»–—…•·€£§°©®™´¿¡\xa0²½×")
"""What high bytes mean in texts of Western Europe; other code pages use the same bytes for other letters."""
WESTERN_SHARE = 0.9
MOST_HIGH = 0.3
"""Scripts without Latin letters have more high bytes than this."""
LEAST_HIGH = 3
"""From fewer high bytes, nothing can be told about letters that are not Western."""


def likely_encoding(data: bytes) -> str | None:
    """The most likely encoding of bytes that are not UTF-8, have no mark and no zeros; None if none is.

    Windows-1252 is tried first where Latin letters prevail, since the statistics of charset-normalizer often take short
    Western texts for Czech ones; it decides on all others.
    """
    sample = data[:SAMPLED_BYTES]
    if len(sample) < LEAST_BYTES or _has_controls(sample):
        return None
    if _is_western(sample):
        return "cp1252"
    if len(_HIGH.findall(sample)) < LEAST_HIGH:
        return None
    cut = sample[: sample.rfind(b"\n") + 1] or sample if len(data) > len(sample) else sample  # no half character
    import charset_normalizer  # here, since few texts need it and it takes time to import

    best = charset_normalizer.from_bytes(cut).best()
    if best is None or best.encoding.startswith(("utf_16", "utf_32")):
        return None
    if best.multi_byte_usage and not _is_of_pairs(str(best)):
        return None
    return str(best.encoding)


def _has_controls(data: bytes) -> bool:
    """Whether more bytes are control characters than in any text."""
    return len(_CONTROLS.findall(data[:SAMPLED_BYTES])) > MOST_CONTROLS * min(len(data), SAMPLED_BYTES)


def _is_western(data: bytes) -> bool:
    """Whether bytes are mostly ASCII, and the others letters and signs of Western Europe in Windows-1252."""
    sample = data[:SAMPLED_BYTES]
    high = b"".join(_HIGH.findall(sample))
    letters = high.decode("cp1252", "replace")
    western = sum(letter in _WESTERN for letter in letters)
    return len(high) <= MOST_HIGH * len(sample) and western >= WESTERN_SHARE * len(letters)


def _is_of_pairs(text: str) -> bool:
    """Whether characters beyond ASCII mostly follow one another, as words of East Asia do; a broken byte stands
    alone, and would swallow the letter after it."""
    runs = _BEYOND_ASCII.findall(text)
    return sum(map(len, runs)) >= 2 * len(runs)


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def wide_encoding(sample: bytes) -> str | None:
    """UTF-16 or UTF-32, by its mark, or because the upper bytes of Latin letters and spaces are zero, and it is text.

    Args:
        sample: of an even number of bytes, unless it is the whole text.
    """
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding if encoding.startswith(_WIDE) else None
    if b"\0" not in sample:
        return None
    least = 0.25 if sample.isascii() else 0.05  # any two bytes of ASCII are a Chinese character in UTF-16
    candidates = [("utf-16-le", sample[1::2], sample[0::2]), ("utf-16-be", sample[0::2], sample[1::2])]
    if len(sample) % 4 == 0:
        candidates += [("utf-32-le", sample[3::4], sample[0::4]), ("utf-32-be", sample[0::4], sample[3::4])]
    for name, upper, lower in candidates:
        if len(upper) < LEAST_BYTES or upper.count(0) < least * len(upper) or lower.count(0) > 0.01 * len(lower):
            continue
        text = codecs.getincrementaldecoder(name)("replace").decode(sample)
        odd = sum(not c.isprintable() and not c.isspace() for c in text) + text.count("\ufffd")
        if odd <= MOST_CONTROLS * len(text) + 1:
            return name
    return None
