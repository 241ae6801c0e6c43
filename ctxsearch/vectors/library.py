"""FAISS, imported so that its threads sleep while they have nothing to do.

By default they go on spinning for milliseconds after a search, on cores that the embedding of the next question needs.
OpenMP reads that from the environment when it is loaded, so it is there for as long as this one import takes; FAISS
brings an OpenMP of its own, which nobody else uses.
"""

from __future__ import annotations

import os
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
