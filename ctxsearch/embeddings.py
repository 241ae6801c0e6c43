"""Embeddings that a caller gives: checked, and scaled to unit length. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctxsearch.errors import ArgumentError
from ctxsearch.records import Context, Document, FloatArray, StoredDocument

UNIT_TOLERANCE = 1e-3
"""Rows whose length is so near to 1 are kept as they are: those that an index gives out are rounded to float16."""


def unit_vector(values: Any, dim: int, name: str = "vector") -> FloatArray:
    """An embedding as search takes it.

    Args:
        values: numbers, of shape (dim,).
        dim: of the embedding space.
        name: how messages call it.

    Returns:
        A unit vector, float32 of shape (dim,).

    Raises:
        ArgumentError: it has another shape, a value that is no finite number, or is zero.
    """
    array = _numbers(values, name)
    if array.shape != (dim,):
        raise ArgumentError(f"{name} has the shape {array.shape}; embeddings of this index have ({dim},)")
    unit: FloatArray = _unit_rows(array[np.newaxis], name)[0]
    return unit


def centroid(document: StoredDocument) -> FloatArray:
    """The mean direction of a document's contexts: a unit vector, float32 of shape (dim,).

    Args:
        document: with vectors.
    """
    rows = np.stack([context.vectors[0] for context in document.contexts if context.vectors is not None])
    mean = rows.mean(axis=0, dtype=np.float64)
    return unit_vector(mean if mean.any() else rows[0], len(mean))


def with_unit_vectors(document: Document, dim: int) -> Document:
    """A document whose vectors, if it has some, are a tuple of unit rows: a context each, float32 of shape (rows, dim).

    Raises:
        ArgumentError: they have another shape, a value that is no finite number, or a row that is zero.
    """
    if document.vectors is None:
        return document
    several: Any = document.vectors
    if not isinstance(several, list | tuple):
        several = np.atleast_1d(_numbers(several, "vectors"))
    if len(several) and not hasattr(several[0], "__len__"):  # (dim,): of one context
        several = [several]
    rows = []
    for place, one in enumerate(several):
        name = f"vectors[{place}]"
        array = np.atleast_2d(_numbers(one, name))
        if array.ndim != 2 or array.shape[1] != dim or not len(array):
            raise ArgumentError(
                f"{name} has the shape {np.shape(one)}; expected ({dim},), or (1 + sentences, {dim}) for a context"
            )
        rows.append(_unit_rows(array, name))
    return replace(document, vectors=tuple(rows))


def of_contexts(document: Document, contexts: Sequence[Context]) -> list[FloatArray]:
    """The vectors that a document brings for its contexts.

    Args:
        document: as `with_unit_vectors` gives it.
        contexts: what it was cut into.

    Raises:
        ArgumentError: they are not as many as there are contexts, or a context has another number of sentences.
    """
    given: Any = document.vectors
    if len(given) != len(contexts):
        raise ArgumentError(
            f"vectors are of {_count(len(given), 'context')}, its text has {_count(len(contexts), 'context')}"
        )
    for place, (rows, context) in enumerate(zip(given, contexts, strict=True)):
        if len(rows) not in (1, 1 + len(context.sentences)):
            raise ArgumentError(
                f"vectors[{place}] has {len(rows)} rows; the context has {_count(len(context.sentences), 'sentence')}, "
                f"so expected 1 or {1 + len(context.sentences)}"
            )
    return list(given)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _numbers(values: Any, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise ArgumentError(f"{name} is no array of numbers: {error}") from error
    if array.dtype.kind not in "fiu":
        raise ArgumentError(f"{name} has values of the type {array.dtype}; expected numbers")
    return array.astype(np.float64)


def _unit_rows(rows: NDArray[np.float64], name: str) -> FloatArray:
    """Rows of length 1, float32 of shape (rows, dim)."""
    if not np.isfinite(rows).all():
        raise ArgumentError(f"{name} has a value that is not a finite number")
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not (largest > 0).all():
        raise ArgumentError(f"{name} is zero, which has no direction")
    scaled = rows / largest  # so that no square is too large
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    is_unit = np.abs(lengths * largest - 1.0) <= UNIT_TOLERANCE
    unit: FloatArray = np.where(is_unit, rows, scaled / lengths).astype(np.float32)
    return unit
