"""Search at 10 thousand, 100 thousand and a million contexts: time, memory and recall, through the real store.

    python benchmarks/scale.py --data DIR --work DIR [--sizes 10000 100000 1000000]

DIR of ``--data`` holds squad/dev-v1.1.json.gz, squad/train-part.jsonl.gz and wiki/summaries.jsonl.gz.
A million contexts take about 12 GB below ``--work``; what is built there is used again.

Where the contexts come from. The texts of SQuAD v1.1 (dev, part of train) and of Wikipedia summaries are cut and
embedded as `ingest` does it, once; contexts of fewer than `LEAST_ROWS` rows are left out, so that there are about six
vectors a context. The first of the contexts built are those. The others are copies of them, each row moved by a random
distance that a real row has to the nearest row of another context (cosine 0.58 in the median), half of it in a
direction that all rows of the copy share; directions are differences of two random real rows, so they have the spread
of real embeddings. Texts are put together from random real sentences. Five contexts are a document; metadata keep
0.1 %, 10 % and 90 %.

Questions are those of SQuAD dev, embedded anew in each query. The exact answers that recall is compared with are
computed here, by NumPy, from the rows in the segments.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ctxsearch
from ctxsearch.layout import IndexFolder
from ctxsearch.passport import find_model
from ctxsearch.records import SENTENCE_WEIGHT, Context, Document, Filter, Sentence
from ctxsearch.store import LocalStore

LEAST_ROWS = 4
BATCH = 5_000
"""Contexts a commit."""

QUESTIONS = 200
ROUNDS = 3
"""Parts in which questions are timed, of `QUESTIONS` each."""

FILTERS: dict[str, tuple[dict[str, Any] | None, float]] = {
    "none": (None, 1.0),
    "0.1 %": ({"thousandth": 7}, 0.001),
    "10 %": ({"tenth": 3}, 0.1),
    "90 %": ({"most": True}, 0.9),
}
WEIGHT = SENTENCE_WEIGHT


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def paragraphs(data: Path) -> Iterator[tuple[str, str]]:
    for article in json.loads(unpacked(data / "squad/dev-v1.1.json.gz"))["data"]:
        yield from ((article["title"], paragraph["context"]) for paragraph in article["paragraphs"])
    for name, field in (("squad/train-part.jsonl.gz", "context"), ("wiki/summaries.jsonl.gz", "text")):
        for line in unpacked(data / name).splitlines():
            values = json.loads(line)
            yield values["title"], values[field]


def embed(data: Path, work: Path) -> None:
    """Cut and embed the real texts, once."""
    from ctxsearch.contexts import split
    from ctxsearch.encoder import Encoder

    if (work / "real.npz").exists():
        return
    encoder = Encoder(find_model())
    rows, counts, texts = [], [], []
    batch: list[tuple[str, Context]] = []

    def embed_batch() -> None:
        embedded = encoder.embed_contexts([context for _, context in batch])
        rows.append(embedded.vectors.astype(np.float16))
        counts.extend(np.diff(embedded.bounds).tolist())
        for title, c in batch:
            spans = [[s.start - c.start, s.end - c.start] for s in c.sentences]
            texts.append({"title": title, "text": c.text, "sentences": spans})
        batch.clear()

    for title, text in paragraphs(data):
        cut = split(Document(text, "x", title), encoder.count_tokens, encoder.context_budget)
        batch += [(title, context) for context in cut]
        if len(batch) >= 512:
            embed_batch()
    embed_batch()
    articles = json.loads(unpacked(data / "squad/dev-v1.1.json.gz"))["data"]
    questions = [qa["question"] for a in articles for p in a["paragraphs"] for qa in p["qas"]]
    chosen = np.random.default_rng(1).permutation(len(questions))[:2000]
    (work / "real.json").write_text(json.dumps({"contexts": texts, "questions": [questions[i] for i in chosen]}))
    np.savez(work / "real.npz", rows=np.concatenate(rows), counts=np.array(counts))


class Made:
    """Contexts drawn around real ones."""

    def __init__(self, work: Path) -> None:
        real = np.load(work / "real.npz")
        said = json.loads((work / "real.json").read_text())
        counts = real["counts"]
        kept = counts >= LEAST_ROWS
        self.rows = real["rows"][np.repeat(kept, counts)].astype(np.float32)
        self.counts = counts[kept]
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])
        self.texts = [text for text, keep in zip(said["contexts"], kept, strict=True) if keep]
        self.sentences = [text["text"][a:b].strip() + " " for text in self.texts for a, b in text["sentences"]]
        self.distances = self._distances()

    def _distances(self) -> Any:
        """Of sampled rows to the nearest row of another context."""
        random = np.random.default_rng(0)
        owner = np.repeat(np.arange(len(self.counts)), self.counts)
        sample = random.choice(len(self.rows), 1000, replace=False)
        products = self.rows[sample] @ self.rows.T
        products[owner[sample][:, np.newaxis] == owner[np.newaxis, :]] = -1.0
        return np.sqrt(2.0 - 2.0 * np.clip(products.max(axis=1), 0.0, 0.98))

    def batches(self, done: int, contexts: int) -> Iterator[list[tuple[Context, Any]]]:
        """Contexts with their rows, from a number on."""
        whole = len(self.counts)
        for first in range(done, contexts, BATCH):
            random = np.random.default_rng(first)
            numbers = np.arange(first, min(first + BATCH, contexts))
            which = numbers % whole
            counts = self.counts[which]
            owner = np.repeat(np.arange(len(which)), counts)
            starts = np.concatenate([[0], np.cumsum(counts)])
            rows = self.rows[np.repeat(self.starts[which] - starts[:-1], counts) + np.arange(starts[-1])]
            move = self._directions(random, len(which))[owner] + self._directions(random, len(rows))
            move *= random.choice(self.distances, len(which))[owner][:, np.newaxis] / np.sqrt(2.0)
            moved = rows + move * (numbers >= whole)[owner][:, np.newaxis]
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            chosen = random.integers(0, len(self.sentences), len(rows))
            batch = []
            for i, number in enumerate(numbers.tolist()):
                if number < whole:
                    text, spans = self.texts[number]["text"], self.texts[number]["sentences"]
                    sentences = tuple(Sentence(a, b) for a, b in spans)
                else:
                    several = [self.sentences[n] for n in chosen[starts[i] + 1 : starts[i + 1]]]
                    ends = np.cumsum([len(one) for one in several]).tolist()
                    text, sentences = "".join(several), tuple(map(Sentence, [0, *ends[:-1]], ends))
                context = Context(0, len(text), text, 100, (), sentences)
                batch.append((context, moved[starts[i] : starts[i + 1]].astype(np.float32)))
            yield batch

    def _directions(self, random: np.random.Generator, count: int) -> Any:
        one, other = random.integers(0, len(self.rows), (2, count))
        directions = self.rows[one] - self.rows[other]
        return directions / (np.linalg.norm(directions, axis=1, keepdims=True) + 1e-9)


def build(work: Path, contexts: int) -> dict[str, Any]:
    """Build an index; what it took is noted beside it."""
    note, filled = work / f"built-{contexts}.json", work / f"filled-{contexts}.json"
    path = work / f"index-{contexts}"
    if note.exists():
        return dict(json.loads(note.read_text()))
    made = Made(work)
    model = find_model()
    store = LocalStore.create(IndexFolder(path), model.passport, str(model.path.absolute()))
    started = time.perf_counter()
    busy = json.loads(filled.read_text())["insert_seconds"] if filled.exists() else 0.0
    with store.snapshot() as snapshot:
        done = snapshot.counts()[1]
    with store.writer() as writer:
        number = done  # a build that was cut off goes on
        for batch in made.batches(done, contexts):
            begun = time.perf_counter()
            for first in range(0, len(batch), 5):
                _put(writer, batch[first : first + 5], number)
                number += len(batch[first : first + 5])
            writer.commit()
            busy += time.perf_counter() - begun
            filled.write_text(json.dumps({"insert_seconds": round(busy, 1)}))
            if number % 100_000 == 0:
                print(f"{number} contexts in the catalog, {time.perf_counter() - started:.0f} s", file=sys.stderr)
        writing = time.perf_counter()
    ended = time.perf_counter()
    with store.snapshot() as snapshot:
        rows = len(snapshot.vectors())
    store.close()
    took = {
        "contexts": contexts,
        "rows": rows,
        "insert_seconds": round(busy, 1),
        "publish_seconds": round(ended - writing, 1),
        "build_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    note.write_text(json.dumps(took))
    return took


def _put(writer: Any, contexts: list[tuple[Context, Any]], number: int) -> None:
    group = number // 5
    metadata = {"thousandth": group % 1000, "tenth": group % 10, "most": group % 10 != 9}
    at, shifted = 0, []
    for context, _ in contexts:
        spans = tuple(Sentence(at + a, at + b) for a, b in context.sentences)
        shifted.append(Context(at, at + len(context.text), context.text, context.tokens, (), spans))
        at += len(context.text)
    document = Document("".join(c.text for c in shifted), f"document-{group}", f"document {group}", metadata)
    document_id = writer.put_document(document, f"hash-{group}")
    context_ids = writer.put_contexts(document_id, document.title, shifted)
    writer.put_vectors(context_ids, [rows for _, rows in contexts])


def truth(work: Path, contexts: int, embeddings: Any) -> dict[str, list[list[int]]]:
    """The exact ten best contexts for each filter, kept beside the index. Computed by NumPy from the segments."""
    kept = work / f"truth-{contexts}-{len(embeddings)}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    from ctxsearch.vectors import Segment

    best: dict[str, tuple[Any, Any]] = {}
    for path in sorted((work / f"index-{contexts}").glob("vectors-*.rows")):
        segment = Segment.read(path, embeddings.shape[1])
        for first in range(0, len(segment), 2000):
            starts = segment.starts[first : first + 2001]
            ids = segment.context_ids[first : first + 2000]
            products = embeddings @ segment.rows[starts[0] : starts[-1]].astype(np.float32).T
            firsts = starts[:-1] - starts[0]
            own = products[:, firsts].copy()
            products[:, firsts] = -2.0  # every context here has sentences
            scores = WEIGHT * np.maximum.reduceat(products, firsts, axis=1) + (1 - WEIGHT) * own
            group = (ids - 1) // 5  # ids begin with 1, in the order in which contexts were put
            fits = {"none": group >= 0, "0.1 %": group % 1000 == 7, "10 %": group % 10 == 3, "90 %": group % 10 != 9}
            for name, mask in fits.items():
                if not mask.any():
                    continue
                held, held_ids = best.get(name, (np.empty((len(embeddings), 0)), np.empty((len(embeddings), 0), int)))
                held = np.concatenate([held, scores[:, mask]], axis=1)
                held_ids = np.concatenate([held_ids, np.broadcast_to(ids[mask], scores[:, mask].shape)], axis=1)
                order = np.argpartition(-held, min(10, held.shape[1] - 1), axis=1)[:, :10]
                best[name] = np.take_along_axis(held, order, 1), np.take_along_axis(held_ids, order, 1)
    found = {name: ids.tolist() for name, (_, ids) in best.items()}
    kept.write_text(json.dumps(found))
    return found


def resident() -> int:
    """Resident memory of this process in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def p(values: list[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 2)


def warm(folder: Path) -> None:
    """Read all files of an index, so that they are in memory as far as there is room: the vectors last."""
    for path in sorted(folder.iterdir(), key=lambda path: "vectors" in path.name):
        with path.open("rb") as file:
            while file.read(1 << 22):
                pass


def timed(path: Path, mode: Any, questions: list[str]) -> dict[str, float]:
    """Milliseconds of questions in `ROUNDS` parts, each of questions that this process was not asked before.

    Other questions come first, so that what is kept from question to question is there. All are asked once before that
    by another `Index`, so that nothing is read from the disk and nothing that is kept comes from them. The median of
    the parts: this machine gives file cache back by itself, and reads it again in the middle of a search.
    """
    *parts, others = (questions[i :: ROUNDS + 1] for i in range(ROUNDS + 1))
    with ctxsearch.open(path, read_only=True) as index:
        for question in questions:
            index.query(question, k=10, mode=mode)
    found = []
    with ctxsearch.open(path, read_only=True) as index:
        for question in others:
            index.query(question, k=10, mode=mode)
        for part in parts:
            taken = []
            for question in part:
                begun = time.perf_counter()
                index.query(question, k=10, mode=mode)
                taken.append((time.perf_counter() - begun) * 1000)
            found.append((p(taken, 0.5), p(taken, 0.95)))
    medians, tails = zip(*found, strict=True)
    return {"p50": statistics.median(medians), "p95": statistics.median(tails)}


def measure(work: Path, contexts: int) -> dict[str, Any]:
    """In a process of its own: opening, queries of each mode, recall, filters, memory."""
    path = work / f"index-{contexts}"
    warm(path)
    asked = json.loads((work / "real.json").read_text())["questions"]
    started = time.perf_counter()
    index = ctxsearch.open(path, read_only=True)
    with index._store.snapshot() as snapshot:
        snapshot.vectors()
    opened = time.perf_counter() - started
    embedded = index._get_encoder().embed_questions(asked[:QUESTIONS])
    embeddings = np.stack([one.embedding for one in embedded])
    exact = truth(work, contexts, embeddings)
    warm(path)
    result: dict[str, Any] = {"open_ms": round(opened * 1000, 1), "recall": {}, "curve": []}
    for mode in ("dense", "lexical", "hybrid"):
        result[mode] = timed(path, mode, asked[: QUESTIONS * (ROUNDS + 1)])
        print(contexts, mode, result[mode], file=sys.stderr)
    for question in asked[:QUESTIONS]:  # what this one keeps is part of its memory
        index.query(question, k=10)
    for name, (where, _) in FILTERS.items():
        wanted = Filter(where) if where else None
        shares, taken = [], []
        with index._store.snapshot() as snapshot:
            begun = time.perf_counter()
            snapshot.search_dense(embeddings[0], 10, WEIGHT, wanted)
            first = (time.perf_counter() - begun) * 1000
            for embedding in embeddings:
                snapshot.search_dense(embedding, 10, WEIGHT, wanted)
            for i, embedding in enumerate(embeddings):
                begun = time.perf_counter()
                found = snapshot.search_dense(embedding, 10, WEIGHT, wanted)
                taken.append((time.perf_counter() - begun) * 1000)
                right = exact.get(name, [[]] * len(embeddings))[i]
                shares.append(len({c.context_id for c in found} & set(right)) / max(1, len(right)))
        result["recall"][name] = {
            "recall": round(statistics.mean(shares), 4),
            "first_ms": round(first, 1),
            "p50": p(taken, 0.5),
            "p95": p(taken, 0.95),
        }
        print(contexts, name, result["recall"][name], file=sys.stderr)
    with index._store.snapshot() as snapshot:
        lists = snapshot.vectors().lists()
        for level in lists[0].levels.levels if lists else ():
            shares, taken = [], []
            for right, embedding in zip(exact["none"], embeddings, strict=True):
                begun = time.perf_counter()
                found = snapshot.vectors().search(embedding, 10, WEIGHT, recall=level.wanted)
                taken.append((time.perf_counter() - begun) * 1000)
                shares.append(len({c.context_id for c in found} & set(right)) / 10)
            point = {"measured": level.recall, "real": round(statistics.mean(shares), 4), "p50": p(taken, 0.5)}
            result["curve"].append({**point, "probes": level.depths[0].probes, "rows": level.depths[0].rows})
    result["vector_index"] = lists[0].kind if lists else "exact"
    result["resident_mib"] = resident()
    index.close()
    return result


def plot(results: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    sizes = [r["contexts"] for r in results]
    for mode in ("dense", "lexical", "hybrid"):
        left.plot(sizes, [r[mode]["p95"] for r in results], marker="o", label=f"{mode}, p95")
    left.plot(sizes, [r["dense"]["p50"] for r in results], marker="o", linestyle=":", label="dense, p50")
    left.set(xscale="log", yscale="log", xlabel="contexts", ylabel="milliseconds, question embedded", title="latency")
    left.legend()
    for r in results:
        if r["curve"]:
            points = sorted((point["real"], point["p50"]) for point in r["curve"])
            right.plot(*zip(*points, strict=True), marker="o", label=f"{r['contexts']:,} contexts")
    right.set(
        xlabel="recall@10 on real questions", ylabel="milliseconds of search, p50", title="recall against latency"
    )
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CTXSEARCH_BENCH_DATA", "../shared/data")))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--only", choices=("build", "measure"))
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.only == "measure":
        print(json.dumps(measure(arguments.work, arguments.sizes[0])))
        return
    embed(arguments.data, arguments.work)
    if arguments.only == "build":
        print(json.dumps([build(arguments.work, size) for size in arguments.sizes]))
        return
    results = []
    for size in arguments.sizes:
        command = [sys.executable, __file__, "--data", arguments.data, "--work", arguments.work, "--sizes", str(size)]
        said = [  # each in a process of its own, for its memory
            json.loads(subprocess.run([*command, "--only", step], check=True, stdout=subprocess.PIPE).stdout)
            for step in ("build", "measure")
        ]
        results.append({**said[0][0], **said[1]})
    table(results)
    if arguments.plot:
        plot(results, arguments.plot)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"machine": machine, "results": results}))


def table(results: list[dict[str, Any]]) -> None:
    lines: list[tuple[str, Any]] = [
        ("vectors", lambda r: f"{r['rows']:,}"),
        ("vector index", lambda r: r["vector_index"]),
        ("insert, s", lambda r: r["insert_seconds"]),
        ("vector files, s", lambda r: r["publish_seconds"]),
        ("open, ms", lambda r: r["open_ms"]),
        ("resident, MiB", lambda r: r["resident_mib"]),
        *(
            (f"{m} p50 / p95, ms", lambda r, m=m: f"{r[m]['p50']} / {r[m]['p95']}")
            for m in ("dense", "lexical", "hybrid")
        ),
        *((f"recall@10, {n} kept", lambda r, n=n: r["recall"][n]["recall"]) for n in FILTERS),
        *(
            (f"search p50 / p95, {n} kept, ms", lambda r, n=n: f"{r['recall'][n]['p50']} / {r['recall'][n]['p95']}")
            for n in FILTERS
        ),
        *((f"first search, {n} kept, ms", lambda r, n=n: r["recall"][n]["first_ms"]) for n in FILTERS),
    ]
    print("| contexts | " + " | ".join(f"{r['contexts']:,}" for r in results) + " |")
    print("|---|" + "---|" * len(results))
    for name, value in lines:
        print(f"| {name} | " + " | ".join(str(value(r)) for r in results) + " |")


if __name__ == "__main__":
    main()
