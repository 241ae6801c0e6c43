"""What may go into an index, and what tells that it is new; pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ctxsearch import arguments, readers
from ctxsearch.errors import ArgumentError
from ctxsearch.records import Document, Heading, KnownDocument, Page

UNBROKEN_CHARACTERS = 1000
"""A run of so many characters without a space is no word of any script that a WordPiece model reads."""

_UNBROKEN = re.compile(rf"[^\s⺀-￿]{{{UNBROKEN_CHARACTERS},}}")  # scripts from U+2E80 on write without spaces
_as_json = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
_SURROGATE = re.compile("[\ud800-\udfff]")

MAX_LEVEL = 1000
"""Highest level of a heading."""

MAX_PAGE = 2**31
"""Highest number of a page."""


def checked(documents: object, dim: int) -> Iterator[Document]:
    """Documents as a caller passes them, each of them valid (`valid`), with unit vectors where it has some.

    Args:
        documents: what was passed.
        dim: length of an embedding.

    Raises:
        ArgumentError: one is not; the message says which one, by its place and its source.
    """
    if not arguments.is_several(documents):
        raise ArgumentError(f"documents are {arguments.described(documents)}; expected several, as in [Document(…)]")
    several: Iterable[Any] = documents  # type: ignore[assignment]
    for place, document in enumerate(several):
        if not isinstance(document, Document):
            raise ArgumentError(f"document {place}: {arguments.described(document)}; expected a Document")
        try:
            document = valid(document)
            if document.vectors is not None:
                from ctxsearch.embeddings import with_unit_vectors  # here: it needs numpy

                document = with_unit_vectors(document, dim)
            yield document
        except ArgumentError as error:
            raise ArgumentError(f"document {place} ({arguments.shown(document.source)}): {error}") from error


def valid(document: Document) -> Document:
    """The document with every field in its type, its metadata as JSON has them (`arguments.json_value`).

    Raises:
        ArgumentError: a field is of another type, out of range, or cannot be stored; the message names it.
    """
    text = arguments.text(document.text, "text")
    return replace(
        document,
        text=text,
        source=arguments.source(document.source, "source"),
        title=arguments.name_of(document.title, "title", empty=True),
        metadata=arguments.json_object(document.metadata, "metadata"),
        headings=_headings(document.headings, len(text)),
        origin=arguments.source(document.origin, "origin", empty=True),
        is_record=arguments.flag(document.is_record, "is_record"),
        pages=_pages(document.pages, len(text)),
    )


def valid_of_file(document: Document) -> Document:
    """The document that a reader made, with metadata as JSON has them. The reader answers for the other types.

    Raises:
        ArgumentError: the file gave it a title, headings or metadata that cannot be stored.
    """
    arguments.text(document.title, "title")
    for heading in document.headings:
        arguments.text(heading.title, "the title of a heading")
    return replace(document, metadata=arguments.json_object(document.metadata, "metadata"))


def _headings(headings: object, end: int) -> tuple[Heading, ...]:
    found: list[Heading] = []
    for place, one in enumerate(arguments.several(headings, "headings", "several headings, as a tuple of Heading")):
        name = f"headings[{place}]"
        if not isinstance(one, Heading):
            raise ArgumentError(f"{name} is {arguments.described(one)}; expected a Heading")
        heading = Heading(
            start=arguments.integer(one.start, f"{name}.start", most=end),
            level=arguments.integer(one.level, f"{name}.level", most=MAX_LEVEL),
            title=arguments.name_of(one.title, f"{name}.title", empty=True),
        )
        if found and heading.start < found[-1].start:
            raise ArgumentError(f"{name}.start is {heading.start}, before that of the heading before it")
        found.append(heading)
    return tuple(found)


def _pages(pages: object, end: int) -> tuple[Page, ...]:
    found: list[Page] = []
    for place, one in enumerate(arguments.several(pages, "pages", "several pages, as a tuple of Page")):
        name = f"pages[{place}]"
        if not isinstance(one, tuple | list) or len(one) != 2:
            raise ArgumentError(f"{name} is {arguments.described(one)}; expected a Page")
        page = Page(
            start=arguments.integer(one[0], f"{name}.start", most=end),
            number=arguments.integer(one[1], f"{name}.number", most=MAX_PAGE),
        )
        if found and page.start < found[-1].start:
            raise ArgumentError(f"{name}.start is {page.start}, before that of the page before it")
        found.append(page)
    return tuple(found)


def unusable(document: Document) -> str | None:
    """Why a text cannot be searched, in a user's words; None if it can."""
    text = document.text
    if not text.strip():
        return "has no text"
    if found := _SURROGATE.search(text):
        return f"has half a character (an unpaired surrogate) at character {found.start()}"
    unbroken = sum(len(match.group()) for match in _UNBROKEN.finditer(text))
    if 2 * unbroken > len(text):
        return f"has no words: {unbroken:,} of its {len(text):,} characters stand in runs without a space"
    if _SURROGATE.search(document.source + document.origin):
        return "has a name that is not UTF-8; rename it"
    return None


def hash_content(document: Document) -> str:
    """SHA-256 over all of a valid document that reaches the index, but for the time when its file was written: a file
    that was touched holds what it held. Vectors are as `embeddings.with_unit_vectors` gives them."""
    headings = [[heading.start, heading.level, heading.title] for heading in document.headings]
    metadata = {key: value for key, value in document.metadata.items() if key != readers.MODIFIED}
    parts: list[Any] = [document.title, metadata, headings, *([document.pages] if document.pages else [])]
    rest = _as_json(parts)
    digest = hashlib.sha256(f"{rest}\0{document.text}".encode())
    given: Any = () if document.vectors is None else document.vectors
    for rows in given:
        digest.update(f"\0{len(rows)}\0".encode() + rows.astype("<f2").tobytes())
    return digest.hexdigest()


def differs_in_facts(document: Document, known: KnownDocument) -> bool:
    """Whether a document is one that is known, but for its name, title and metadata: then no embedding of it is new."""
    return hash_content(replace(document, title=known.title, metadata=known.metadata)) == known.content_hash


def edited_hash(content_hash: str, metadata: Mapping[str, Any]) -> str:
    """The hash of a document whose metadata were changed in the index: it is no longer what it was made from, and it
    tells which content that was."""
    return f"{source_hash(content_hash)}+{hashlib.sha256(_as_json(dict(metadata)).encode()).hexdigest()[:16]}"


def source_hash(content_hash: str) -> str:
    """The hash of what a document was made from, whether or not its metadata were changed since."""
    return content_hash.partition("+")[0]
