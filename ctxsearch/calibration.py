"""What a score is worth: evidence about a hit becomes the probability that it answers the question. Pure functions.

A logistic model a mode, fitted on questions with and without an answer in the index (`ctxsearch model calibrate`); its
numbers are in the model's card, since they belong to its embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctxsearch.records import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEATURES = ("score", "lead", "lag", "dense", "lexical", "coverage", "known")

RIDGE = 1.0
"""Penalty on the squared weights of standardised features, against a fit to chance."""

LEAST_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of `FEATURES`, and the bias."""

    weights: tuple[float, ...]
    bias: float

    def probabilities(self, ranked: Sequence[Evidence]) -> list[float]:
        """For each hit the probability that it answers, 0 to 1; never more than that of the hit before.

        Args:
            ranked: best first; at least one more than are of interest, since the lead over the next counts.
        """
        found = []
        least = 1.0
        for row in features(ranked):
            value = self.bias + math.fsum(weight * x for weight, x in zip(self.weights, row, strict=True))
            least = min(least, 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, value)))))
            found.append(least)
        return found

    def to_dict(self) -> dict[str, Any]:
        """As the card has it; `from_dict` reads it back."""
        weights = {name: round(weight, 6) for name, weight in zip(FEATURES, self.weights, strict=True)}
        return {"bias": round(self.bias, 6), "weights": weights}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration | None:
        """None for what is no calibration, or one over other features."""
        try:
            weights = values["weights"]
            if set(weights) != set(FEATURES):
                return None
            return cls(tuple(float(weights[name]) for name in FEATURES), float(values["bias"]))
        except (KeyError, TypeError, ValueError):
            return None


def features(ranked: Sequence[Evidence]) -> list[list[float]]:
    """A row of `FEATURES` for each hit.

    ``lead`` is how far the first stands above the second (0 for others), ``lag`` how far a hit stands below the first.
    """
    rows = []
    for place, one in enumerate(ranked):
        lead = one.score - ranked[1].score if place == 0 and len(ranked) > 1 else 0.0
        lag = ranked[0].score - one.score
        rows.append([one.score, lead, lag, one.dense, one.lexical, one.coverage, one.known])
    return rows


def fit(rows: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """Logistic regression by Newton's method (Hosmer and Lemeshow 2000), features standardised, ridge penalty.

    Args:
        rows: float64 of shape (hits, features).
        right: bool of shape (hits,).
    """
    import numpy as np

    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    used = spread > LEAST_SPREAD
    scaled = np.where(used, (rows - mean) / np.where(used, spread, 1.0), 0.0)
    x = np.column_stack([np.ones(len(rows)), scaled])
    penalty = np.diag([0.0, *([RIDGE] * rows.shape[1])])
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -60.0, 60.0)))
        gradient = x.T @ (right - p) - penalty @ beta
        hessian = (x * (p * (1.0 - p))[:, np.newaxis]).T @ x + penalty + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if float(np.abs(step).max()) < 1e-9:
            break
    weights = np.where(used, beta[1:] / np.where(used, spread, 1.0), 0.0)
    return Calibration(tuple(weights.tolist()), float(beta[0] - weights @ mean))
