"""Question sets: what is read, what is refused, and the split by article."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from ctxsearch.errors import SourceError
from ctxsearch.questionset import HELD_OUT_PERCENT, held_out, read_questions, read_source_questions
from tests.conftest import DATA

SQUAD = {
    "data": [
        {
            "title": "New_York",
            "paragraphs": [
                {"context": "A.", "qas": [{"question": " q1 ", "answers": [{"text": "A"}, {"text": "B"}]}]},
                {"context": "A.", "qas": [{"question": "q2", "answers": []}, {"question": " "}]},
            ],
        }
    ]
}


def test_squad_format(tmp_path: Path) -> None:
    path = tmp_path / "set.json.gz"
    path.write_bytes(gzip.compress(json.dumps(SQUAD).encode()))
    found = read_questions(path)
    assert found.paragraphs == ("A.", "A.")  # each paragraph of a file in SQuAD format is one of its own
    assert found.titles == ("New York", "New York")
    assert found.questions == ("q1", "q2")
    assert found.gold.tolist() == [0, 1]
    assert found.answers == (("A", "B"), ())


def test_json_lines_of_pairs_join_equal_contexts(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"question": "a", "context": "X", "title": "T"},
        {"context": "Y", "qas": [{"question": "b"}, {"question": "c"}]},
        {"question": "d", "context": "X"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    found = read_questions(path)
    assert found.paragraphs == ("X", "Y")
    assert found.titles == ("T", "")
    assert list(zip(found.questions, found.gold.tolist(), strict=True)) == [("a", 0), ("b", 1), ("c", 1), ("d", 0)]
    assert found.answers == ()


@pytest.mark.parametrize("content", ["", "no json", "[1]", '{"question": "q"}', '{"data": [{}]}', '{"data": 3}'])
def test_another_file_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"set\.json: [^\n]+$"):
        read_questions(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", gzip.compress(b"{}" * 999)[:20]])
def test_broken_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.json.gz"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        read_questions(path)


def test_questions_with_sources() -> None:
    found = read_source_questions(DATA / "questions.jsonl")
    assert len(found) == 96
    assert found[0].source == "handbook/refunds.md"
    assert read_source_questions(DATA / "pairs.jsonl") == []


def test_select_keeps_questions_with_their_paragraphs() -> None:
    whole = read_questions(DATA / "pairs.jsonl")
    keep = [number % 3 == 0 for number in range(len(whole.paragraphs))]
    part = whole.select(keep)
    assert part.paragraphs == whole.paragraphs[::3]
    expected = [(q, whole.paragraphs[g]) for q, g in zip(whole.questions, whole.gold, strict=True) if keep[g]]
    assert [(q, part.paragraphs[g]) for q, g in zip(part.questions, part.gold, strict=True)] == expected
    asked = whole.ask_only(keep)
    assert asked.paragraphs == whole.paragraphs
    assert [(q, asked.paragraphs[g]) for q, g in zip(asked.questions, asked.gold, strict=True)] == expected


def test_two_sets_add_up() -> None:
    whole = read_questions(DATA / "pairs.jsonl")
    both = whole + whole
    assert both.gold.tolist() == np.concatenate([whole.gold, whole.gold + len(whole.paragraphs)]).tolist()


def test_articles_are_held_out_whole_and_always_the_same() -> None:
    titles = [f"article {number // 4}" for number in range(4000)]
    out = held_out(titles, [str(number) for number in range(4000)])
    assert all(len(set(out[first : first + 4])) == 1 for first in range(0, 4000, 4))
    assert abs(sum(out) / 40 - HELD_OUT_PERCENT) < 4
    assert held_out(titles[:8], ["x"] * 8) == out[:8]


def test_a_set_without_held_out_articles_says_so() -> None:
    whole = read_questions(DATA / "pairs.jsonl")
    out = held_out(whole.titles, whole.paragraphs)
    assert whole.ask_held_out().questions == whole.ask_only(out).questions
    with pytest.raises(SourceError, match="no questions about articles that training leaves out"):
        whole.select([not held for held in out]).ask_held_out()


def test_digest_tells_sets_apart() -> None:
    whole = read_questions(DATA / "pairs.jsonl")
    assert whole.digest == read_questions(DATA / "pairs.jsonl").digest
    assert len({whole.digest, whole.ask_held_out().digest, (whole + whole).digest}) == 3


def test_untitled_paragraphs_are_trained_on_beside_titled_ones() -> None:
    titles = ["", *[f"article {number}" for number in range(99)]]
    assert held_out(titles, ["text"] * 100)[0] is False
    assert any(held_out([""] * 100, [f"text {number}" for number in range(100)]))
