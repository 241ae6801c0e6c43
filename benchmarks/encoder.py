"""What share of the processor's INT8 matrix product peak the encoder reaches, and where the rest goes.

    python benchmarks/encoder.py SQUAD.json[.gz] [--model NAME] [--rounds 5] [--json FILE]

Peak: chains of INT8 matrix products of 1,024 x 1,024 x 1,024 in OpenVINO, one on each core; the time of the fastest
product, times the cores. It takes 2 ms, so that other work on the machine seldom falls into each of them.
Encoder: all contexts of the file, cut beforehand, through `Encoder.embed_contexts`: tokenizing and pooling included.
Operations are those of the tokens of the texts, without padding: two for each weight of a product and token, and those
of attention. Peak and encoder alternate; the best of each counts, since what disturbs only ever slows down.

The profile runs one inference of the size that an ingest uses on each core, and adds up each node's fastest time; its
share of the peak is that of the graph alone on a machine that does nothing else. Beside it stands what the softmax of
attention takes by itself: what would be left if the products of attention cost nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import machine
import numpy as np
import openvino
from openvino import opset13 as ops

from ctxsearch.contexts import split
from ctxsearch.encoder import Encoder
from ctxsearch.encoder.inference import TOKENS_PER_BATCH
from ctxsearch.passport import GRAPH, find_model
from ctxsearch.records import Context, Document

SIZE, LAYERS = 1024, 8
PROFILED = 160
"""Tokens of the texts in the profile: the mean of SQuAD."""

LENGTHS = (16, 32, 64, 128, 256, 384)
TOKENS_OF_A_LENGTH = 65_536


def texts_of(path: Path) -> list[str]:
    """The paragraphs of a SQuAD file."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [p["context"] for article in json.loads(content)["data"] for p in article["paragraphs"]]


class Peak:
    """INT8 matrix products with nothing to do between them but the requantisation."""

    def __init__(self) -> None:
        x = ops.parameter([SIZE, SIZE], np.float32)
        node = x
        rng = np.random.default_rng(0)
        for _ in range(LAYERS):
            weights = ops.convert(ops.constant(rng.integers(-127, 127, (SIZE, SIZE)).astype(np.int8)), np.float32)
            scale = ops.constant(np.full((SIZE, 1), 0.01 / SIZE**0.5, np.float32))
            low, high = np.float32(-1), np.float32(1)
            quantised = ops.fake_quantize(node, low, high, low, high, 256)
            node = ops.matmul(quantised, ops.multiply(weights, scale), False, True)
        options = {"PERFORMANCE_HINT": "THROUGHPUT", "PERF_COUNT": "YES"}
        compiled = openvino.Core().compile_model(openvino.Model([node], [x]), "CPU", options)
        self.streams = int(compiled.get_property("NUM_STREAMS"))
        self._queue = openvino.AsyncInferQueue(compiled, self.streams)
        self._x = rng.random((SIZE, SIZE), np.float32)

    def measure(self) -> float:
        """Operations a second of the fastest product of many, on all cores."""
        seconds = []
        for _ in range(20):
            for _ in range(self.streams):
                self._queue.start_async([self._x])
            self._queue.wait_all()
            nodes = [node for request in self._queue for node in request.profiling_info]
            products = [node for node in nodes if node.node_type == "FullyConnected" and "i8" in node.exec_type.lower()]
            seconds += [node.real_time.total_seconds() for node in products]
        return self.streams * 2 * SIZE**3 / min(seconds)


def operations(model: Any, lengths: list[int]) -> int:
    """Operations of the products and of attention over texts of so many tokens."""
    weights = attentions = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul":
            shape = node.input(1).get_partial_shape()
            weights += shape[0].get_length() * shape[1].get_length() if shape.rank.get_length() == 2 else 0
        attentions += node.get_type_name() == "ScaledDotProductAttention"
    dim = model.outputs[0].get_partial_shape()[-1].get_length()
    return sum(2 * weights * n + 4 * attentions * dim * n * n for n in lengths)


def attention_of(model: Any) -> tuple[int, int]:
    """How many attentions a graph has, and of how many heads each."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "ScaledDotProductAttention"]
    return len(nodes), nodes[0].input(0).get_partial_shape()[1].get_length()


def profile(model: Any, feeds: list[Any] | dict[str, Any]) -> list[tuple[str, str, int, float]]:
    """(Type, kernel, nodes, ms) of an inference on one core while the others have one, too; the longest first."""
    compiled = openvino.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "PERF_COUNT": "YES"})
    queue = openvino.AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    best: dict[str, tuple[str, str, float]] = {}
    for _ in range(60):
        for _ in range(len(queue)):
            queue.start_async(feeds)
        queue.wait_all()
        for request in queue:
            for node in request.profiling_info:
                if node.status == node.Status.EXECUTED:
                    ms = node.real_time.total_seconds() * 1e3
                    before = best.get(node.node_name, ("", "", np.inf))[2]
                    best[node.node_name] = (node.node_type, node.exec_type, min(ms, before))
    kinds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for kind, kernel, ms in best.values():
        kinds[kind, kernel].append(ms)
    return sorted(((*kind, len(ms), sum(ms)) for kind, ms in kinds.items()), key=lambda row: -row[3])


def softmax_ms(texts: int, heads: int, length: int) -> float:
    """Milliseconds of one layer's softmax by itself, on one core while the others do the same."""
    scores = ops.parameter([-1, heads, -1, -1], np.float32)
    model = openvino.Model([ops.softmax(scores, -1)], [scores])
    rows = profile(model, [np.random.default_rng(0).random((texts, heads, length, length), np.float32)])
    return next(ms for kind, _, _, ms in rows if kind == "Softmax")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = find_model(given.model) if given.model else find_model()
    encoder, peak = Encoder(folder), Peak()
    documents = [Document(text, str(i)) for i, text in enumerate(texts_of(given.squad))]
    contexts = [c for d in documents for c in split(d, encoder.count_tokens, encoder.context_budget)]
    tokens = [context.tokens + 2 for context in contexts]
    work = operations(openvino.Core().read_model(str(folder.path / GRAPH)), tokens)
    encoder.embed_contexts(contexts[:64])
    rates, seconds = [], []
    for _ in range(given.rounds):
        rates.append(peak.measure())
        started = time.perf_counter()
        encoder.embed_contexts(contexts)
        seconds.append(time.perf_counter() - started)
    best, fastest = max(rates), min(seconds)
    found: dict[str, Any] = {
        "machine": machine.describe(),
        "peak_gops": best / 1e9,
        "contexts": len(contexts),
        "tokens": sum(tokens),
        "contexts_per_second": len(contexts) / fastest,
        "tokens_per_second": sum(tokens) / fastest,
        "gops": work / fastest / 1e9,
        "share_of_peak": work / fastest / best,
    }
    print(f"peak {best / 1e9:.0f} GOPS; encoder {work / fastest / 1e9:.0f} GOPS: {work / fastest / best:.1%} of it")
    print(f"{len(contexts) / fastest:.0f} contexts/s, {sum(tokens) / fastest:.0f} tokens/s")

    print("\ntokens a context | contexts/s | tokens/s")
    text = " ".join(document.text for document in documents)
    words = [piece for piece in text.split() if encoder.count_tokens([piece]) == [1]]
    found["by_length"] = []
    for length in LENGTHS:
        several = TOKENS_OF_A_LENGTH // length
        spans = [" ".join(words[i % 50_000 : i % 50_000 + length - 2]) for i in range(0, several * 7, 7)]
        alike = [Context(0, len(span), span, length - 2) for span in spans]
        spent = []
        for _ in range(given.rounds):
            started = time.perf_counter()
            encoder.embed_contexts(alike)
            spent.append(time.perf_counter() - started)
        rate = several / min(spent)
        found["by_length"].append({"tokens": length, "contexts_per_second": rate})
        print(f"{length:4} | {rate:6.0f} | {rate * length:6.0f}")

    count, graph_path = TOKENS_PER_BATCH // PROFILED, str(folder.path / GRAPH)
    ids = np.random.default_rng(0).integers(1000, 20000, (count, PROFILED))
    rows = profile(graph_path, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    whole = sum(row[3] for row in rows)
    model = openvino.Core().read_model(graph_path)
    graph = operations(model, [PROFILED] * count)
    found["graph_share_of_peak"] = graph / (whole / 1e3) / (best / peak.streams)
    print(f"\nthe graph alone: {found['graph_share_of_peak']:.1%} of the peak")
    layers, heads = attention_of(model)
    found["softmax_ms"] = layers * softmax_ms(count, heads, PROFILED)
    print(f"softmax of its {layers} attentions, by itself: {found['softmax_ms']:.1f} ms")
    found["profile"] = [{"type": t, "kernel": k, "nodes": n, "ms": ms, "share": ms / whole} for t, k, n, ms in rows]
    print(f"\nnode | kernel | number | ms | share of {whole:.1f} ms ({count} x {PROFILED} tokens on one core)")
    for kind, kernel, number, ms in rows[:14]:
        print(f"{kind} | {kernel} | {number} | {ms:.2f} | {ms / whole:.1%}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
