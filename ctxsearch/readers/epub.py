"""EPUB books: the chapters in the order of the book, read as HTML; a page a chapter."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from ctxsearch.errors import SourceError
from ctxsearch.readers import html
from ctxsearch.readers.composing import Composer
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, descendants, local, parse
from ctxsearch.records import Document

CONTAINER = "META-INF/container.xml"
_CHAPTERS = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "image/svg+xml"))
_PROPERTIES = {
    "title": "title",
    "creator": "author",
    "date": "created",
    "language": "language",
    "publisher": "publisher",
}


def read(file: File) -> Iterator[Document]:
    """The book as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    composer = Composer()
    with opened(file) as package:
        package_file = _package_file(package, file.source)
        root = parse(package.read(package_file), file.source)
        locked = _encrypted(package, file.source)
        chapters = [name for name in _chapters(root, posixpath.dirname(package_file)) if name in package.names]
        if chapters and locked.issuperset(chapters):
            raise SourceError(file.source, "is encrypted (protected against copying)")
        unread: list[str] = []
        for number, name in enumerate((name for name in chapters if name not in locked), start=1):
            composer.page(number)
            try:
                markup = html.decoded(package.read(name), f"{file.source}: {name}").text
                page = html.parse(markup, file.source, whole=True)
            except SourceError:
                unread.append(name)
                composer.block(f"[{posixpath.basename(name)} cannot be read]")
                continue
            composer.insert(page.text, page.headings)
        if unread and len(unread) == len([name for name in chapters if name not in locked]):
            raise SourceError(file.source, f"is damaged: none of its {len(unread)} chapters can be read")
    metadata: dict[str, Any] = {}
    for node in descendants(root, "metadata"):
        for inner in node.iter():
            key, value = _PROPERTIES.get(local(inner.tag)), (inner.text or "").strip()
            if key and value:
                metadata.setdefault(key, value)
    yield composer.document(file, str(metadata.pop("title", "")), metadata)


def _package_file(package: Package, source: str) -> str:
    """The part that lists the book's parts."""
    for node in descendants(parse(package.read(CONTAINER), source), "rootfile"):
        if (path := attribute(node, "full-path")) in package.names:
            return path
    raise SourceError(source, "is damaged: it does not say what the book consists of")


def _chapters(root: Element, folder: str) -> list[str]:
    """Parts with text, in reading order; the table of contents left out."""
    items: dict[str, Element] = {attribute(item, "id"): item for item in descendants(root, "item")}
    chapters = []
    for reference in descendants(root, "itemref"):
        item = items.get(attribute(reference, "idref"))
        if item is None or "nav" in attribute(item, "properties").split():
            continue
        if attribute(item, "media-type") in _CHAPTERS:
            chapters.append(posixpath.normpath(posixpath.join(folder, unquote(attribute(item, "href")))))
    return list(dict.fromkeys(chapters))


def _encrypted(package: Package, source: str) -> frozenset[str]:
    """Parts that are encrypted; fonts are in many books that are not."""
    name = "META-INF/encryption.xml"
    if name not in package.names:
        return frozenset()
    return frozenset(
        unquote(attribute(node, "URI")) for node in descendants(parse(package.read(name), source), "CipherReference")
    )
