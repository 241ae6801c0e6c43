"""The catalog: documents, contexts, sentences, vectors and full text in one SQLite file. The authority.

    connection.py   opening, transactions, facts, errors of SQLite as errors of ours
    schema.py       the tables, and making an empty catalog
    vectors.py      vectors, and what changed since a generation
    rows.py         documents and what belongs to them, read row by row, each held against its checksum
    sentences.py    the words of sentences, for ranking
    writing.py      all of that, written
    searching.py    finding contexts by words, documents by metadata
    exact.py        finding contexts by words and by the identifiers that they hold to the letter
    failures.py     sources that could not be read
    metadata.py     the values of documents' metadata, indexed
    conditions.py   conditions on metadata as SQL
    care.py         checking all of it, copying it, reading what is left of a damaged one
    facts.py        what SQLite is here

Only this room imports sqlite_utils and sqlite3. It knows rows and SQL; it does not know FAISS, a model, or files other
than its own. What is written between `Catalog.begin` and `Catalog.commit` becomes durable as a whole or not at all, and
takes the index from one generation to the next; what happens inside one `Catalog.snapshot` reads one generation.
"""

from ctxsearch.catalog.care import Care
from ctxsearch.catalog.connection import OF_VALUES
from ctxsearch.catalog.exact import MAX_TERMS, ExactSearching
from ctxsearch.catalog.rows import StoredContext
from ctxsearch.catalog.schema import make
from ctxsearch.catalog.vectors import StoredVectors


class Catalog(Care, ExactSearching):
    """An open catalog. One thread at a time; the store sees to that."""


__all__ = ["MAX_TERMS", "OF_VALUES", "Catalog", "StoredContext", "StoredVectors", "make"]
