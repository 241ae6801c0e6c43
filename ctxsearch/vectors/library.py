"""FAISS, imported so that its threads sleep while they have nothing to do.

By default they go on spinning for milliseconds after a search, on cores that the embedding of the next question needs.
OpenMP reads that from the environment when it is loaded, so it is there for as long as this one import takes; FAISS
brings an OpenMP of its own, which nobody else uses.
"""

from __future__ import annotations

import os

_POLICY = "OMP_WAIT_POLICY"

if _POLICY in os.environ:
    import faiss
else:
    os.environ[_POLICY] = "PASSIVE"
    try:
        import faiss
    finally:
        del os.environ[_POLICY]

__all__ = ["faiss"]
