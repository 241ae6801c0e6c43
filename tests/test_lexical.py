"""The lexical part of an embedding: what it says of shared tokens, whose signs it has, and the folder that holds it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsearch.encoder import Encoder
from ctxsearch.encoder.lexical import LexicalPart, token_weights
from ctxsearch.errors import ModelError
from ctxsearch.passport import LEXICAL, ModelFolder, sha256_of
from ctxsearch.records import Context, FloatArray, IntArray, Sentence
from tests.small_models import WIDTH, WORDS, expected, small_model, token_ids, write_card

NOTHING = np.empty(0, np.int64)
WEIGHTS = np.random.default_rng(0).uniform(0.5, 9.0, 1000).astype(np.float16)


def ids(*tokens: int) -> IntArray:
    return np.array([101, *tokens, 102], np.int64)


def texts_rows(part: LexicalPart, *texts: IntArray) -> FloatArray:
    return part.rows(texts, [NOTHING] * len(texts))


def plain_cosine(a: IntArray, b: IntArray) -> float:
    """Of the sparse vectors that the part stands for, one dimension a token."""
    first, second = np.zeros(1000), np.zeros(1000)
    first[a[1:-1]] = WEIGHTS[a[1:-1]]
    second[b[1:-1]] = WEIGHTS[b[1:-1]]
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_cosine_is_about_the_weight_of_shared_tokens() -> None:
    part, draw = LexicalPart(WEIGHTS, 4096, 0.5), np.random.default_rng(1)
    for shared in (0, 2, 6, 12):
        common = draw.integers(200, 1000, shared)
        a = ids(*common, *draw.integers(200, 600, 12))
        b = ids(*draw.integers(600, 1000, 12), *common)
        rows = texts_rows(part, a, b)
        # The noise of a random projection is about one over the root of its dimensions.
        assert float(rows[0] @ rows[1]) == pytest.approx(plain_cosine(a, b), abs=4 / np.sqrt(4096))


@given(st.lists(st.lists(st.integers(0, 999), max_size=30), min_size=1, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_repetition_and_neighbours_do_not_count(texts: list[list[int]], random: object) -> None:
    part = LexicalPart(WEIGHTS, 64, 0.5)
    rows = texts_rows(part, *(ids(*text) for text in texts))
    for row, text in zip(rows, texts, strict=True):
        shuffled = [*text, *text[:3]]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        (alone,) = texts_rows(part, ids(*shuffled))
        np.testing.assert_allclose(row, alone, rtol=0, atol=1e-6)
        assert float(np.linalg.norm(row)) == pytest.approx(1.0 if text else 0.0, abs=1e-5)


def test_sentences_have_rows_of_their_own() -> None:
    part = LexicalPart(WEIGHTS, 64, 0.5)
    text = ids(1, 2, 3, 4, 5)
    rows = part.rows([text, ids(7)], [np.array([1, 3]), NOTHING])
    whole, first, second, other = texts_rows(part, text, ids(1, 2), ids(3, 4, 5), ids(7))
    np.testing.assert_allclose(rows, [whole, first, second, other], rtol=0, atol=1e-6)
    without = part.rows([text], [np.array([1, 1, 6])])  # spans of no token: before the first, and behind the end
    np.testing.assert_allclose(without, [whole, whole, whole, whole], rtol=0, atol=1e-6)


def test_signs_are_what_they_have_always_been() -> None:
    """Indexes hold vectors made with them."""
    rows = texts_rows(
        LexicalPart(np.ones(30_522, np.float16), 128, 0.25), *(ids(token) for token in range(0, 30_522, 97))
    )
    assert np.all(np.abs(np.abs(rows) - 128**-0.5) < 1e-6)
    assert hashlib.sha256(np.packbits(rows > 0).tobytes()).hexdigest()[:16] == "8104d5c4c2283f06"


def test_joined_cosines_add_up_by_their_shares() -> None:
    part, draw = LexicalPart(WEIGHTS, 64, 0.25), np.random.default_rng(2)
    states = draw.standard_normal((2, 16)).astype(np.float32)
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    words = texts_rows(part, ids(1, 2, 3), ids(2, 3, 4))
    joined = part.join(states, words)
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, rtol=0, atol=1e-6)
    both = (states[0] @ states[1] + 0.25 * words[0] @ words[1]) / 1.25
    assert float(joined[0] @ joined[1]) == pytest.approx(float(both), abs=1e-6)
    together, apart = part.join_one(states[0], words[0])
    np.testing.assert_allclose(together, joined[0], rtol=0, atol=1e-7)
    assert float(apart @ joined[1]) == pytest.approx(float(states[0] @ states[1]), abs=1e-6)
    (alone,) = part.join(states[:1], texts_rows(part, ids()))
    np.testing.assert_array_equal(alone, [*states[0], *np.zeros(64)])


def test_weights_are_idf() -> None:
    found = token_weights([ids(3, 3, 4), ids(3), ids(5)], 8)
    assert found.dtype == np.float16
    wanted = [np.log(1 + 3.5 / 0.5)] * 8
    wanted[3] = np.log(1 + 1.5 / 2.5)
    wanted[4] = wanted[5] = np.log(1 + 2.5 / 1.5)
    np.testing.assert_allclose(found.astype(float), wanted, rtol=1e-3)


# In a model folder


def with_lexical(folder: Path, **others: object) -> ModelFolder:
    small_model(folder, output="token_states", pooling="mean", shapes="dynamic")
    np.save(folder / LEXICAL, np.linspace(0.1, 9.0, WORDS).astype(np.float16))
    fields = {"lexical_dim": 64, "lexical_weight": 0.25, "lexical_sha256": sha256_of(folder / LEXICAL), **others}
    return write_card(
        folder,
        dim=WIDTH + 64,
        inputs=["input_ids", "attention_mask", "token_type_ids", "position_ids"],
        output="token_states",
        pooling="mean",
        **fields,
    )


def test_encoder_gives_both_parts(tmp_path: Path) -> None:
    model = with_lexical(tmp_path / "model")
    encoder = Encoder(model)
    texts = ["the red fox sleeps. trains run on rails.", "a fox"]
    contexts = [
        Context(0, 40, texts[0], 0, sentences=(Sentence(0, 20), Sentence(20, 40))),
        Context(0, 5, texts[1], 0, sentences=(Sentence(0, 5),)),
    ]
    found = encoder.embed_contexts(contexts)
    assert found.vectors.shape == (5, WIDTH + 64)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=0, atol=1e-6)
    part = LexicalPart.load(model, WORDS)
    assert part is not None
    for text, row in ((texts[0], found.vectors[0]), (texts[1], found.vectors[3])):
        tokens = np.array(token_ids(text, 384))
        np.testing.assert_allclose(row[WIDTH:], texts_rows(part, tokens)[0] * np.sqrt(0.2), rtol=0, atol=1e-6)
        assert float(np.linalg.norm(row[:WIDTH])) == pytest.approx(np.sqrt(0.8), abs=1e-6)
    (sentence,) = texts_rows(part, np.array(token_ids("trains run on rails.", 384)))
    np.testing.assert_allclose(found.vectors[2, WIDTH:], sentence * np.sqrt(0.2), rtol=0, atol=1e-6)
    (question,) = encoder.embed_questions(["red fox"])
    tokens = np.array(token_ids("red fox", 32))
    np.testing.assert_allclose(
        question.embedding[WIDTH:], texts_rows(part, tokens)[0] * np.sqrt(0.2), rtol=0, atol=1e-6
    )


def test_states_are_those_of_the_model_without_it(tmp_path: Path) -> None:
    model = with_lexical(tmp_path / "model")
    bare, weights = small_model(tmp_path / "bare", output="token_states", pooling="mean", shapes="dynamic")
    text = "a fox " * 15  # 32 tokens: nothing is padded
    context = Context(0, len(text), text, 0, sentences=(Sentence(0, len(text)),))
    alone, joined = Encoder(bare).embed_contexts([context]), Encoder(model).embed_contexts([context])
    np.testing.assert_allclose(joined.vectors[:, :WIDTH] / np.sqrt(0.8), alone.vectors, rtol=0, atol=1e-6)
    wanted = expected(weights, token_ids(text, 384), 32, pooling="mean")
    np.testing.assert_allclose(alone.vectors[0], wanted, rtol=0, atol=1e-5)


def test_the_weights_are_part_of_the_identity(tmp_path: Path) -> None:
    one, other = with_lexical(tmp_path / "one"), with_lexical(tmp_path / "other", lexical_weight=0.5)
    assert one.passport.fingerprint != other.passport.fingerprint
    np.save(one.path / LEXICAL, np.ones(WORDS, np.float16))
    with pytest.raises(ModelError, match=r"lexical\.npy has checksum"):
        Encoder(one).embed_questions(["a fox"])
    (one.path / LEXICAL).unlink()
    with pytest.raises(ModelError, match=r"lexical\.npy cannot be read"):
        Encoder(one)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.ones(100, np.float16), "has weights of 100 tokens"),
        (np.ones(WORDS, np.float32), "does not hold weights"),
        (np.full(WORDS, -1, np.float16), "does not hold weights"),
        (np.full(WORDS, np.nan, np.float16), "does not hold weights"),
        (np.array([object()] * WORDS), "cannot be read as weights"),
    ],
)
def test_weights_of_no_use_are_refused(tmp_path: Path, weights: np.ndarray, said: str) -> None:
    folder = with_lexical(tmp_path / "model").path
    np.save(folder / LEXICAL, weights, allow_pickle=True)
    fields = {"lexical_dim": 64, "lexical_weight": 0.25, "lexical_sha256": sha256_of(folder / LEXICAL)}
    model = write_card(folder, dim=80, inputs=["input_ids"], output="token_states", pooling="mean", **fields)
    with pytest.raises(ModelError, match=said):
        Encoder(model)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lexical_dim": 20}, "a multiple of 8"),
        ({"lexical_dim": WIDTH + 64}, "a multiple of 8"),
        ({"lexical_dim": "64"}, "not a whole number"),
        ({"lexical_weight": 0.0}, "lexical_weight is 0.0"),
    ],
)
def test_cards_of_no_use_are_refused(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        with_lexical(tmp_path / "model", **fields)
