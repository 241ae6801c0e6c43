"""Evidence: whole words that stand together in one sentence."""

from __future__ import annotations

import math
import random
import time
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsearch import evidence
from ctxsearch import words as words_module
from ctxsearch.evidence import NEAR, SentenceWords, Sought, sentence_words
from ctxsearch.words import fullest, numbers, words

vocabulary = st.sampled_from(
    "red fox runs in largest fourth-largest city cities of the Norway's Ünlü 漢字 7 . - ?".split()
)
phrases = st.lists(vocabulary, max_size=10).map(" ".join)
candidate_sets = st.dictionaries(st.integers(0, 50), st.lists(phrases, max_size=4), max_size=8)


class Coverage(NamedTuple):
    """Of one candidate, by sentence."""

    shares: tuple[float, ...]
    pairs: tuple[float, ...]


class Covered(NamedTuple):
    """Of all candidates."""

    contexts: dict[int, Coverage]
    known: float


def covered(question: str, candidates: Mapping[int, Sequence[str]]) -> Covered:
    found = evidence.covered(Sought(question).find([sentence_words(own) for own in candidates.values()]))
    contexts, first = {}, 0
    for context, own in candidates.items():
        last = first + len(own)
        contexts[context] = Coverage(tuple(found.shares[first:last].tolist()), tuple(found.pairs[first:last].tolist()))
        first = last
    assert len(found.shares) == len(found.pairs) == first
    return Covered(contexts, found.known)


def sentence_coverage(question: str, candidates: Mapping[int, Sequence[str]]) -> dict[int, Coverage]:
    return covered(question, candidates).contexts


def plain(question: str, candidates: Mapping[int, Sequence[str]]) -> Covered:
    """The same, sentence by sentence and word by word, as it is written down."""
    asked = set(words(question))
    held = {context: [set(words(sentence)) & asked for sentence in own] for context, own in candidates.items()}
    n = len(held)
    frequency = {word: sum(any(word in found for found in own) for own in held.values()) for word in asked}
    weight = {word: math.log(1.0 + (n - d + 0.5) / (d + 0.5)) for word, d in frequency.items()}
    whole = math.fsum(weight[word] for word in asked if frequency[word])
    unknown = sum(weight[word] for word in asked if not frequency[word])
    shares = {
        context: tuple(math.fsum(weight[word] for word in found) / whole if whole else 0.0 for found in own)
        for context, own in held.items()
    }
    neighbours = set(pairwise(words(question)))
    near = {
        context: [{pair for pair in neighbours if are_near(*pair, sentence)} for sentence in own]
        for context, own in candidates.items()
    }
    together = {pair: sum(any(pair in found for found in own) for own in near.values()) for pair in neighbours}
    pair_weight = {pair: math.log(1.0 + (n - d + 0.5) / (d + 0.5)) for pair, d in together.items()}
    pairs = {context: tuple(sum(pair_weight[pair] for pair in found) for found in own) for context, own in near.items()}
    known = whole / (whole + unknown) if whole else 0.0
    return Covered({context: Coverage(shares[context], pairs[context]) for context in candidates}, known)


def are_near(one: str, other: str, sentence: str) -> bool:
    places = list(enumerate(words(sentence)))
    return any(0 < abs(i - j) <= NEAR for i, a in places if a == one for j, b in places if b == other)


@settings(max_examples=300, deadline=None)
@given(phrases, candidate_sets)
def test_words_made_ready_give_what_the_sentences_give(question: str, candidates: dict[int, list[str]]) -> None:
    found, expected = covered(question, candidates), plain(question, candidates)
    assert list(found.contexts) == list(expected.contexts)
    for own, wanted in zip(found.contexts.values(), expected.contexts.values(), strict=True):
        assert own.shares == pytest.approx(wanted.shares, abs=1e-12)
        assert own.pairs == pytest.approx(wanted.pairs, abs=1e-12)
    assert found.known == pytest.approx(expected.known, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(phrases, candidate_sets, st.randoms())
def test_what_is_found_in_two_parts_is_what_is_found_at_once(
    question: str, candidates: dict[int, list[str]], draw: random.Random
) -> None:
    sought, texts = Sought(question), [sentence_words(own) for own in candidates.values()]
    cut = draw.randint(0, len(texts))
    together = sought.find(texts[:cut]).joined(sought.find(texts[cut:]))
    chosen = draw.sample(range(len(texts)), draw.randint(0, len(texts)))
    found, expected = together.at(chosen), sought.find([texts[i] for i in chosen])
    assert found.counts.tolist() == expected.counts.tolist()
    assert found.things.tolist() == expected.things.tolist()
    assert found.words == expected.words


@settings(max_examples=100, deadline=None)
@given(phrases, candidate_sets)
def test_sentences_that_hold_the_same_words_are_equal_to_the_last_bit(
    question: str, candidates: dict[int, list[str]]
) -> None:
    asked = set(words(question))
    shares: dict[frozenset[str], float] = {}
    for context, own in sentence_coverage(question, candidates).items():
        for sentence, share in zip(candidates[context], own.shares, strict=True):
            assert shares.setdefault(frozenset(asked & set(words(sentence))), share) == share


def test_each_place_of_a_word_is_known() -> None:
    found = sentence_words(["A fox.", "", "Two foxes"])
    a, fox, two = map(zlib.crc32, (b"a", b"fox", b"two"))
    assert found.starts.tolist() == [0, 6, 10]
    assert found.words.tolist() == [a, fox, *[0] * 8, two, fox, *[0] * 4]
    assert [len(of_nothing) for of_nothing in sentence_words([])] == [0, 0]


@given(st.lists(phrases, max_size=5))
def test_words_as_bytes_are_the_words(sentences: list[str]) -> None:
    found = sentence_words(sentences)
    again = SentenceWords.from_bytes(found.to_bytes())
    assert [part.tolist() for part in again] == [part.tolist() for part in found]
    assert found.words.all() == (not sentences)
    assert len(found.to_bytes()) == 4 * (1 + len(found.starts) + len(found.words))


def test_words_are_the_same_when_too_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "WORDS_REMEMBERED", 2)
    text = "Foxes and foxes, and the boxes of the fox's cities"
    assert words(text) == ["fox", "and", "fox", "and", "the", "box", "of", "the", "fox", "city"]
    assert numbers(text) == [zlib.crc32(word.encode()) for word in words(text)]
    assert len(words_module._NUMBERS) <= 2


def test_a_question_of_very_many_words_is_looked_for_by_its_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "WORDS_ASKED", 2)
    found = sentence_coverage("red fox runs fast", {1: ["runs fast"], 2: ["red fox"]})
    assert (found[1], found[2].shares) == (Coverage((0.0,), (0.0,)), (1.0,))
    started = time.perf_counter()
    sentence_coverage(" ".join(f"w{n}" for n in range(100_000)), {i: ["red fox " * 150] for i in range(50)})
    assert time.perf_counter() - started < 5.0


def test_the_fullest_sentence_holds_most_of_the_words() -> None:
    assert fullest("red foxes", ["A fox, a fox.", "Rain.", "The red fox.", "A fox, red."]) == 2
    assert fullest("unicorn", ["red", "fox"]) == fullest("red", []) == 0


def test_neighbours_count_where_they_are_near_in_a_sentence() -> None:
    texts = {
        1: ["The red old sly wet fox."],  # four places apart
        2: ["A fox, red."],  # the other way round
        3: ["The red and old and wet fox."],
        4: ["The red.", "Fox!"],
        5: ["Rain.", "The red fox, the red fox."],
    }
    pairs = {context: own.pairs for context, own in sentence_coverage("Red foxes?", texts).items()}
    weight = pytest.approx(math.log(1 + 2.5 / 3.5))
    assert pairs == {1: (weight,), 2: (weight,), 3: (0.0,), 4: (0.0, 0.0), 5: (0.0, weight)}


def test_a_word_is_not_near_itself() -> None:
    assert sentence_coverage("red red", {1: ["red"], 2: ["red and red"]})[1].pairs == (0.0,)
    assert sentence_coverage("red red", {1: ["red"], 2: ["red and red"]})[2].pairs[0] > 0.0


def test_words_are_lower_case_and_whole() -> None:
    assert words("The Fourth-Largest city, 1999!") == ["the", "fourth-largest", "city", "1999"]


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("houses", "house"),
        ("sizes", "size"),
        ("cities", "city"),
        ("rivers", "river"),
        ("boxes", "box"),
        ("churches", "church"),
        ("classes", "class"),
    ],
)
def test_plural_is_the_same_word(plural: str, singular: str) -> None:
    assert words(plural) == words(singular) == [singular]


@pytest.mark.parametrize("possessive", ["Norway's", "Norway’s"])
def test_possessive_is_the_same_word(possessive: str) -> None:
    assert words(possessive) == ["norway"]


@pytest.mark.parametrize("word", ["glass", "gas", "is", "us"])
def test_words_that_only_look_like_plurals_stay(word: str) -> None:
    assert words(word) == [word]


def test_hyphenated_compound_is_another_word() -> None:
    found = sentence_coverage(
        "largest city", {1: ["It is the fourth-largest city."], 2: ["It is the largest city."], 3: ["Rain."]}
    )
    largest, city = math.log(1 + 2.5 / 1.5), math.log(1 + 1.5 / 2.5)
    assert [found[2].shares, found[3].shares] == [(1.0,), (0.0,)]
    assert found[1].shares == (pytest.approx(city / (largest + city)),)


def test_whole_question_in_one_sentence_beats_it_spread_over_two() -> None:
    found = sentence_coverage("red fox", {1: ["A red hen.", "A fox."], 2: ["Rain fell.", "A red fox."]})
    assert (found[1].shares, found[2].shares) == ((0.5, 0.5), (0.0, 1.0))


def test_rare_word_weighs_more() -> None:
    found = sentence_coverage("red fox", {1: ["red"], 2: ["red"], 3: ["fox"], 4: ["rain"]})
    red, fox = math.log(1 + 2.5 / 2.5), math.log(1 + 3.5 / 1.5)
    assert [found[i].shares[0] for i in (1, 2, 3, 4)] == pytest.approx(
        [red / (red + fox), red / (red + fox), fox / (red + fox), 0.0]
    )


def test_words_that_no_candidate_holds_do_not_count() -> None:
    found = sentence_coverage("red unicorn", {1: ["red"], 2: ["blue"]})
    assert [own.shares for own in found.values()] == [(1.0,), (0.0,)]


def test_no_candidates_give_nothing() -> None:
    assert sentence_coverage("red fox", {}) == {}


def test_candidate_without_sentences_has_nothing() -> None:
    found = sentence_coverage("red fox", {1: [], 2: ["red fox"]})
    assert (found[1], found[2].shares) == (Coverage((), ()), (1.0,))


def test_question_without_words_covers_nothing() -> None:
    assert sentence_coverage("?!", {1: ["red"]}) == {1: Coverage((0.0,), (0.0,))}


@settings(max_examples=150, deadline=None)
@given(phrases, candidate_sets)
def test_share_is_from_zero_to_one(question: str, candidates: dict[int, list[str]]) -> None:
    found = sentence_coverage(question, candidates)
    assert sorted(found) == sorted(candidates)
    for context, coverage in found.items():
        assert len(coverage.shares) == len(candidates[context])
        assert all(0.0 <= share <= 1.0 for share in coverage.shares)


@settings(max_examples=150, deadline=None)
@given(phrases, candidate_sets)
def test_order_of_candidates_does_not_matter(question: str, candidates: dict[int, list[str]]) -> None:
    assert sentence_coverage(question, candidates) == sentence_coverage(question, dict(reversed(candidates.items())))


def test_share_of_all_words_is_exactly_one() -> None:
    asked = [f"w{letter}q" for letter in "abcdefghijkl"]
    shares = []
    for seed in range(300):
        chance = random.Random(seed)
        candidates = {i: [" ".join(chance.sample(asked, chance.randint(1, 11)))] for i in range(8)}
        shares.append(sentence_coverage(" ".join(asked), {**candidates, 99: [" ".join(asked)]})[99].shares[0])
    assert set(shares) == {1.0}


def test_known_is_the_share_of_words_that_any_candidate_has() -> None:
    rare, unknown = math.log(1 + 1.5 / 1.5), math.log(1 + 2.5 / 0.5)
    assert covered("red unicorn", {1: ["red"], 2: ["blue"]}).known == pytest.approx(rare / (rare + unknown))
    assert covered("unicorn", {1: ["red"]}).known == 0.0
    assert covered("red", {1: ["red"]}).known == 1.0
