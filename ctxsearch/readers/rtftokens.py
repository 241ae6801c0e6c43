"""The bytes of an RTF file as tokens, and its text in code pages and UTF-16 as characters."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

CHARSETS = {
    77: 10000, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256,
    186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850,
}  # fmt: skip
"""Code pages of the character sets that fonts name (``\\fcharset``)."""

_TOKEN = re.compile(
    rb"[{}]|\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\([^a-zA-Z])|[\r\n\0]+|[^{}\\\r\n\0]+"
)
_SYMBOLS = {
    0xB7: "•", 0xA7: "•", 0x6F: "☐", 0xA8: "☐", 0xFE: "☒", 0xFC: "✓", 0xE0: "→", 0xB0: "°", 0xB1: "±", 0xB4: "×",
}  # fmt: skip
"""What the fonts Symbol and Wingdings show for a byte."""


class Control(NamedTuple):
    """A control word or sign; ``'`` for a byte written as two digits."""

    name: str
    number: int | None = None


def tokens(data: bytes) -> Iterator[bytes | Control]:
    """Braces, controls and pieces of text. Bytes that ``\\bin`` announces are passed over."""
    position = 0
    while match := _TOKEN.match(data, position):
        position = match.end()
        digits, word, number, sign = match.groups()
        if digits:
            yield Control("'", int(digits, 16))
        elif word == b"bin":
            position += max(0, int(number or 0))
        elif word:
            yield Control(word.decode("ascii"), None if number is None else int(number))
        elif sign in (b"\r", b"\n"):
            yield Control("par")
        elif sign in (b"{", b"}", b"\\"):
            yield bytes(sign) if sign == b"\\" else Control("'", sign[0])
        elif sign == b"\t":
            yield Control("tab")
        elif sign is not None:
            yield Control(sign.decode("latin-1"))
        elif not match[0].strip(b"\r\n\0"):
            continue
        else:
            yield match[0]


def code_page(number: int) -> str:
    """Python's name of a code page; that of Western Europe for one it does not know."""
    names = {10000: "mac_roman", 10001: "shift_jis", 10006: "mac_greek", 10007: "mac_cyrillic", 65001: "utf-8"}
    name = names.get(number, {1361: "johab", 936: "gb18030"}.get(number, f"cp{number}"))
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


class Decoder:
    """Text that comes as bytes of changing code pages and as units of UTF-16."""

    def __init__(self) -> None:
        self.default = "cp1252"
        """Name of the encoding of bytes whose font names none."""
        self._parts: list[str] = []
        self._bytes = bytearray()
        self._units = bytearray()
        self._encoding = ""

    def add(self, data: bytes, page: int, is_symbol: bool) -> None:
        """Add bytes in a code page; 0 for the default."""
        self._end_units()
        if is_symbol and len(data) == 1 and data[0] in _SYMBOLS:
            self._end_bytes()
            self._parts.append(_SYMBOLS[data[0]])
            return
        encoding = code_page(page) if page else self.default
        if encoding != self._encoding:
            self._end_bytes()
            self._encoding = encoding
        self._bytes += data

    def add_unit(self, number: int) -> None:
        """Add a unit of UTF-16, negative from 0x8000 on; two of them make a character beyond it."""
        self._end_bytes()
        if 0xFFFF < number <= 0x10FFFF:  # what some programs write though it is not in the specification
            self._units += chr(number).encode("utf-16-le", "replace")
        else:
            self._units += (number & 0xFFFF).to_bytes(2, "little")

    def take(self) -> str:
        """All text so far, which is then forgotten. Half a surrogate pair becomes U+FFFD."""
        self._end_bytes()
        self._end_units()
        text = "".join(self._parts)
        self._parts.clear()
        return text

    def _end_bytes(self) -> None:
        if self._bytes:
            self._parts.append(self._bytes.decode(self._encoding, "replace"))
            self._bytes.clear()

    def _end_units(self) -> None:
        if self._units:
            self._parts.append(self._units.decode("utf-16-le", "replace"))
            self._units.clear()
