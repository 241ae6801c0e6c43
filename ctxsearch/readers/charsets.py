"""Names of encodings: what a page, a mail or an XML file calls its encoding, and the codec of Python that decodes it.

Names are those of the WHATWG Encoding standard, of IANA, of Windows code pages and of old mail programs. As in
browsers, a name stands for the encoding that files so named are really in: ``iso-8859-1`` is Windows-1252,
``gb2312`` is GB 18030, ``shift_jis`` is code page 932.
"""

from __future__ import annotations

import codecs
import re

_LABELS = {
    "ansi": "cp1252",
    "ascii": "cp1252",
    "big5hkscs": "big5hkscs",
    "big5": "cp950",
    "chinese": "gb18030",
    "csshiftjis": "cp932",
    "cseuckr": "cp949",
    "csksc56011987": "cp949",
    "eucgb2312cn": "gb18030",
    "eucjp": "euc_jp",
    "euckr": "cp949",
    "euccn": "gb18030",
    "gb2312": "gb18030",
    "gb231280": "gb18030",
    "gbk": "gb18030",
    "iso88591": "cp1252",
    "iso88598e": "iso8859_8",
    "iso88598i": "iso8859_8",
    "iso88599": "cp1254",
    "iso885911": "cp874",
    "koi8": "koi8_r",
    "koi8ru": "koi8_u",
    "korean": "cp949",
    "ksc5601": "cp949",
    "ksc56011987": "cp949",
    "ksc56011989": "cp949",
    "latin1": "cp1252",
    "l1": "cp1252",
    "latin5": "cp1254",
    "macintosh": "mac_roman",
    "mac": "mac_roman",
    "macroman": "mac_roman",
    "maccyrillic": "mac_cyrillic",
    "macukrainian": "mac_cyrillic",
    "maccentraleurope": "mac_latin2",
    "macce": "mac_latin2",
    "macgreek": "mac_greek",
    "macturkish": "mac_turkish",
    "macicelandic": "mac_iceland",
    "mskanji": "cp932",
    "sjis": "cp932",
    "shiftjis": "cp932",
    "suneugreek": "iso8859_7",
    "tis620": "cp874",
    "unicode": "utf-16",
    "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8",
    "unicodefeff": "utf-16-le",
    "unicodefffe": "utf-16-be",
    "usascii": "cp1252",
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "visual": "iso8859_8",
    "euctw": "big5hkscs",
}
"""Codecs by a name without its punctuation and without a leading ``x``, where Python has another or none."""

_CODE_PAGES = {
    "932": "cp932",
    "936": "gb18030",
    "949": "cp949",
    "950": "cp950",
    "1200": "utf-16-le",
    "1201": "utf-16-be",
    "10000": "mac_roman",
    "10006": "mac_greek",
    "10007": "mac_cyrillic",
    "10029": "mac_latin2",
    "10079": "mac_iceland",
    "10081": "mac_turkish",
    "12000": "utf-32-le",
    "12001": "utf-32-be",
    "20127": "cp1252",
    "20866": "koi8_r",
    "20932": "euc_jp",
    "20936": "gb18030",
    "20949": "cp949",
    "21866": "koi8_u",
    "28591": "cp1252",
    "38598": "iso8859_8",
    "28599": "cp1254",
    "50220": "iso2022_jp",
    "50221": "iso2022_jp",
    "50222": "iso2022_jp",
    "50225": "iso2022_kr",
    "51932": "euc_jp",
    "51936": "gb18030",
    "51949": "cp949",
    "52936": "hz",
    "54936": "gb18030",
    "65000": "utf-7",
    "65001": "utf-8",
}
"""Codecs by the number of a Windows code page, where they are not called ``cp`` and that number."""

_NUMBERED = re.compile(r"(?:cp|windows|win|ms|msdos|dos|ibm|oem|ansi|ccsid|codepage)?0*(\d{3,5})")
_ISO_PARTS = range(28591, 28606)
"""Code pages that are the parts of ISO 8859."""

_OF_JAPANESE_CHINESE_KOREAN = frozenset(
    "cp932 euc_jp gb18030 cp949 cp950 big5 big5hkscs gbk gb2312 shift_jis euc_kr johab".split()
)
_SHIFTING = ("iso2022", "hz", "utf-7")
_OF_PROGRAMS = frozenset("charmap idna mbcs oem punycode raw-unicode-escape unicode-escape".split())


def codec_of(name: str | None) -> str | None:
    """The codec for a name that a document gives its encoding; None if there is none, or it decodes no text."""
    if not name:
        return None
    name = name.strip().strip("\"'").lower()
    bare = re.sub(r"[^a-z0-9]", "", name.partition(":")[0])
    for candidate in (bare, bare.removeprefix("x"), bare.removeprefix("cs"), bare.removeprefix("xx")):
        if codec := _LABELS.get(candidate) or _numbered(candidate):
            return codec
    for candidate in (name, name.removeprefix("x-")):
        try:
            codec = codecs.lookup(candidate).name
        except (LookupError, ValueError):  # ValueError: a NUL in the name
            continue
        if _decodes_text(codec):
            return _LABELS.get(re.sub(r"[^a-z0-9]", "", codec), codec)
    return None


def is_of_east_asia(codec: str) -> bool:
    """Whether characters are of one or two bytes above 0x80, as in the encodings of Japan, China and Korea."""
    return codec in _OF_JAPANESE_CHINESE_KOREAN


def shifts(codec: str) -> bool:
    """Whether ASCII bytes may stand for other characters, after a sequence that says so."""
    return codec.startswith(_SHIFTING)


def _numbered(name: str) -> str | None:
    match = _NUMBERED.fullmatch(name)
    if not match:
        return None
    number = match[1]
    if number in _CODE_PAGES:
        return _CODE_PAGES[number]
    codec = f"iso8859_{int(number) - 28590}" if number.isdigit() and int(number) in _ISO_PARTS else f"cp{number}"
    try:
        return codec if _decodes_text(codecs.lookup(codec).name) else None
    except LookupError:
        return None


def _decodes_text(codec: str) -> bool:
    """Whether a codec decodes text that holds ASCII; Python has others, such as hex, and those of mainframes."""
    if codec in _OF_PROGRAMS:
        return False
    if codec.startswith(("utf-16", "utf-32")):
        return True
    try:
        return b"abc <1>".decode(codec) == "abc <1>"
    except (LookupError, ValueError, TypeError):
        return False
