"""Every error that a user of ctxsearch can see.

    CtxsearchError                 exit status 1 on the command line
    ├── ArgumentError              a value nobody can use: k=0, an empty question, an unknown mode (exit status 2)
    ├── MissingExtraError          an optional dependency is not installed
    ├── ModelError                 a model folder cannot be used
    │   └── ModelNotFoundError     there is no model of that name, no folder at that path
    ├── ResourceError              the process may have no more memory or threads
    ├── SourceError                one source cannot be read; ingest collects these and goes on
    └── StoreError                 an index folder cannot be used as asked
        ├── IndexNotFoundError     there is no index there
        ├── NotAnIndexError        something else is there
        ├── IndexFormatError       the index was written by a newer ctxsearch
        ├── PassportMismatchError  the index holds embeddings of another model
        ├── IndexBusyError         another process is writing
        ├── DamagedIndexError      the catalog cannot be read
        └── DocumentNotFoundError  the index has no such document

A message is one line: what was found, what was expected, and what to do next. Errors of third-party libraries are
translated in the room that owns the library, and never cross it. This room imports nothing.
"""

from __future__ import annotations


class CtxsearchError(Exception):
    """Base of everything that a user can see."""


class ArgumentError(CtxsearchError, ValueError):
    """A value nobody can use: ``k=0``, an empty question, an unknown mode."""


class MissingExtraError(CtxsearchError):
    """An optional dependency is not installed.

    Args:
        what: what was asked for, as the start of a sentence.
        extra: name of the extra that brings the dependency.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra [{extra}]: pip install 'ctxsearch[{extra}]'")


class ModelError(CtxsearchError):
    """A model folder cannot be used: a file is missing, a checksum is wrong, the graph is of another kind."""


class ModelNotFoundError(ModelError):
    """There is no model of that name and no model folder at that path."""


class ResourceError(CtxsearchError):
    """The process may have no more memory or threads. Nothing that was committed is lost."""


class SourceError(CtxsearchError):
    """One source cannot be read.

    Args:
        source: path or URI of the source.
        reason: why, in a user's words.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class StoreError(CtxsearchError):
    """An index folder cannot be used as asked."""


class IndexNotFoundError(StoreError):
    """There is no index at that path."""


class NotAnIndexError(StoreError):
    """The path holds something that is not an index."""


class IndexFormatError(StoreError):
    """The index was written by a newer version of ctxsearch."""


class PassportMismatchError(StoreError):
    """The index holds embeddings of another model than the one at hand."""


class IndexBusyError(StoreError):
    """Another process is writing to the index."""


class DamagedIndexError(StoreError):
    """The catalog of the index cannot be read."""


class DocumentNotFoundError(StoreError):
    """The index has no document with that source or id."""
