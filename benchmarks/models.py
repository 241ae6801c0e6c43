"""Models side by side: python benchmarks/models.py TEXTS.jsonl[.gz] MODEL [MODEL …]

Size, operations and contexts a second of each; the models take turns in one run, the median of seven rounds counts, and
each is compared with the first. A text is a line with ``text`` or ``context``; 200 are taken, evenly spread.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from pathlib import Path

from ctxsearch.contexts import sentence_spans
from ctxsearch.encoder import Encoder
from ctxsearch.passport import find_model
from ctxsearch.records import Context, Sentence

TEXTS, ROUNDS = 200, 7


def main(texts: Path, names: list[str]) -> None:
    """Measure and print."""
    data = texts.read_bytes()
    lines = (gzip.decompress(data) if texts.suffix == ".gz" else data).decode().splitlines()
    rows = [json.loads(line) for line in lines[:: max(1, len(lines) // TEXTS)][:TEXTS]]
    contexts = []
    for row in rows:
        text = row.get("text") or row["context"]
        spans = tuple(Sentence(start, end) for start, end, _ in sentence_spans(text))
        contexts.append(Context(0, len(text), text, 0, (), spans))
    models = [find_model(name) for name in names]
    encoders = [Encoder(model) for model in models]
    speeds: list[list[float]] = [[] for _ in models]
    for number in range(ROUNDS + 1):
        for encoder, own in zip(encoders, speeds, strict=True):
            started = time.perf_counter()
            encoder.embed_contexts(contexts)
            if number:  # the first round warms up
                own.append(len(contexts) / (time.perf_counter() - started))
    first = statistics.median(speeds[0])
    print("model | layers | GOps a context | MB | contexts/s | to the first")
    for model, own in zip(models, speeds, strict=True):
        training = model.card.get("training", {})
        size = sum((model.path / file).stat().st_size for file in ("model.xml", "model.bin")) / 1e6
        speed = statistics.median(own)
        layers = model.card.get("base", {}).get("layers", "")
        gops = training.get("gops", "")
        print(f"{model.passport.name} | {layers} | {gops} | {size:.1f} | {speed:.0f} | {speed / first:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
