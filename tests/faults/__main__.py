"""``python -m tests.faults --files 300``: the damage harness at any length."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.faults.damage import Damage


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        damage = Damage(Path(root), arguments.seed)
        for _ in range(arguments.files):
            damage.once()
    print(f"{arguments.files} files damaged, no wrong answer in silence, nothing embedded again")
    for outcome, count in sorted(damage.outcomes.items()):
        print(f"{count:>5}  {outcome}")


if __name__ == "__main__":
    main()
