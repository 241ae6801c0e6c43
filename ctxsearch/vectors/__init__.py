"""The vector index: rows of contexts, and search among them, exact or approximate. The only importer of faiss.

    segments.py    rows of contexts in one file that is never changed, read as they are wanted, under checksums
    scanning.py    products of a question with rows
    scores.py      scores of contexts, from products with their rows
    codes.py       codes of rows, that tell which rows are worth multiplying
    lists.py       approximate search over the rows of a large segment: lists of codes, in a file beside it
    centroids.py   centroids of lists, and the nearest of them to each row
    depth.py       how deep to search the lists for a wanted recall, measured
    library.py     faiss, imported so that its threads sleep when they have nothing to do
    parts.py       a segment as it is searched, without what was removed from it
    index.py       `VectorIndex`: segments and what came since, without what was removed; one list of scores

A context has a row for itself and one for each of its sentences; ordinal 0 is the context. Rows are float16, the very
values the catalog has; scores are inner products in float32, computed from those rows whatever found them. What FAISS
does oddly (ids of -1 for missing results, empty messages, C++ text, silent duplicates) stays in here. The files are
derived: this room reads and writes them and knows nothing of where their content comes from.
"""

from ctxsearch.vectors.index import VectorIndex
from ctxsearch.vectors.lists import Lists, lists_are_whole
from ctxsearch.vectors.parts import is_scanned
from ctxsearch.vectors.scores import ContextScore
from ctxsearch.vectors.segments import ROWS_PER_CONTEXT, Segment, VectorFileError, write_segment

__all__ = [
    "ROWS_PER_CONTEXT",
    "ContextScore",
    "Lists",
    "Segment",
    "VectorFileError",
    "VectorIndex",
    "is_scanned",
    "lists_are_whole",
    "write_segment",
]
