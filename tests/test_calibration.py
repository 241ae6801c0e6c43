"""Calibration: the fit recovers known probabilities, and scores become what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsearch.calibration import FEATURES, Calibration, features, fit
from ctxsearch.evaluate import half_of_articles, trust
from ctxsearch.records import Evidence

evidence = st.builds(Evidence, st.floats(-1, 3), st.floats(-1, 1), st.floats(0, 60), st.floats(0, 1), st.floats(0, 1))


def test_fit_recovers_the_weights_that_made_the_labels() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(60_000, len(FEATURES))) * [1, 2, 3, 4, 5, 6, 7]
    weights = np.array([1.0, -0.5, 0.25, 0.0, 0.1, -0.2, 0.05])
    right = draw.random(len(rows)) < 1.0 / (1.0 + np.exp(-(rows @ weights - 0.7)))
    found = fit(rows, right)
    assert found.weights == pytest.approx(weights, abs=0.04)
    assert found.bias == pytest.approx(-0.7, abs=0.04)


def test_a_feature_that_never_changes_has_no_weight() -> None:
    draw = np.random.default_rng(1)
    rows = np.column_stack([draw.normal(size=500), np.zeros((500, len(FEATURES) - 1))])
    found = fit(rows, rows[:, 0] > 0)
    assert found.weights[1:] == (0.0,) * (len(FEATURES) - 1)
    assert found.weights[0] > 0
    assert all(map(math.isfinite, (*found.weights, found.bias)))


def test_features_by_hand() -> None:
    first, second = Evidence(0.9, 0.5, 7.0, 0.4, 0.8), Evidence(0.6, 0.6, 3.0, 0.2, 0.8)
    assert features([first, second]) == [
        pytest.approx([0.9, 0.3, 0.0, 0.5, 7.0, 0.4, 0.8]),
        pytest.approx([0.6, 0.0, 0.3, 0.6, 3.0, 0.2, 0.8]),
    ]
    assert features([first])[0][1] == 0.0
    assert features([]) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(evidence, max_size=12), st.lists(st.floats(-50, 50), min_size=8, max_size=8))
def test_probabilities_fall_from_hit_to_hit(ranked: list[Evidence], numbers: list[float]) -> None:
    found = Calibration(tuple(numbers[1:]), numbers[0]).probabilities(ranked)
    assert len(found) == len(ranked)
    assert all(0.0 <= p <= 1.0 for p in found)
    assert found == sorted(found, reverse=True)


def test_a_calibration_survives_its_card() -> None:
    calibration = Calibration((1.0, -2.0, 0.5, 0.0, 0.25, 3.0, 4.0), -7.5)
    assert Calibration.from_dict(calibration.to_dict()) == calibration


@pytest.mark.parametrize("card", [{}, {"weights": {}, "bias": 1}, {"weights": None}, {"bias": 0.0}])
def test_what_is_no_calibration_is_none(card: dict[str, object]) -> None:
    assert Calibration.from_dict(card) is None


def test_trust_by_hand() -> None:
    scores = np.array([0.95, 0.95, 0.85, 0.15, 0.30, 0.20])
    right = np.array([True, False, True, False, False, False])
    answerable = np.array([True, True, True, True, False, False])
    found = trust(scores, right, answerable)
    assert found.bins == (
        (1, pytest.approx(0.15), 0.0),
        (1, pytest.approx(0.20), 0.0),
        (1, pytest.approx(0.30), 0.0),
        (1, pytest.approx(0.85), 1.0),
        (2, pytest.approx(0.95), 0.5),
    )
    assert found.expected_calibration_error == pytest.approx((0.15 + 0.20 + 0.30 + 0.15 + 2 * 0.45) / 6)
    assert found.threshold > 0.30  # 5 % of two questions is none: both must be refused
    assert (found.answered, found.answered_right) == (75.0, 50.0)


def test_every_second_article_is_taken() -> None:
    assert half_of_articles(["a", "a", "b", "c", "b"]) == [True, True, False, True, False]
