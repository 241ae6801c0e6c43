"""``python -m tests.stress --minutes 30``: everything at once, at any length; ``--perturb`` overwrites freed memory."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import sys
import tempfile
from pathlib import Path

from ctxsearch import locks
from tests.stress.harness import Stress, summary

PERTURB = {"MALLOC_PERTURB_": "165", "MALLOC_MMAP_THRESHOLD_": "65536"}
"""glibc overwrites what is freed, and gives it back to the system at once: who reads it crashes or answers wrongly."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--perturb", action="store_true")
    arguments = parser.parse_args()
    if arguments.perturb and "MALLOC_PERTURB_" not in os.environ:
        os.execve(sys.executable, [sys.executable, "-m", "tests.stress", *sys.argv[1:]], {**os.environ, **PERTURB})
    faulthandler.enable()
    locks.check_order()
    with tempfile.TemporaryDirectory() as root:
        os.environ.setdefault("CTXSEARCH_CACHE", str(Path(root) / "cache"))
        report = Stress(Path(root), arguments.seed, arguments.threads).run(60 * arguments.minutes)
    for error in report.errors[:3]:
        print(error, file=sys.stderr)
    print(json.dumps(summary(report)))
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
