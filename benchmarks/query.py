"""A warm query, in milliseconds, against sentence-transformers and FAISS.

    python benchmarks/query.py INDEX QUESTIONS.json[.gz] --peer-python PYTHON --peer FOLDER --peer-model DIR

INDEX is an index of the question set's paragraphs, FOLDER what `benchmarks/peer.py make` made of the same ones. Each
round asks the same questions of both, ours in each mode; medians over all, and ratios to the peer (dense only).
At the end, over all questions of the set, how many of the ten best contexts of an exact search are among those that
dense mode finds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from machine import describe

import ctxsearch
from ctxsearch.questionset import read_questions
from ctxsearch.records import MODES

ROUNDS, QUESTIONS_OF_A_ROUND = 5, 60


def main() -> None:
    """Ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--peer-model", required=True)
    given = parser.parse_args()
    every = read_questions(given.questions).questions
    asked = every[:: max(1, len(every) // (ROUNDS * QUESTIONS_OF_A_ROUND))][: ROUNDS * QUESTIONS_OF_A_ROUND]
    command = [given.peer_python, str(Path(__file__).with_name("peer.py")), "serve", str(given.peer), given.peer_model]
    taken: dict[str, list[float]] = {"sentence-transformers + FAISS": [], **{mode: [] for mode in MODES}}
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as peer,
        ctxsearch.open(given.index, read_only=True) as index,
    ):
        assert peer.stdin is not None
        assert peer.stdout is not None
        assert peer.stdout.readline() == "ready\n"

        def ask_peer(question: str) -> float:
            peer.stdin.write(question + "\n")
            return float(peer.stdout.readline())

        for question in every[-20:]:  # both warm
            ask_peer(question)
            for mode in MODES:
                index.query(question, mode=mode)
        for first in range(0, len(asked), QUESTIONS_OF_A_ROUND):
            some = asked[first : first + QUESTIONS_OF_A_ROUND]
            taken["sentence-transformers + FAISS"] += [ask_peer(question) for question in some]
            for mode in MODES:
                for question in some:
                    started = time.perf_counter()
                    index.query(question, mode=mode)
                    taken[mode].append((time.perf_counter() - started) * 1000.0)
        peer.stdin.close()
    base = statistics.median(taken["sentence-transformers + FAISS"])
    rows = [
        {
            "what": what,
            "median": round(statistics.median(some), 2),
            "p95": round(statistics.quantiles(some, n=20)[-1], 2),
            "ratio": round(statistics.median(some) / base, 3),
        }
        for what, some in taken.items()
    ]
    found, wanted = recall(given.index, every)
    machine = describe()
    print("; ".join(machine.values()), file=sys.stderr)
    print(f"{'milliseconds a query':32s} {'median':>8s} {'p95':>8s} {'to peer':>8s}", file=sys.stderr)
    for row in rows:
        print(f"{row['what']:32s} {row['median']:8.2f} {row['p95']:8.2f} {row['ratio']:8.3f}", file=sys.stderr)
    print(f"{found:,} of the {wanted:,} best contexts of {len(every):,} questions are found", file=sys.stderr)
    said = {"questions": len(asked), "rounds": ROUNDS, "rows": rows, "found": found, "wanted": wanted}
    print(json.dumps({**said, "machine": machine}))


def recall(path: Path, questions: Sequence[str]) -> tuple[int, int]:
    """How many of the ten best contexts of each question dense mode finds, and how many these are."""
    with ctxsearch.open(path, read_only=True) as index, ctxsearch.open(path, read_only=True, recall=1.0) as exact:
        found = wanted = 0
        for question in questions:
            best, given = (
                {hit.context_id for hit in one.query(question, k=10, mode="dense")} for one in (exact, index)
            )
            found, wanted = found + len(best & given), wanted + len(best)
    return found, wanted


if __name__ == "__main__":
    main()
