"""What may go into an index, and what tells that it is new; pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ctxsearch import readers
from ctxsearch.errors import ArgumentError
from ctxsearch.records import Document, KnownDocument

UNBROKEN_CHARACTERS = 1000
"""A run of so many characters without a space is no word of any script that a WordPiece model reads."""

_UNBROKEN = re.compile(rf"[^\s⺀-￿]{{{UNBROKEN_CHARACTERS},}}")  # scripts from U+2E80 on write without spaces
_as_json = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    if not document.source.strip():
        return "has no source to name it by"
    if _SURROGATE.search(document.source + document.origin):
        return "has a name that is not UTF-8; rename it"
    return None


def hash_content(document: Document) -> str:
    """SHA-256 over all of a document that reaches the index, but for the time when its file was written: a file that
    was touched holds what it held.

    Raises:
        TypeError, ValueError: the metadata is not JSON.
    """
    headings = [[heading.start, heading.level, heading.title] for heading in document.headings]
    metadata = {key: value for key, value in document.metadata.items() if key != readers.MODIFIED}
    parts: list[Any] = [document.title, metadata, headings, *([document.pages] if document.pages else [])]
    rest = _as_json(parts)
    if "\\ud" in rest:  # half a character, which JSON as we keep it cannot have
        json.dumps(parts, ensure_ascii=False).encode()
    return hashlib.sha256(f"{rest}\0{document.text}".encode()).hexdigest()


def differs_in_facts(document: Document, known: KnownDocument) -> bool:
    """Whether a document is one that is known, but for its name, title and metadata: then no embedding of it is new."""
    return hash_content(replace(document, title=known.title, metadata=known.metadata)) == known.content_hash


def plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as they are read back from an index.

    Raises:
        ArgumentError: they cannot be kept.
    """
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise ArgumentError(f"metadata is {metadata!r}; expected values by key, as in {{'team': 'ops'}}")
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"metadata cannot be written as JSON: {error}") from error
    plain: dict[str, Any] = json.loads(text)
    return plain


def edited_hash(content_hash: str, metadata: Mapping[str, Any]) -> str:
    """The hash of a document whose metadata were changed in the index: it is no longer what it was made from, and it
    tells which content that was."""
    return f"{source_hash(content_hash)}+{hashlib.sha256(_as_json(dict(metadata)).encode()).hexdigest()[:16]}"


def source_hash(content_hash: str) -> str:
    """The hash of what a document was made from, whether or not its metadata were changed since."""
    return content_hash.partition("+")[0]
