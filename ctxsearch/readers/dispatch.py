"""The reader of each kind: its module is imported when a file of that kind comes."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias, cast

from ctxsearch.errors import MissingExtraError, SourceError
from ctxsearch.readers import packages
from ctxsearch.readers.cleaning import cleaned
from ctxsearch.readers.kinds import KINDS, mime_type_of
from ctxsearch.readers.walk import File, Skipped
from ctxsearch.records import Document

Item: TypeAlias = Document | SourceError | Skipped
Reader: TypeAlias = Callable[[File], Iterator[Item]]

EXTRA = "documents"
_ARCHIVES = frozenset(("docx", "pptx", "xlsx", "odt", "odp", "ods", "epub"))


@functools.cache
def _reader(module: str) -> Reader:
    return cast(Reader, importlib.import_module(f"ctxsearch.readers.{module}").read)


def _read(reader: Reader, file: File, kind: str) -> Iterator[Item]:
    """What a reader finds; of an archive, XML that is not well-formed is damage that its own program may repair."""
    try:
        yield from reader(file)
    except SourceError as error:
        if kind not in _ARCHIVES or not error.reason.startswith("is not well-formed XML"):
            raise
        reason = f"is damaged: a part of it {error.reason}; open it in the program that made it, and save it again"
        raise SourceError(error.source, reason) from error


def read_kind(file: File, kind: str) -> Iterator[Item]:
    """The documents of a file of a kind, with the kind's MIME type in their metadata.

    Raises:
        SourceError: it cannot be read; also when the extra that reads it is not installed.
    """
    if KINDS[kind].module == "packages":
        kind = packages.kind_inside(file)
    try:
        reader = _reader(KINDS[kind].module)
    except ModuleNotFoundError as error:
        if not KINDS[kind].extra or (error.name or "").startswith("ctxsearch"):
            raise
        raise SourceError(file.source, str(MissingExtraError(f"reading {KINDS[kind].name}", EXTRA))) from error
    for item in _read(reader, file, kind):
        if isinstance(item, Document):
            item = cleaned(item)
            if not item.is_record:
                item = replace(item, metadata={"mime_type": mime_type_of(kind, file), **item.metadata})
        yield item
