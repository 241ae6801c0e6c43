"""Embeddings against values that transformers computed in float32 (made by benchmarks/fidelity.py)."""

from __future__ import annotations

import json

import numpy as np

from ctxsearch.encoder import Encoder
from ctxsearch.encoder.runtime import unit_rows
from ctxsearch.passport import find_model
from ctxsearch.records import Context
from tests.conftest import ROOT


def test_int8_embeddings_are_near_the_float32_reference() -> None:
    golden = json.loads((ROOT / "tests" / "golden" / "reference.json").read_text(encoding="utf-8"))
    contexts = [Context(0, len(text), text, 0) for text in golden["texts"]]
    model = find_model()
    embedded = Encoder(model).embed_contexts(contexts)
    states = unit_rows(embedded.vectors[embedded.bounds[:-1], : model.passport.graph_dim])
    cosines = (states * np.array(golden["embeddings"])).sum(axis=1)
    assert len(cosines) >= 10
    assert cosines.mean() >= 0.99
    assert cosines.min() >= 0.98
