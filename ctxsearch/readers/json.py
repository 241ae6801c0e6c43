"""JSON: the values of a file as text, with the keys that lead to them.

An object of plain values is a line, ``key: value | key: value``; a key that holds more is a heading. A file whose
objects have a string ``text`` shows that as a paragraph. What is not JSON after all (cut short, or with comments) is
read as plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ctxsearch.readers.composing import CELLS_APART, Composer, one_line
from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

LONG_CHARACTERS = 120
"""A longer string is a paragraph of its own."""
DEEPEST_HEADING = 6


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: there are no values in it.
    """
    decoded = decode(read_bytes(file), file.source)
    composer = Composer()
    try:
        values = list(_values(decoded.text))
    except ValueError:
        yield Document(decoded.text, file.source, file.path.stem, decoded.metadata, origin=str(file.origin))
        return
    for value in values:
        put_value(composer, value)
    value = values[0] if values else None
    title = value.get("title") or value.get("name") if isinstance(value, dict) else ""
    title = title if isinstance(title, str) and title.strip() else file.path.stem
    yield composer.document(file, title, decoded.metadata)


def _values(content: str) -> Iterator[Any]:
    """The values of a text: one, or several written one after another.

    Raises:
        ValueError: it is not JSON.
    """
    decoder = json.JSONDecoder()
    content = content.strip()
    while content:
        value, end = decoder.raw_decode(content)
        yield value
        content = content[end:].lstrip()


def put_value(composer: Composer, value: Any, level: int = 1) -> None:
    """A value as text: blocks, lines, and headings from a level on."""
    if isinstance(value, dict):
        short = {key: inner for key, inner in value.items() if _is_short(inner)}
        line = CELLS_APART.join(f"{key}: {_plain(inner)}" for key, inner in short.items() if _plain(inner))
        composer.block(line)
        for key, inner in value.items():
            if key in short:
                continue
            if isinstance(inner, str):
                composer.block(inner if key == "text" else f"{key}: {inner}")
            else:
                composer.heading(str(key), min(level, DEEPEST_HEADING))
                put_value(composer, inner, level + 1)
    elif isinstance(value, list):
        if value and all(isinstance(inner, dict) and all(map(_is_short, inner.values())) for inner in value):
            for number, inner in enumerate(value):
                line = CELLS_APART.join(f"{key}: {_plain(leaf)}" for key, leaf in inner.items() if _plain(leaf))
                (composer.line if number else composer.block)(line)
            return
        for inner in value:
            put_value(composer, inner, level)
    else:
        composer.block(_plain(value))


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONG_CHARACTERS and "\n" not in value
    if isinstance(value, list):
        return len(value) <= 16 and all(isinstance(inner, int | float | str) and _is_short(inner) for inner in value)
    return not isinstance(value, dict)


def _plain(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return one_line(value) if len(value) <= LONG_CHARACTERS else value
        case list():
            return ", ".join(filter(None, map(_plain, value)))
    return json.dumps(value)
