"""What no document should hold, whatever its reader: half characters, and files embedded as data.

A half character (an unpaired surrogate, as a JSON escape can name one) becomes U+FFFD and is counted. The data of a
``data:`` URI, a picture for example, go, and its media type stays. Headings and pages move with the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ctxsearch.readers.decoding import ENCODING_ERRORS
from ctxsearch.records import Document, Page

_SURROGATES = re.compile("[\ud800-\udfff]+")
_HALF = re.compile("[\ud800-\udfff]")
_DATA_URI = re.compile(
    r"(data:[a-z]+/[a-z0-9.+-]+(?:;(?!base64)[a-z0-9_.=+-]{1,80})*)"
    r"(?:;base64[ ]?,\s{0,8}[A-Za-z0-9+/=_%-]{40,}(?:[ \t]*(?:\r\n|\r|\n)[ \t]*[A-Za-z0-9+/=_%-]{20,})*"
    r"|,[A-Za-z0-9%_.~!*;:@&=+$,/?#-]{200,})",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n|\r|\n")


def cleaned(document: Document) -> Document:
    """A document without half characters and embedded data; the same object where it has none."""
    halves = 0
    if not _is_whole(document.text):
        halves = len(_HALF.findall(_joined(document.text)))
        document = _changed(document, _without_halves)
    if "data:" in document.text and _DATA_URI.search(document.text):
        document = _changed(document, _without_data)
    facts = (document.title, document.metadata, [heading.title for heading in document.headings])
    if "\\ud" in repr(facts):  # as which repr writes a surrogate
        document = replace(
            document,
            title=_without_halves(document.title),
            metadata=_without_halves_inside(document.metadata),
            headings=tuple(replace(heading, title=_without_halves(heading.title)) for heading in document.headings),
        )
    if halves:
        before = document.metadata.get(ENCODING_ERRORS, 0)
        errors = halves + (before if isinstance(before, int) else 0)
        document = replace(document, metadata={**document.metadata, ENCODING_ERRORS: errors})
    return document


def _changed(document: Document, change: Callable[[str], str]) -> Document:
    """A document with its text changed; headings and pages stay where they stood in it."""
    text = document.text
    starts = sorted({0, *(h.start for h in document.headings), *(p.start for p in document.pages)})
    parts: list[str] = []
    moved, length = {}, 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        moved[start] = length
        parts.append(change(text[start:end]))
        length += len(parts[-1])
    return replace(
        document,
        text="".join(parts),
        headings=tuple(replace(heading, start=moved[heading.start]) for heading in document.headings),
        pages=tuple(Page(moved[page.start], page.number) for page in document.pages),
    )


def _is_whole(text: str) -> bool:
    """Whether a text has no surrogates. To encode it is the fastest way to know."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _joined(text: str) -> str:
    """A text in which pairs of surrogates are the characters they stand for."""
    return _SURROGATES.sub(
        lambda match: match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass"), text
    )


def _without_halves(text: str) -> str:
    return _HALF.sub("\ufffd", _joined(text))


def _without_halves_inside(value: Any) -> Any:
    """A value of metadata, whatever it holds."""
    match value:
        case str():
            return _without_halves(value)
        case Mapping():
            return {_without_halves(str(key)): _without_halves_inside(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_halves_inside(inner) for inner in value]
    return value


def _without_data(text: str) -> str:
    """A text whose embedded data are gone, and whose lines are the same in number."""
    return _DATA_URI.sub(lambda match: match[1] + "".join(_LINE_END.findall(match[0])), text)
