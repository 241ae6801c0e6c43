"""``python -m tests.soak --minutes 5 --readers 8``: readers and a writer at any length."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import ctxsearch
from tests import hashing
from tests.soak.harness import Soak


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--readers", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        soak = Soak(Path(root))
        alone = soak.run(arguments.readers, arguments.minutes * 12, writes=False)
        busy = soak.run(arguments.readers, arguments.minutes * 60, writes=True)
        with ctxsearch.open(soak.index) as index:
            problems = index.verify() + hashing.misfits(index)
            assert {d.source: d.metadata["version"] for d in index.documents()} == soak.documents
    for name, found in (("no writer", alone), ("a writer", busy)):
        print(f"{name}: {found['answers']} answers, p50 {found['p50']:.1f} ms, p95 {found['p95']:.1f} ms")
    print(
        f"{arguments.readers} readers and 1 writer for {arguments.minutes:g} minutes: 0 errors, 0 torn answers over "
        f"{busy['generations']} generations (each reader saw {busy['seen']:.0f}); verify afterwards: {problems}"
    )


if __name__ == "__main__":
    main()
