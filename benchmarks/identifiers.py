"""Whether a document that holds a string to the letter is found first by it, among near misses, in each mode.

    python benchmarks/identifiers.py [TABLE]

TABLE is a JSON list of rows with ``kind``, ``query``, ``text`` and ``near``, the texts of near misses; it is
tests/identifiers.json unless given. All texts of all rows are documents of one index. A number is the rank of the
row's text, a dash that it is not among the first ten.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import ctxsearch

TABLE = Path(__file__).parent.parent / "tests" / "identifiers.json"
MODES: tuple[ctxsearch.Mode, ...] = ("lexical", "hybrid", "dense")


def main() -> None:
    """Index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    rows = json.loads(parser.parse_args().table.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, ctxsearch.open(Path(folder) / "index") as index:
        index.add(ctxsearch.Document(row["text"], f"{number}") for number, row in enumerate(rows))
        index.add(
            ctxsearch.Document(text, f"{number}, near {place}")
            for number, row in enumerate(rows)
            for place, text in enumerate(row["near"])
        )
        ranks = {
            mode: [rank(index, row["query"], f"{number}", mode) for number, row in enumerate(rows)] for mode in MODES
        }
    print("| kind | query | near misses |", " | ".join(MODES), "|")
    print("|---|---|---:|" + "---:|" * len(MODES))
    for number, row in enumerate(rows):
        found = " | ".join(str(ranks[mode][number] or "–") for mode in MODES)
        print(f"| {row['kind']} | `{row['query']}` | {len(row['near'])} | {found} |")
    print()
    print("first:", ", ".join(f"{mode} {ranks[mode].count(1)} of {len(rows)}" for mode in MODES))


def rank(index: ctxsearch.Index, question: str, source: str, mode: ctxsearch.Mode) -> int:
    """The rank of a document in an answer, 0 if it is not there."""
    found = [hit.source for hit in index.query(question, k=10, mode=mode)]
    return found.index(source) + 1 if source in found else 0


if __name__ == "__main__":
    main()
