"""XML becomes a tree: by expat, which loads nothing from outside and bounds what entities expand to.

External entities and DTDs are not fetched: no handler for them is set, so expat passes over them. Entities of a DTD
that is not there are taken for those of HTML and for the Greek letters of ISO 8879, as old XML means them; others for a
space.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ctxsearch.errors import SourceError
from ctxsearch.readers.decoding import decode

_ENTITIES = {name.removesuffix(";"): text for name, text in html.entities.html5.items() if name.endswith(";")}
_GREEK = {
    f"{name}gr": letter
    for name, letter in zip(
        "a b g d e z ee th i k l m n x o p r sf s t u ph kh ps oh".split(), "αβγδεζηθικλμνξοπρςστυφχψω", strict=True
    )
}
_DECLARATION = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_.:\-]{1,40})["']""")
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(rb"&([A-Za-z_][\w.-]{0,60});", re.ASCII)


def parse(data: bytes, source: str) -> Element:
    """The root of a document.

    Raises:
        SourceError: it is not well-formed, or its entities expand beyond reason.
    """
    declared = _DECLARATION.match(data)
    if declared is None or declared[1].lower() in (b"utf-8", b"utf8"):
        try:
            return _root(data)
        except (ElementTree.ParseError, ValueError, LookupError):  # perhaps it is not in UTF-8, or a byte is broken
            pass
    text = decode(data, source, declared[1].decode("ascii") if declared else None).text
    try:
        return _root(_NO_CHARACTER.sub("\ufffd", _without_declaration(text)).encode())
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SourceError(source, f"is not well-formed XML: {error}") from error


def _root(data: bytes) -> Element:
    """The root of a document in UTF-8, or as it declares itself to expat."""
    parser = ElementTree.XMLParser()
    for reference in set(_REFERENCE.findall(data)):
        name = reference.decode("ascii")
        parser.entity[name] = _entity(name)
    parser.feed(data)
    return parser.close()


def _without_declaration(text: str) -> str:
    """A text without its XML declaration, whose encoding is not that of the text any more."""
    text = text.lstrip()
    return text[text.find("?>") + 2 :] if text.startswith("<?xml") else text


def _entity(name: str) -> str:
    if name in _ENTITIES:
        return _ENTITIES[name]
    letter = _GREEK.get(name.lower(), " ")
    return letter.upper() if name[0].isupper() else letter


def local(name: object) -> str:
    """A name without its namespace; "" for what is no element."""
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def attribute(node: Element, name: str) -> str:
    """The value of the attribute of that local name, whatever its namespace; "" if it has none."""
    if name in node.attrib:
        return node.attrib[name]
    return next((value for key, value in node.attrib.items() if local(key) == name), "")


def child(node: Element, name: str) -> Element | None:
    """The first child of that local name."""
    return next((inner for inner in node if local(inner.tag) == name), None)


def children(node: Element, name: str) -> Iterator[Element]:
    """The children of that local name."""
    return (inner for inner in node if local(inner.tag) == name)


def descendants(node: Element, name: str) -> Iterator[Element]:
    """The descendants of that local name, in order."""
    return (inner for inner in node.iter() if local(inner.tag) == name)


def text_of(node: Element | None) -> str:
    """All text below a node."""
    return "".join(node.itertext()) if node is not None else ""
