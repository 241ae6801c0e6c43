"""What SQLite is here. For reports; nothing is decided by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import NamedTuple

from ctxsearch.catalog.schema import FULL_TEXT_TOKENIZER


class SqliteFacts(NamedTuple):
    """SQLite as Python has it."""

    version: str
    full_text: bool
    """Whether it can make the full-text table that a catalog has."""


def sqlite_facts() -> SqliteFacts:
    """Look, and try."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, tokenize='{FULL_TEXT_TOKENIZER}')")
            full_text = True
        except sqlite3.Error:
            full_text = False
    return SqliteFacts(sqlite3.sqlite_version, full_text)
