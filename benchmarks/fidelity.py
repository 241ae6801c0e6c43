"""How near our embeddings are to an independent computation: transformers in float32.

Needs the extra [build]. Usage::

    python benchmarks/fidelity.py BASE_DIR TEXTS.jsonl[.gz] MODEL [MODEL …]
    python benchmarks/fidelity.py BASE_DIR --write tests/golden/reference.json

The first prints the cosine of 200 texts for each model, mean and least; the second writes the reference embeddings of
some texts of data/ that the tests compare with.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from ctxsearch.encoder import Encoder
from ctxsearch.encoder.runtime import unit_rows
from ctxsearch.passport import find_model
from ctxsearch.records import Context

TEXTS = 200
WINDOW = 384


def reference(base: str, texts: list[str]) -> np.ndarray:
    """Mean of the token states, normalised, computed by transformers without padding; float32 (texts, dim)."""
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModel.from_pretrained(base).eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            inputs = tokenizer(text, truncation=True, max_length=WINDOW, padding=False, return_tensors="pt")
            rows.append(torch.nn.functional.normalize(model(**inputs).last_hidden_state[0].mean(0), dim=0).numpy())
    return np.array(rows)


def main() -> None:
    base, *rest = sys.argv[1:]
    if rest[0] == "--write":
        calibration = Path(__file__).parent.parent / "ctxsearch" / "encoder" / "calibration.jsonl"
        texts = [json.loads(line)["text"] for line in calibration.read_text(encoding="utf-8").splitlines()][::17]
        rows = [[round(float(value), 5) for value in row] for row in reference(base, texts)]
        Path(rest[1]).write_text(json.dumps({"texts": texts, "embeddings": rows}, ensure_ascii=False) + "\n")
        return
    path = Path(rest[0])
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    texts = [json.loads(line)["text"] for line in content.decode().splitlines()]
    texts = texts[:: max(1, len(texts) // TEXTS)][:TEXTS]
    expected = reference(base, texts)
    for name in rest[1:]:
        model = find_model(name)
        embedded = Encoder(model).embed_contexts([Context(0, len(text), text, 0) for text in texts])
        states = unit_rows(embedded.vectors[embedded.bounds[:-1], : model.passport.graph_dim])
        cosines = (states * expected).sum(axis=1)
        print(f"{name}: {len(texts)} texts, cosine {cosines.mean():.6f} mean, {cosines.min():.6f} least")


if __name__ == "__main__":
    main()
