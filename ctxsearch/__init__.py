"""ctxsearch: search your own documents by meaning, on your own machine.

    import ctxsearch

    with ctxsearch.open("indexes/handbook") as index:
        index.ingest(["docs/"])
        for hit in index.query("who may approve a refund?"):
            print(hit.rank, hit.score, hit.source, hit.sentence.text)

Names are imported when they are first used, so that ``import ctxsearch`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ctxsearch.errors import (
        ArgumentError,
        CtxsearchError,
        DamagedIndexError,
        DocumentNotFoundError,
        IndexBusyError,
        IndexFormatError,
        IndexNotFoundError,
        MissingExtraError,
        ModelError,
        ModelNotFoundError,
        NotAnIndexError,
        PassportMismatchError,
        ResourceError,
        SourceError,
        StoreError,
    )
    from ctxsearch.index import Index, open
    from ctxsearch.ingest import Progress
    from ctxsearch.records import (
        Answer,
        Document,
        DocumentContext,
        DocumentCounts,
        DocumentSummary,
        Evidence,
        FailedSource,
        Failure,
        Heading,
        Hit,
        ImportReport,
        IndexStatus,
        IngestReport,
        MatchedSentence,
        Milliseconds,
        Page,
        ReembedReport,
        RepairReport,
        Scores,
        Sentence,
        StoredDocument,
    )
    from ctxsearch.text_encoder import Encoder

_HOMES = {
    "ctxsearch.index": ("Index", "open"),
    "ctxsearch.ingest": ("Progress",),
    "ctxsearch.records": (
        "Answer",
        "Document",
        "DocumentContext",
        "DocumentCounts",
        "DocumentSummary",
        "Evidence",
        "FailedSource",
        "Failure",
        "Heading",
        "Hit",
        "ImportReport",
        "IndexStatus",
        "IngestReport",
        "MatchedSentence",
        "Milliseconds",
        "Page",
        "ReembedReport",
        "RepairReport",
        "Scores",
        "Sentence",
        "StoredDocument",
    ),
    "ctxsearch.text_encoder": ("Encoder",),
    "ctxsearch.errors": (
        "ArgumentError",
        "CtxsearchError",
        "DamagedIndexError",
        "DocumentNotFoundError",
        "IndexBusyError",
        "IndexFormatError",
        "IndexNotFoundError",
        "MissingExtraError",
        "ModelError",
        "ModelNotFoundError",
        "NotAnIndexError",
        "PassportMismatchError",
        "ResourceError",
        "SourceError",
        "StoreError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "ArgumentError",
    "CtxsearchError",
    "DamagedIndexError",
    "Document",
    "DocumentContext",
    "DocumentCounts",
    "DocumentNotFoundError",
    "DocumentSummary",
    "Encoder",
    "Evidence",
    "FailedSource",
    "Failure",
    "Heading",
    "Hit",
    "ImportReport",
    "Index",
    "IndexBusyError",
    "IndexFormatError",
    "IndexNotFoundError",
    "IndexStatus",
    "IngestReport",
    "MatchedSentence",
    "Milliseconds",
    "MissingExtraError",
    "ModelError",
    "ModelNotFoundError",
    "NotAnIndexError",
    "Page",
    "PassportMismatchError",
    "Progress",
    "ReembedReport",
    "RepairReport",
    "ResourceError",
    "Scores",
    "Sentence",
    "SourceError",
    "StoreError",
    "StoredDocument",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    if home := _HOME_OF.get(name):
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
