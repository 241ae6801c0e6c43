"""FAISS, imported so that its threads sleep while they have nothing to do.

By default they go on spinning for milliseconds after a search, on cores that the embedding of the next question needs.
OpenMP reads that from the environment when it is loaded, so it is there for as long as this one import takes; FAISS
brings an OpenMP of its own, which nobody else uses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_POLICY = "OMP_WAIT_POLICY"

if _POLICY in os.environ:
    import faiss as _faiss
else:
    os.environ[_POLICY] = "PASSIVE"
    try:
        import faiss as _faiss
    finally:
        del os.environ[_POLICY]

faiss: Any = _faiss
"""Without FAISS's own types, which lack half of what is used here."""

_CLAIMED = faiss.get_deserialization_vector_byte_limit()
"""Bytes that a file may claim for one array, by FAISS itself: a terabyte."""

MIN_CLAIMED = 64 << 20


@contextmanager
def claims_limited(size: int) -> Iterator[None]:
    """Let no file that is read in the block claim more for an array than it has bytes.

    FAISS makes room before it reads. The limit is of the process, and so of FAISS's other users: it is put back at
    once, and several threads only raise it.

    Args:
        size: of the file.
    """
    now = faiss.get_deserialization_vector_byte_limit()
    faiss.set_deserialization_vector_byte_limit(max(MIN_CLAIMED, size, now if now != _CLAIMED else 0))
    try:
        yield
    finally:
        faiss.set_deserialization_vector_byte_limit(_CLAIMED)
