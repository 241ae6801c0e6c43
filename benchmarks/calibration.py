"""What a score is worth: python benchmarks/calibration.py DATASET.json [--mode M] [--model NAME|DIR] [--out PNG]

Half of the articles of the dataset are taken out of the index, all of its questions are asked. Prints the expected
calibration error of the first hit's score, and how many answerable questions pass the threshold that 5 % of the others
pass; draws the reliability diagram. Needs the extra [bench].
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxsearch.evaluate import FALSE_ACCEPTS, Trust, measure_trust
from ctxsearch.passport import find_model
from ctxsearch.questionset import read_questions


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--mode", default="hybrid")
    parser.add_argument("--model")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".png"))
    given = parser.parse_args()
    model = find_model(given.model)
    found = measure_trust(model, read_questions(given.dataset), given.mode)
    print(f"{given.dataset.name}, {given.mode}, {model.passport.label}")
    print(f"{found.answerable:,} questions with an answer in the index, {found.unanswerable:,} without")
    print(f"expected calibration error of the first hit's score: {found.expected_calibration_error:.4f}")
    print(
        f"threshold {found.threshold:.4f}: {FALSE_ACCEPTS:g} % of those without are answered, "
        f"{found.answered:.2f} % of those with, {found.answered_right:.2f} % rightly"
    )
    print("questions  mean score  share right")
    for count, mean, share in found.bins:
        print(f"{count:9,}  {mean:10.3f}  {share:11.3f}")
    draw(found, given.out, f"{given.dataset.name}, half of its articles missing, {given.mode}")


def draw(found: Trust, out: Path, title: str) -> None:
    """The reliability diagram: a point a bin, its area the share of questions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    total = sum(count for count, _, _ in found.bins)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([mean for _, mean, _ in found.bins], [share for _, _, share in found.bins], color="C0", linewidth=1)
    axes.scatter(
        [mean for _, mean, _ in found.bins],
        [share for _, _, share in found.bins],
        [20 + 800 * count / total for count, _, _ in found.bins],
        color="C0",
        alpha=0.6,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="score of the first hit", ylabel="share that is right")
    axes.set_title(f"{title}\nexpected calibration error {found.expected_calibration_error:.3f}", fontsize=9)
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main()
