"""Small documents streamed into an index by `add`: contexts a second and memory, and what opening and closing leaves.

    python benchmarks/streaming.py [--documents 50000] [--opens 1000] [--against PYTHON]

PYTHON is an interpreter that has another version of ctxsearch installed; rounds alternate the two. Each run is a
process of its own: a generator of one-sentence documents goes into a new index, in one `add`. Then an index is opened,
asked and closed so many times: memory, threads, open files and temporary files after a tenth of them and at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from machine import describe

ROUNDS = 3

ADD = """
import json, random, resource, sys, tempfile, time
import ctxsearch

def documents(count):
    words = "refund manager approves river engine letter garden window copper winter signal market".split()
    draw = random.Random(7)
    for number in range(count):
        yield ctxsearch.Document(f"Note {number}: the {' '.join(draw.choices(words, k=9))}.", f"note:{number}")

count = int(sys.argv[1])
with tempfile.TemporaryDirectory() as folder, ctxsearch.open(folder + "/index") as index:
    index.add(documents(300))
    first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    report = index.add(documents(count))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert report.documents.added == count - 300, report
    found = {"contexts_per_second": report.contexts / seconds, "first_mb": first / 1024, "peak_mb": peak / 1024}
    print(json.dumps(found))
"""

OPEN = """
import json, os, sys, tempfile, threading
from pathlib import Path
import ctxsearch

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def left():
    return {"threads": threading.active_count(), "tasks": len(os.listdir("/proc/self/task")),
            "files": len(os.listdir("/proc/self/fd")), "temporary": len(os.listdir(tempfile.gettempdir()))}

times, known = int(sys.argv[1]), {}
with tempfile.TemporaryDirectory() as folder:
    encoder = ctxsearch.Encoder() if hasattr(ctxsearch, "Encoder") else None
    options = {"encoder": encoder} if encoder else {}
    with ctxsearch.open(folder + "/index") as index:
        index.add([ctxsearch.Document("The manager approves refunds.", "refunds")])
    for number in range(times):
        with ctxsearch.open(folder + "/index", **options) as index:
            index.query("who approves refunds?", mode=("lexical", "dense", "hybrid")[number % 3 if encoder else 0])
        if number == times // 10:
            known = {"resident_mb": resident(), **left()}
    now = {"resident_mb": resident(), **left()}
print(json.dumps({"at_a_tenth": known, "at_the_end": now}))
"""


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--opens", type=int, default=1_000)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    pythons = {"this version": Path(sys.executable)}
    if given.against:
        pythons["the other"] = given.against
    print(json.dumps(describe()))
    added: dict[str, list[dict[str, float]]] = {which: [] for which in pythons}
    for _ in range(ROUNDS):
        for which, python in pythons.items():
            added[which].append(run(python, ADD, given.documents))
    for which, runs in added.items():
        middle = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        print(f"{which}: {given.documents:,} documents, {json.dumps({k: round(v, 1) for k, v in middle.items()})}")
    for which, python in pythons.items():
        print(f"{which}: opened and closed {given.opens:,} times, {json.dumps(run(python, OPEN, given.opens))}")


def run(python: Path, program: str, argument: int) -> dict[str, float]:
    """What a program prints."""
    done = subprocess.run([python, "-c", program, str(argument)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
