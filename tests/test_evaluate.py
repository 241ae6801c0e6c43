"""Measuring: both protocols, modes side by side, questions of an index, what a score is worth; with the real model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import ctxsearch
from ctxsearch.cli import commands
from ctxsearch.evaluate import calibrate, measure_trust, ndcg_at_k, seed_protocol, system_protocol
from ctxsearch.passport import find_model
from ctxsearch.questionset import QuestionSet, read_questions
from ctxsearch.records import MODES, Mode
from tests.conftest import DATA


@pytest.fixture(scope="module")
def pairs() -> QuestionSet:
    whole = read_questions(DATA / "pairs.jsonl")
    return whole.select([number < 60 for number in range(len(whole.paragraphs))])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, catch_exceptions=False)


def test_ndcg_by_hand() -> None:
    assert ndcg_at_k([1, 3, 0, 11], 10) == pytest.approx((1.0 + 0.5) / 4)
    assert ndcg_at_k([], 10) == 0.0


def test_protocols_find_what_was_asked_for(pairs: QuestionSet) -> None:
    model = find_model()
    told: list[tuple[int, int]] = []
    seed = seed_protocol(model, pairs, lambda done, whole: told.append((done, whole)))
    hybrid, dense = system_protocol(model, pairs, ("hybrid", "dense"))
    assert told[-1] == (len(pairs.questions), len(pairs.questions))
    assert [one.mode for one in (seed, hybrid, dense)] == ["dense", "hybrid", "dense"]
    assert min(seed.top[5], dense.top[5], hybrid.top[5]) >= 90.0
    assert hybrid.top[1] >= dense.top[1] - 5.0
    for one in (seed, hybrid):
        low, high = one.intervals["top1"]
        assert low <= one.top[1] <= high
        assert low < high
    for outcome, question in zip(hybrid.outcomes, pairs.questions, strict=True):
        assert outcome.question == question
        assert (outcome.rank == 1) == (outcome.found == outcome.expected)
    assert hybrid.answer_in_sentence is None


def test_answers_in_the_matched_sentence_are_counted() -> None:
    texts = ("Water boils at 100 degrees. Ice melts at zero.", "The capital of France is Paris. It lies on the Seine.")
    questions = ("When does water boil?", "What is the capital of France?", "On which river does Paris lie?")
    answers = (("100 degrees",), ("Lyon", "Paris"), ("Rhine",))
    asked = QuestionSet("t", texts, ("a", "b"), questions, read_gold([0, 1, 1]), answers)
    (found,) = system_protocol(find_model(), asked, ("hybrid",))
    assert [outcome.holds_answer for outcome in found.outcomes] == [True, True, False]
    assert found.answer_in_sentence == pytest.approx(200 / 3)


def read_gold(numbers: list[int]) -> ctxsearch.records.IntArray:
    import numpy as np

    return np.array(numbers, np.int64)


def test_modes_side_by_side_and_a_line_a_question(tmp_path: Path) -> None:
    lines = (DATA / "pairs.jsonl").read_text(encoding="utf-8").splitlines()[:20]
    (tmp_path / "set.jsonl").write_text("\n".join(lines), encoding="utf-8")
    details = tmp_path / "details.jsonl"
    found = run("eval", str(tmp_path / "set.jsonl"), "--compare", "--json", "--details", str(details))
    assert found.exit_code == 0
    modes = json.loads(found.stdout)["modes"]
    assert [one["mode"] for one in modes] == list(MODES)
    assert {"top1", "top5", "top10", "top20", "mrr", "ndcg10", "seconds", "intervals"} <= modes[0].keys()
    rows = [json.loads(line) for line in details.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 3 * modes[0]["questions"]
    of_hybrid = [row["rank"] for row in rows if row["mode"] == "hybrid"]
    assert 100 * sum(rank == 1 for rank in of_hybrid) / len(of_hybrid) == pytest.approx(modes[0]["top1"], abs=0.01)
    table = run("eval", str(tmp_path / "set.jsonl"), "--compare").stdout.splitlines()
    assert [line.split()[0] for line in table[2:]] == list(MODES)


def test_questions_with_sources_are_asked_of_an_index(sample: ctxsearch.Index) -> None:
    found = run("eval", str(DATA / "questions.jsonl"), "--index", str(sample.path), "--json")
    assert found.exit_code == 0
    said = json.loads(found.stdout)
    assert (said["protocol"], said["questions"]) == ("index", 96)
    assert said["top5"] >= 95.0


def test_held_out_articles_alone_are_asked(tmp_path: Path) -> None:
    path = DATA / "pairs.jsonl"
    whole = json.loads(run("eval", str(path), "--protocol", "seed", "--json").stdout)
    part = json.loads(run("eval", str(path), "--protocol", "seed", "--held-out", "--json").stdout)
    assert part["contexts"] == whole["contexts"]
    assert 0 < part["questions"] < whole["questions"]


@pytest.mark.parametrize(
    "arguments", [("--mode", "best"), ("--protocol", "seed", "--compare"), ("--protocol", "seed", "--details", "x")]
)
def test_what_cannot_be_measured_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ctxsearch.ArgumentError):
        run("eval", str(DATA / "pairs.jsonl"), *arguments)


# Scores


def test_a_score_is_a_probability_that_falls(sample: ctxsearch.Index) -> None:
    for mode in MODES:
        answer = sample.query("who may approve a refund?", k=8, mode=mode)
        scores = [hit.score for hit in answer]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)
    assert sample.query("who may approve a refund?")[0].score > 0.5
    assert sample.query("how do I change the oil of a diesel locomotive in Peru?")[0].score < 0.3


def test_the_first_score_does_not_depend_on_k(sample: ctxsearch.Index) -> None:
    for mode in MODES:
        scores = {sample.query("what do badgers eat in winter", k=k, mode=mode)[0].score for k in (1, 2, 5, 10)}
        assert len(scores) == 1


def test_min_score_leaves_out_the_rest(sample: ctxsearch.Index) -> None:
    question = "who may approve a refund?"
    whole = sample.query(question, k=10)
    least = whole[1].score
    some = sample.query(question, k=10, min_score=least)
    assert [hit.context_id for hit in some] == [hit.context_id for hit in whole if hit.score >= least]
    assert len(sample.query("zyzzyva quux flibbertigibbet", min_score=0.9)) == 0
    for outside in (-0.1, 1.5):
        with pytest.raises(ctxsearch.ArgumentError, match="from 0 to 1"):
            sample.query(question, min_score=outside)
    for wrong in (True, "0.5"):
        with pytest.raises(ctxsearch.ArgumentError, match=r"min_score is .*; expected a number"):
            sample.query(question, min_score=wrong)  # type: ignore[arg-type]


def test_nothing_answers_is_said_with_status_0(sample: ctxsearch.Index) -> None:
    arguments = ("query", "zyzzyva quux flibbertigibbet", "--index", str(sample.path), "--min-score", "0.9")
    found = run(*arguments)
    assert (found.exit_code, found.stdout) == (0, "")
    assert "no context answers this" in found.stderr
    assert json.loads(run(*arguments, "--json").stdout)["hits"] == []


def test_calibration_makes_scores_trustworthy(pairs: QuestionSet, tmp_path: Path) -> None:
    found = calibrate(find_model(), pairs, ("dense",))
    assert found["dense"].weights[0] + found["dense"].weights[3] > 0
    judged = measure_trust(find_model(), pairs, "hybrid")
    assert judged.answerable + judged.unanswerable == len(pairs.questions)
    assert judged.expected_calibration_error < 0.35
    assert judged.answered > 20.0


def test_a_model_without_calibration_says_so(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(find_model().path, tmp_path / "model")
    card = json.loads((tmp_path / "model" / "model.json").read_text(encoding="utf-8"))
    del card["calibrations"]
    (tmp_path / "model" / "model.json").write_text(json.dumps(card), encoding="utf-8")
    with ctxsearch.open(tmp_path / "index", model=tmp_path / "model") as index:
        index.add([ctxsearch.Document("The fox sleeps.", source="fox")])
        assert index.query("fox")[0].score > 0
        with pytest.raises(ctxsearch.ArgumentError, match="model calibrate"):
            index.query("fox", min_score=0.5)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_times_add_up(sample: ctxsearch.Index, mode: Mode) -> None:
    for questions in (["tea"], ["tea", "refunds", "trains"]):
        started = time.perf_counter()
        answers = sample.query_many(questions, mode=mode)
        whole = 1000.0 * (time.perf_counter() - started)
        times = [answer.milliseconds for answer in answers]
        assert all(one.search > 0 and one.embed >= 0 for one in times)
        assert all(one.total == pytest.approx(one.embed + one.search) for one in times)
        assert sum(one.total for one in times) <= whole
