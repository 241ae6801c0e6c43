"""A WSGI application that has opened its index and asked it before the server forks its workers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import ctxsearch

INDEX = ctxsearch.open(os.environ["CTXSEARCH_INDEX"])
INDEX.query("who approves refunds?")


def application(environ: dict[str, str], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Answer a GET with the best source, after a POST has added its path as a document."""
    asked = unquote(environ["PATH_INFO"].strip("/"))
    if environ["REQUEST_METHOD"] == "POST":
        INDEX.add([ctxsearch.Document(f"A note about {asked}.", f"note:{asked}")])
    best = INDEX.query(asked, k=1)[0].source
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"source": best, "worker": os.getpid()}).encode()]
