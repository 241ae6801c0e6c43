"""Lexical search in a large index.

    python benchmarks/lexical.py TEXTS.jsonl[.gz] [CONTEXTS] [--questions SQUAD.json[.gz]]

Makes a store of a million contexts of 40 to 160 words, drawn with the frequencies that words have in the texts, and
times `search_lexical` for questions of common words alone, of any words, of stop words, and for real questions. The
vectors are of 8 random numbers: no dense search is measured here.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import random
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ctxsearch.layout import IndexFolder
from ctxsearch.passport import find_model
from ctxsearch.questionset import read_questions
from ctxsearch.records import Context, Document, Sentence
from ctxsearch.store import LocalStore

CONTEXTS_OF_A_DOCUMENT, DOCUMENTS_OF_A_COMMIT = 100, 100
QUESTIONS, WORDS, K = 200, 10, 100
STOP_WORDS = "what is the name of a who was in it to be on as for by that which from with at are".split()


def main() -> None:
    """Make the store, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("contexts", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--questions", type=Path)
    given = parser.parse_args()
    data = given.texts.read_bytes()
    lines = (gzip.decompress(data) if given.texts.suffix == ".gz" else data).decode().splitlines()
    words = collections.Counter(w for line in lines for w in re.findall(r"\w+", json.loads(line)["text"].lower()))
    drawn = list(words.elements())
    common = [word for word, _ in words.most_common(400)]
    draw = random.Random(3)
    kinds: dict[str, Callable[[], str]] = {
        "common words": lambda: " ".join(draw.choices(common, k=WORDS)),
        "stop words": lambda: " ".join(draw.choices(STOP_WORDS, k=8)),
        "any words": lambda: " ".join(draw.choices(drawn, k=WORDS)),
    }
    if given.questions:
        real = read_questions(given.questions).questions
        kinds["real questions"] = lambda: draw.choice(real)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        store = fill(Path(folder) / "index", given.contexts, words)
        print(f"{given.contexts:,} contexts in {time.perf_counter() - started:.0f} s")
        for kind, ask in kinds.items():
            times = []
            for _ in range(QUESTIONS):
                question = ask()
                started = time.perf_counter()
                with store.snapshot() as snapshot:
                    snapshot.search_lexical(question, K)
                times.append(1000 * (time.perf_counter() - started))
            low, high = np.percentile(times, [50, 95])
            print(f"{kind}: median {low:.1f} ms, p95 {high:.1f} ms, most {max(times):.1f} ms", flush=True)
        store.close()


def fill(path: Path, contexts: int, words: collections.Counter[str]) -> LocalStore:
    """A store of synthetic documents."""
    passport = replace(find_model().passport, dim=8, lexical_dim=0, lexical_weight=0.0)
    store = LocalStore.create(IndexFolder(path), passport, "")
    draw = np.random.default_rng(1)
    vocabulary = np.array(list(words))
    cumulated = np.cumsum(np.array([words[word] for word in vocabulary], float))
    row = np.zeros((1, 8), np.float32)
    with store.writer() as writer:
        for number in range(contexts // CONTEXTS_OF_A_DOCUMENT):
            lengths = draw.integers(40, 161, CONTEXTS_OF_A_DOCUMENT)
            places = np.searchsorted(cumulated, draw.random(lengths.sum()) * cumulated[-1])
            chosen = np.split(vocabulary[places], np.cumsum(lengths)[:-1])
            made = []
            start = 0
            for own in chosen:
                text = " ".join(own) + " "
                made.append(
                    Context(start, start + len(text), text, len(own), (), (Sentence(start, start + len(text)),))
                )
                start += len(text)
            title = " ".join(chosen[0][:3])
            document = Document("".join(context.text for context in made), source=f"d{number}", title=title)
            key = writer.put_document(document, str(number))
            context_ids = writer.put_contexts(key, title, made)
            writer.put_vectors(context_ids, [row + draw.random((1, 8), np.float32) for _ in made])
            if number % DOCUMENTS_OF_A_COMMIT == 0:
                writer.commit()
        writer.commit()
    return store


if __name__ == "__main__":
    main()
