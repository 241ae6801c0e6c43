"""ctxsearch beside other engines that run inside a Python process: ingest, query and start, in one run.

    python benchmarks/peers.py SQUAD.json[.gz] --peer-python PYTHON --peer-model DIR [--texts 500] [--rounds 3]

PYTHON has `chromadb txtai lancedb qdrant-client sentence-transformers`; nothing is fetched from the network. Each
engine runs in a new process each round, in turns, with its own defaults but for the model: all embed with the base
model in DIR by sentence-transformers (txtai: by transformers), which is what they offer for a model in a folder. So
Chroma runs without its own ONNX embedder and Qdrant without fastembed: both want a download.

A line an engine: contexts/s of an ingest that ends with everything on disk, the model loaded before; milliseconds of a
question, the median of 20, k=5; seconds from the start of Python until the model has embedded a first text.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENGINES = ("ctxsearch", "chroma", "txtai", "lancedb", "qdrant")
QUESTIONS = 20
WARM_UP = "The first text takes longer."

Ingest = Callable[[list[str]], None]
Ask = Callable[[str], Any]


def ctxsearch_engine(folder: str, model: str) -> tuple[Ingest, Ask]:
    import ctxsearch

    index = ctxsearch.open(os.path.join(folder, "index"))
    with ctxsearch.open(os.path.join(folder, "warm")) as warm:
        warm.add([ctxsearch.Document(WARM_UP, "warm")])
        index._encoder = warm._encoder

    def ingest(texts: list[str]) -> None:
        index.add(ctxsearch.Document(text, f"text:{i}") for i, text in enumerate(texts))

    return ingest, lambda question: index.query(question, k=5)


def chroma(folder: str, model: str) -> tuple[Ingest, Ask]:
    import chromadb
    from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction

    embed = SentenceTransformerEmbeddingFunction(model_name=model)
    client = chromadb.PersistentClient(folder, settings=chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("texts", embedding_function=embed)
    embed([WARM_UP])

    def ingest(texts: list[str]) -> None:
        most = client.get_max_batch_size()
        for first in range(0, len(texts), most):
            some = texts[first : first + most]
            collection.add(ids=[str(first + i) for i in range(len(some))], documents=some)

    return ingest, lambda question: collection.query(query_texts=[question], n_results=5)


def txtai(folder: str, model: str) -> tuple[Ingest, Ask]:
    from txtai import Embeddings

    embeddings = Embeddings(path=model, content=True)
    embeddings.transform(WARM_UP)

    def ingest(texts: list[str]) -> None:
        embeddings.index(texts)
        embeddings.save(os.path.join(folder, "index"))

    return ingest, lambda question: embeddings.search(question, 5)


def lancedb(folder: str, model: str) -> tuple[Ingest, Ask]:
    import lancedb
    import pyarrow
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model, device="cpu")
    dim = len(encoder.encode(WARM_UP))
    schema = pyarrow.schema([("text", pyarrow.string()), ("vector", pyarrow.list_(pyarrow.float32(), dim))])
    table = lancedb.connect(folder).create_table("texts", schema=schema)

    def ingest(texts: list[str]) -> None:
        vectors = encoder.encode(texts, normalize_embeddings=True)
        table.add([{"text": text, "vector": vector} for text, vector in zip(texts, vectors, strict=True)])

    return ingest, lambda question: table.search(encoder.encode(question)).limit(5).to_list()


def qdrant(folder: str, model: str) -> tuple[Ingest, Ask]:
    from qdrant_client import QdrantClient, models
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model, device="cpu")
    dim = len(encoder.encode(WARM_UP))
    client = QdrantClient(path=folder)
    client.create_collection("texts", models.VectorParams(size=dim, distance=models.Distance.COSINE))

    def ingest(texts: list[str]) -> None:
        vectors = encoder.encode(texts, normalize_embeddings=True)
        points = [
            models.PointStruct(id=i, vector=vector.tolist(), payload={"text": text})
            for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ]
        client.upsert("texts", points)

    return ingest, lambda question: client.query_points("texts", encoder.encode(question).tolist(), limit=5)


def measure(name: str, squad: Path, model: str, texts: int) -> dict[str, float]:
    """One engine, in this process."""
    made = {"ctxsearch": ctxsearch_engine, "chroma": chroma, "txtai": txtai, "lancedb": lancedb, "qdrant": qdrant}
    content = gzip.decompress(squad.read_bytes()) if squad.suffix == ".gz" else squad.read_bytes()
    paragraphs = [p for article in json.loads(content)["data"] for p in article["paragraphs"]]
    step = max(1, len(paragraphs) // texts)
    some = [p["context"] for p in paragraphs[::step]][:texts]
    questions = [p["qas"][0]["question"] for p in paragraphs[::step] if p["qas"]][: QUESTIONS + 3]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ingest, ask = made[name](folder, model)
        print("ready", flush=True)
        started = time.perf_counter()
        ingest(some)
        seconds = time.perf_counter() - started
        spent = []
        for question in questions:
            started = time.perf_counter()
            ask(question)
            spent.append(time.perf_counter() - started)
    return {"contexts_per_second": len(some) / seconds, "query_ms": statistics.median(spent[3:]) * 1e3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer-model", required=True)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        print(json.dumps(measure(given.engine, given.squad, given.peer_model, given.texts)))
        return

    import machine

    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in ENGINES}
    for _ in range(given.rounds):
        for name in ENGINES:
            python = sys.executable if name == "ctxsearch" else given.peer_python
            options = ["--peer-python", python, "--peer-model", given.peer_model, "--texts", str(given.texts)]
            started = time.perf_counter()
            with (
                tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
                subprocess.Popen(
                    [python, __file__, str(given.squad), *options, "--engine", name],
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env={**os.environ, **offline},
                ) as process,
            ):
                assert process.stdout
                start = next((time.perf_counter() - started for line in process.stdout if line == "ready\n"), 0.0)
                output = process.stdout.read()
                process.wait()
                errors.seek(0)
                complaint = errors.read().strip()
            if process.returncode:
                print(f"{name} could not run: {complaint.splitlines()[-1]}", file=sys.stderr)
                continue
            rounds[name].append({**json.loads(output.splitlines()[-1]), "start_s": start})

    medians = {
        name: {key: statistics.median(each[key] for each in several) for key in several[0]}
        for name, several in rounds.items()
        if several
    }
    ours = medians["ctxsearch"]["contexts_per_second"]
    print("| engine | contexts/s | ours is | query ms | start s |\n|---|---|---|---|---|")
    for name, of in medians.items():
        rate = of["contexts_per_second"]
        print(f"| {name} | {rate:.1f} | {ours / rate:.1f} x | {of['query_ms']:.1f} | {of['start_s']:.1f} |")
    described = machine.describe()
    print(" ".join(f"{key}: {value};" for key, value in described.items()))
    if given.json:
        found = {"machine": described, "texts": given.texts, "rounds": rounds, "medians": medians}
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
