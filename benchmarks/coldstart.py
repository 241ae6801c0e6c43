"""One command from a cold shell, in seconds, files in the disk cache, against sentence-transformers and FAISS.

    python benchmarks/coldstart.py INDEX --peer-python PYTHON --peer FOLDER --peer-model DIR [--question Q]

FOLDER is what `benchmarks/peer.py make` made of the texts that are in INDEX. Rounds alternate ours and the peer; wall
and processor time of each command, medians, ratios of wall to the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import describe

ROUNDS = 4
PEER = "sentence-transformers + FAISS"


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--peer-model", required=True)
    parser.add_argument("--question", default="who invented the telephone?")
    given = parser.parse_args()
    ours = [str(Path(sys.executable).with_name("ctxsearch"))]
    query = [*ours, "query", given.question, "--index", str(given.index), "--mode"]
    commands = {
        PEER: [
            given.peer_python,
            str(Path(__file__).with_name("peer.py")),
            "ask",
            str(given.peer),
            given.peer_model,
            given.question,
        ],
        "query, hybrid": [*query, "hybrid"],
        "query, dense": [*query, "dense"],
        "query, lexical": [*query, "lexical"],
        "status": [*ours, "status", "--index", str(given.index)],
        "--help": [*ours, "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    for command in commands.values():  # the disk cache, byte code, compiled models
        run(command)
    taken: dict[str, list[tuple[float, float]]] = {what: [] for what in commands}
    for _ in range(ROUNDS):
        for what, command in commands.items():
            taken[what].append(run(command))
    base = statistics.median(wall for wall, _ in taken[PEER])
    rows = []
    for what, some in taken.items():
        wall, processor = (statistics.median(values) for values in zip(*some, strict=True))
        rows.append(
            {"what": what, "wall": round(wall, 3), "processor": round(processor, 3), "ratio": round(wall / base, 3)}
        )
    machine = describe()
    print("; ".join(machine.values()), file=sys.stderr)
    print(f"{'seconds a command':32s} {'wall':>8s} {'processor':>10s} {'to peer':>8s}", file=sys.stderr)
    for row in rows:
        print(f"{row['what']:32s} {row['wall']:8.3f} {row['processor']:10.3f} {row['ratio']:8.3f}", file=sys.stderr)
    print(json.dumps({"rounds": ROUNDS, "rows": rows, "machine": machine}))


def run(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a command that must succeed."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


if __name__ == "__main__":
    main()
