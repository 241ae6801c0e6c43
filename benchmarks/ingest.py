"""Ingest of SQuAD paragraphs as documents: ctxsearch against sentence-transformers + FAISS, in one run.

    python benchmarks/ingest.py SQUAD.json[.gz] --peer-python PYTHON --peer-model DIR [--rounds 3] [--json FILE]

The peer runs in a process of its own under PYTHON, which has sentence-transformers and faiss-cpu, with the base model
in DIR; torch has as many threads as there are cores, texts are sorted by length by sentence-transformers itself,
batches have the size, of `BATCHES`, that was the fastest over a sample of the texts, vectors are normalised, go into an
`IndexFlatIP`, and the index is written to disk.
Ours is `Index.add` of the same texts into a new index: cut, embedded with their sentences, catalog with full text
committed, vector index written. `bare` is the encoder alone, fed with the same contexts cut beforehand.
All have their models loaded before. They take turns; medians count. The time that each kept the cores busy is given as
well: on a machine that does other work, too, it says more than the time by the clock.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BATCHES = (16, 32, 64)
SAMPLED = 8
"""The sample is every so many texts."""


def texts_of(path: Path) -> list[str]:
    """The paragraphs of a SQuAD file."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [p["context"] for article in json.loads(content)["data"] for p in article["paragraphs"]]


def peer(squad: Path, model: str) -> None:
    """The peer's process: for each line on standard input an ingest; its seconds, and those of the processor."""
    import faiss
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    texts = texts_of(squad)
    encoder = SentenceTransformer(model, device="cpu")
    encoder.max_seq_length = 384
    encoder.encode(texts[:64])
    tried = {}
    for batch in BATCHES:
        started = time.perf_counter()
        encoder.encode(texts[::SAMPLED], batch_size=batch)
        tried[batch] = time.perf_counter() - started
    chosen = min(tried, key=tried.__getitem__)
    print(chosen, flush=True)
    for _ in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            started, before = time.perf_counter(), time.process_time()
            vectors = encoder.encode(texts, batch_size=chosen, normalize_embeddings=True)
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(vectors)
            faiss.write_index(index, os.path.join(folder, "index.faiss"))
            print(time.perf_counter() - started, time.process_time() - before, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer-model", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_peer:
        peer(given.squad, given.peer_model)
        return

    import machine

    import ctxsearch
    from ctxsearch.contexts import split

    texts = texts_of(given.squad)
    documents = [ctxsearch.Document(text, f"squad:{i}") for i, text in enumerate(texts)]
    options = ["--peer-python", given.peer_python, "--peer-model", given.peer_model, "--as-peer"]
    command = [given.peer_python, __file__, str(given.squad), *options]
    seconds: dict[str, list[float]] = {"ours": [], "bare": [], "peer": []}
    processor: dict[str, list[float]] = {name: [] for name in seconds}
    busy: list[float] = []
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
        tempfile.TemporaryDirectory() as home,
        ctxsearch.open(os.path.join(home, "warm")) as warm,
    ):
        assert other.stdin
        assert other.stdout
        warm.add(documents[:64])
        encoder = warm._get_encoder()
        contexts = [c for d in documents for c in split(d, encoder.count_tokens, encoder.context_budget)]
        batch = int(other.stdout.readline())
        for number in range(given.rounds):
            with ctxsearch.open(os.path.join(home, str(number))) as index:
                index._encoder = encoder
                started, before = time.perf_counter(), time.process_time()
                report = index.add(documents)
                seconds["ours"].append(time.perf_counter() - started)
                processor["ours"].append(time.process_time() - before)
                busy.append(report.encoder_busy)
            started, before = time.perf_counter(), time.process_time()
            encoder.embed_contexts(contexts)
            seconds["bare"].append(time.perf_counter() - started)
            processor["bare"].append(time.process_time() - before)
            print("again", file=other.stdin, flush=True)
            spent, used = map(float, other.stdout.readline().split())
            seconds["peer"].append(spent)
            processor["peer"].append(used)
        other.stdin.close()

    by_clock = {name: statistics.median(each) for name, each in seconds.items()}
    by_processor = {name: statistics.median(each) for name, each in processor.items()}
    found: dict[str, Any] = {
        "machine": machine.describe(),
        "documents": len(texts),
        "contexts": len(contexts),
        "seconds": seconds,
        "processor_seconds": processor,
        "peer_batch": batch,
        "ratio_to_peer": by_clock["peer"] / by_clock["ours"],
        "ratio_to_peer_by_processor": by_processor["peer"] / by_processor["ours"],
        "share_of_bare": by_clock["bare"] / by_clock["ours"],
        "share_of_bare_by_processor": by_processor["bare"] / by_processor["ours"],
        "encoder_busy": statistics.median(busy),
    }
    print("| what | documents/s | seconds | processor seconds |\n|---|---|---|---|")
    for name, each in seconds.items():
        rounds = (" ".join(f"{s:.2f}" for s in some) for some in (each, processor[name]))
        print(f"| {name} | {len(texts) / by_clock[name]:.1f} | {' | '.join(rounds)} |")
    for what, suffix in (("by the clock", ""), ("by processor time", "_by_processor")):
        print(
            f"{what}: {found['ratio_to_peer' + suffix]:.2f} x the peer, {found['share_of_bare' + suffix]:.1%} of bare"
        )
    print(f"encoder busy {found['encoder_busy']:.1%}; the peer's batches are of {batch}")
    print(" ".join(f"{key}: {value};" for key, value in found["machine"].items()))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
