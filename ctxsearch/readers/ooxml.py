"""What the parts of Office Open XML share: properties of the file, and which part belongs to which."""

from __future__ import annotations

import posixpath
from typing import Any

from ctxsearch.readers.packages import Package
from ctxsearch.readers.xmltree import attribute, local, parse

_PROPERTIES = {
    "title": "title",
    "creator": "author",
    "created": "created",
    "language": "language",
    "subject": "subject",
    "keywords": "keywords",
}


def properties(package: Package, source: str) -> dict[str, Any]:
    """Title, author, dates and language, where the file states them."""
    name = "docProps/core.xml"
    if name not in package.names:
        return {}
    found = {}
    for node in parse(package.read(name), source):
        key, value = _PROPERTIES.get(local(node.tag)), (node.text or "").strip()
        if key and value:
            found[key] = value
    return found


def related(package: Package, part: str, source: str) -> dict[str, tuple[str, str]]:
    """What a part refers to inside the package: relation id -> (kind, name of the part)."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in package.names:
        return {}
    found = {}
    for node in parse(package.read(relations), source):
        if node.get("TargetMode") != "External":
            target = node.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[attribute(node, "Id")] = (node.get("Type", "").rpartition("/")[2], path)
    return found
