"""``python -m tests.fuzz --cases 10000``: the fuzz harness at any length, in several processes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.conftest import ROOT
from tests.fuzz.harness import Fuzz, limit_memory

MEMORY = Path("/dev/shm")
"""Files in memory: most of the time of a case would be waiting for the disk."""

BATCH = 250
"""Cases of one process, so that the memory that one case takes is told apart from what others left."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", action="store_true", help="run the cases in this process, as main does in others")
    arguments = parser.parse_args()
    if arguments.batch:
        limit_memory()
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as root:
            print(json.dumps(Fuzz(Path(root), arguments.seed).run(arguments.cases)))
        return 0
    started = time.monotonic()
    waiting = [
        (arguments.seed * 1_000_000 + first, min(BATCH, arguments.cases - first))
        for first in range(0, arguments.cases, BATCH)
    ]
    outcomes: Counter[str] = Counter()
    errors: list[str] = []
    peak = 0
    running: dict[int, subprocess.Popen[str]] = {}
    while waiting or running:
        while waiting and len(running) < arguments.processes:
            seed, cases = waiting.pop(0)
            command = [sys.executable, "-m", "tests.fuzz", "--batch", "--cases", str(cases), "--seed", str(seed)]
            running[seed] = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        for seed, process in list(running.items()):
            if process.poll() is None:
                continue
            said, complaint = process.communicate()
            del running[seed]
            if process.returncode:
                errors.append(f"seed {seed}: ended with {process.returncode}: {complaint[-3000:]}")
                print(errors[-1], file=sys.stderr, flush=True)
                continue
            found = json.loads(said)
            outcomes.update(found["outcomes"])
            print(f"{outcomes.total()} cases, {time.monotonic() - started:.0f} s", flush=True)
            for error in found["errors"]:
                print(error, file=sys.stderr, flush=True)
            errors += found["errors"]
            peak = max(peak, found["megabytes"])
        time.sleep(0.1)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:>6}  {outcome}")
    seconds = time.monotonic() - started
    print(f"{outcomes.total()} cases, {len(errors)} errors, at most {peak} MB, {seconds:.0f} s, seed {arguments.seed}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
