"""The store: catalog and vector index as one, with one commit. The only thing that ingest and query talk to.

    protocol.py    the `Store` protocol and what it hands out
    local.py       `LocalStore`, the store in an index folder: snapshots and writing
    following.py   the vector index follows the catalog
    beside.py      a catalog beside the current one: compaction, repair, backup, migration
    upkeep.py      care of an index folder as the Index offers it; taking it over to another model

`Store` is the seam: nothing above this room knows of files, SQL or FAISS, so that another implementation can take its
place. `LocalStore` keeps an index folder: SQLite is the authority, the vector file is derived from it.
"""

from ctxsearch.store.local import LEXICAL_WORDS, LocalSnapshot, LocalStore, LocalWriter
from ctxsearch.store.protocol import Snapshot, Store, Writer
from ctxsearch.store.upkeep import (
    Successor,
    back_up,
    compact,
    former,
    opened_or_made,
    reindex,
    repair,
    separate,
    successor,
    verify,
)

__all__ = [
    "LEXICAL_WORDS",
    "LocalSnapshot",
    "LocalStore",
    "LocalWriter",
    "Snapshot",
    "Store",
    "Successor",
    "Writer",
    "back_up",
    "compact",
    "former",
    "opened_or_made",
    "reindex",
    "repair",
    "separate",
    "successor",
    "verify",
]
