"""Full text search in a catalog that is larger than what is scored: rare words decide, common ones are left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch.catalog import searching


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    """60 documents: all hold "the" and "river", every second "lake", every tenth "delta", one "heron"."""
    with ctxsearch.open(tmp_path_factory.mktemp("large") / "index") as index:
        index.add(
            ctxsearch.Document(
                f"The river number {n}."
                + " A lake." * (n % 2 == 0)
                + " A delta." * (n % 10 == 0)
                + " A heron." * (n == 40),
                source=f"d{n}",
            )
            for n in range(60)
        )
        yield index


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SCORED", 10)
    monkeypatch.setattr(searching, "WALKED", 100)


def sources(index: ctxsearch.Index, question: str, k: int = 60) -> list[str]:
    return [hit.source for hit in index.query(question, k=k, mode="lexical")]


def test_small_catalogs_are_searched_for_every_word(large: ctxsearch.Index) -> None:
    assert sources(large, "the heron")[0] == "d40"
    assert len(sources(large, "the heron")) == 60


@pytest.mark.usefixtures("small_budget")
def test_common_words_are_left_out_beside_rare_ones(large: ctxsearch.Index) -> None:
    assert sources(large, "the river heron") == ["d40"]
    assert sorted(sources(large, "the delta")) == ["d0", "d10", "d20", "d30", "d40", "d50"]
    assert sources(large, "delta heron the")[0] == "d40"


@pytest.mark.usefixtures("small_budget")
def test_unknown_words_change_nothing(large: ctxsearch.Index) -> None:
    assert sources(large, "the heron xylophone") == ["d40"]
    assert sources(large, "xylophone") == []


@pytest.mark.usefixtures("small_budget")
def test_of_common_words_all_must_be_there(large: ctxsearch.Index) -> None:
    found = sources(large, "the lake river")
    assert sorted(found) == sorted(f"d{n}" for n in range(0, 60, 2))


@pytest.mark.usefixtures("small_budget")
def test_words_that_all_have_are_found_without_a_score(large: ctxsearch.Index) -> None:
    answer = large.query("the river", k=5, mode="lexical")
    assert [hit.source for hit in answer] == ["d0", "d1", "d2", "d3", "d4"]
    assert {hit.scores.lexical for hit in answer} == {0.0}


@pytest.mark.usefixtures("small_budget")
def test_filters_hold(large: ctxsearch.Index) -> None:
    assert large.query("the heron", mode="lexical", where={"source": "d41"}).hits == ()
    assert [hit.source for hit in large.query("the heron", mode="lexical", where={"source": {"$gt": "d3"}})] == ["d40"]


Found = list[tuple[int, float]]


def scored(index: ctxsearch.Index, question: str) -> Found:
    answer = index.query(question, k=5, mode="lexical")
    return [(hit.context_id, hit.scores.lexical or 0.0) for hit in answer]


def of_all_words(index: ctxsearch.Index, question: str) -> Found:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "SCORED_PER_HIT", 10**9)
        return scored(index, question)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    """100 documents: all hold "the", every third "lake", two "heron"."""
    with ctxsearch.open(tmp_path_factory.mktemp("half") / "index") as index:
        index.add(
            ctxsearch.Document(
                "The river." + " A wide lake" * (n % 3 == 0) + " is here" * (n % 7) + " A heron." * (n in (40, 41)),
                source=f"d{n}",
            )
            for n in range(100)
        )
        yield index


def test_words_that_half_of_the_contexts_hold_are_left_out_beside_others(half: ctxsearch.Index) -> None:
    found, whole = scored(half, "the lake"), of_all_words(half, "the lake")
    assert [context for context, _ in found] == [context for context, _ in whole]
    for (_, score), (_, with_all) in zip(found, whole, strict=True):
        assert 0.0 < with_all - score < 0.0000022


@pytest.mark.parametrize("question", ["the heron", "the river", "the xylophone", "heron"])
def test_words_that_half_of_the_contexts_hold_count_where_others_find_too_few(
    half: ctxsearch.Index, question: str
) -> None:
    assert scored(half, question) == of_all_words(half, question)
    assert len(scored(half, question)) == (2 if question == "heron" else 5)


def test_what_is_common_is_counted_anew_in_the_next_generation(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        index.add(ctxsearch.Document(f"Rain {'and snow' * (n % 3 == 0)} {n}.", source=f"d{n}") for n in range(60))
        assert len(scored(index, "rain snow")) == 5
        index.add(ctxsearch.Document(f"Snow {'and rain ' * (n % 9 == 0)}{n}.", source=f"e{n}") for n in range(200))
        assert [i for i, _ in scored(index, "rain snow")] == [i for i, _ in of_all_words(index, "rain snow")]
        with ctxsearch.open(index.path, read_only=True) as fresh:
            assert scored(index, "rain snow") == scored(fresh, "rain snow")
