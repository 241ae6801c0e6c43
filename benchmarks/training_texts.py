"""Choose the Wikipedia summaries that the model in the box was trained on.

    python benchmarks/training_texts.py SUMMARIES DEV OUT

2,000 drawn from those whose title is no article of SQuAD dev; every fifth is left for measuring the title task.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path


def main(summaries: Path, dev: Path, out: Path) -> None:
    """Write a JSONL file of documents."""
    articles = json.loads(gzip.decompress(dev.read_bytes()))["data"]
    test = {article["title"].replace("_", " ").lower() for article in articles}
    rows = [json.loads(line) for line in gzip.decompress(summaries.read_bytes()).decode().splitlines()]
    allowed = [row for row in rows if row["title"].lower() not in test]
    drawn = random.Random(1).sample([row for number, row in enumerate(allowed) if number % 5], 2000)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in drawn), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
