"""Canaries: the vectors of a few fixed texts, kept in the index, to notice a runtime that embeds otherwise.

The passport says which model made the vectors, not on what. Another version of OpenVINO or another instruction set may
round differently: a little does no harm and is noted, much would mix two embedding spaces and is refused.
"""

from __future__ import annotations

import base64
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctxsearch.errors import PassportMismatchError
from ctxsearch.records import Context, FloatArray, Sentence

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder

TEXTS = (
    "The canary sang in the mine until the air went bad.",
    "Invoice 2041 of 3 March is 17.5 % higher than the one before; who approved it?",
    "Größe, façade, naïve: words with accents, and 鯨 without any letter that English has.",
    "Yes.",
    "A longer text has more tokens to add up, and so more roundings to differ in. It goes on for a while, sentence "
    "after sentence, about nothing in particular. Then it comes to an end, as every text does.",
)

SAME = 0.9999
"""Cosine above which nothing is said: float16, in which vectors are kept, is no more exact."""

CLOSE = 0.98
"""Cosine below which the vectors are not taken to be of one space. A choice, not a measurement: no second kind of
processor was at hand. The nearest contexts of a question are often less than 0.02 apart."""


class Keeper(Protocol):
    """What keeps canaries: a writer of a store."""

    def canaries(self) -> Mapping[str, Any] | None:
        """What was put."""
        ...

    def put_canaries(self, canaries: Mapping[str, Any]) -> None:
        """Keep them."""
        ...


def guarded(keeper: Keeper, get_encoder: Callable[[], Encoder]) -> Callable[[], Encoder]:
    """The same encoder, its canaries checked when it is first asked for."""
    checked = False

    def get() -> Encoder:
        nonlocal checked
        encoder = get_encoder()
        if not checked:
            check(keeper, encoder)
            checked = True
        return encoder

    return get


def check(keeper: Keeper, encoder: Encoder) -> None:
    """Compare an encoder with the one that the index was made with; the first one is kept.

    Raises:
        PassportMismatchError: it gives other vectors.
    """
    kept = keeper.canaries()
    if kept is None:
        rows = _embed(encoder, TEXTS)
        vectors = [base64.b64encode(row.tobytes()).decode() for row in rows]
        keeper.put_canaries({"texts": list(TEXTS), "vectors": vectors, "runtime": runtime(), "noted": []})
        return
    likeness = compare(kept, encoder)
    if likeness < CLOSE:
        raise PassportMismatchError(
            f"the model {encoder.passport.label} gives other vectors here ({runtime()}) than where this index was made "
            f"({kept['runtime']}): cosine {likeness:.3f}, at least {CLOSE} is needed; write to it there, "
            "or embed everything anew into an index of its own"
        )
    known = {kept["runtime"], *(noted["runtime"] for noted in kept["noted"])}
    if likeness < SAME and runtime() not in known:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        noted = {"runtime": runtime(), "cosine": round(likeness, 6), "at": at}
        keeper.put_canaries({**kept, "noted": [*kept["noted"], noted]})


def compare(kept: Mapping[str, Any], encoder: Encoder) -> float:
    """The least cosine between a canary's vector as it was kept and as the encoder makes it now."""
    now = _embed(encoder, kept["texts"])
    then = np.stack([np.frombuffer(base64.b64decode(text), np.float32) for text in kept["vectors"]])
    return float((now * then).sum(axis=1).min()) if now.shape == then.shape else -1.0


def runtime() -> str:
    """What a vector may depend on beside the model."""
    return f"openvino {version('openvino')}, {platform.system()} {platform.machine()}"


def _embed(encoder: Encoder, texts: tuple[str, ...] | list[str]) -> FloatArray:
    """Each text's own embedding, float32 of shape (texts, dim)."""
    contexts = [Context(0, len(text), text, 0, sentences=(Sentence(0, len(text)),)) for text in texts]
    embeddings = encoder.embed_contexts(contexts)
    return np.stack([embeddings[i][0] for i in range(len(embeddings))])
