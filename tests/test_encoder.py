"""The encoder, with the model in the box: what a row is, and that it does not depend on its neighbours."""

from __future__ import annotations

import dataclasses
import gc
import json
import re
import shutil
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from ctxsearch.contexts import split
from ctxsearch.encoder import Encoder, inference
from ctxsearch.encoder.inference import Compiled, batches_by_length
from ctxsearch.encoder.runtime import unit_rows
from ctxsearch.encoder.tokens import COUNTED_REMEMBERED, LONGEST_COUNTED, Tokenizer
from ctxsearch.errors import ModelError, ModelNotFoundError
from ctxsearch.passport import DEFAULT_MODEL, TOKENIZER, ModelFolder, find_model
from ctxsearch.records import Context, Document, FloatArray, Sentence

TEXTS = (
    "The river is long. It flows to the sea.",
    "Fox.",
    "Glaciers carve valleys. " * 40,
    "A short note on trains: they run on rails.\n\nBuses do not. Ships float.",
    "The quick brown fox jumps over the lazy dog. " * 20,
    "Norway's capital is Oslo.",
)

REMEMBERING = Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER)
TOKENIZER_ALONE = tokenizers.Tokenizer.from_file(str(find_model(DEFAULT_MODEL).path / TOKENIZER))
TOKENIZER_ALONE.encode_special_tokens = True
PRESENTATION = "[\ufb00-\ufb06\uff01-\uffee\U0001d400-\U0001d7ff]"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(find_model(DEFAULT_MODEL))


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_model(DEFAULT_MODEL).path, tmp_path / "model"))


def context_of(encoder: Encoder, text: str) -> Context:
    (context,) = split(Document(text, "s"), encoder.count_tokens, encoder.context_budget)
    return context


def with_sentences(text: str, *starts: int) -> Context:
    bounds = [*starts, len(text)]
    spans = tuple(Sentence(start, end) for start, end in pairwise(bounds))
    return Context(0, len(text), text, 0, sentences=spans)


def cosines(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.sum(a * b, axis=1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_encoder_that_is_let_go_gives_its_memory_back() -> None:
    def megabytes() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))

    contexts = [Context(0, 0, "word " * length, 0) for length in range(5, 300, 5)]
    sizes = []
    for _ in range(5):
        Encoder(find_model()).embed_contexts(contexts)
        gc.collect()
        sizes.append(megabytes())
    assert sizes[-1] - sizes[0] < 300  # 210 MB an encoder, when they were kept


def test_windows_are_those_of_the_passport(encoder: Encoder) -> None:
    assert (encoder.dim, encoder.context_budget, encoder.passport.question_window) == (512, 382, 32)


def test_rows_are_unit_length(encoder: Encoder) -> None:
    rows = encoder.embed_contexts([context_of(encoder, text) for text in TEXTS]).vectors
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=0, atol=1e-5)
    for question in encoder.embed_questions(["", "a", "what is a fox " * 30]):
        assert question.embedding.shape == (512,)
        assert np.linalg.norm(question.embedding) == pytest.approx(1.0, abs=1e-5)


def test_context_has_a_row_and_one_for_each_sentence(encoder: Encoder) -> None:
    contexts = [context_of(encoder, text) for text in TEXTS]
    embeddings = encoder.embed_contexts(contexts)
    assert len(embeddings) == len(TEXTS)
    assert [len(embeddings[i]) for i in range(len(TEXTS))] == [1 + len(context.sentences) for context in contexts]
    assert np.diff(embeddings.bounds).tolist() == [3, 2, 41, 4, 21, 2]
    assert embeddings.vectors.shape == (73, 512)


def test_embedding_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    contexts = [context_of(encoder, text) for text in TEXTS]
    together = encoder.embed_contexts(contexts)
    for i, context in enumerate(contexts):
        alone = encoder.embed_contexts([context]).vectors
        assert cosines(alone, together[i]).min() > 0.99


def test_result_is_in_the_order_of_the_argument(encoder: Encoder) -> None:
    contexts = [context_of(encoder, text) for text in TEXTS]
    forth, back = encoder.embed_contexts(contexts), encoder.embed_contexts(contexts[::-1])
    for i in range(len(contexts)):
        assert cosines(forth[i], back[len(contexts) - 1 - i]).min() > 0.99


def test_many_contexts_in_several_batches_keep_their_order(encoder: Encoder) -> None:
    contexts = [context_of(encoder, TEXTS[i % len(TEXTS)]) for i in range(60)]
    embeddings = encoder.embed_contexts(contexts)
    for i in range(len(TEXTS), 60):
        assert cosines(embeddings[i], embeddings[i % len(TEXTS)]).min() > 0.99


def test_same_call_gives_the_same_rows(encoder: Encoder) -> None:
    contexts = [context_of(encoder, text) for text in TEXTS]
    first, second = encoder.embed_contexts(contexts), encoder.embed_contexts(contexts)
    np.testing.assert_array_equal(first.vectors, second.vectors)


def test_calls_from_two_threads_share_the_model_and_their_time_is_counted_once(encoder: Encoder) -> None:
    contexts = [context_of(encoder, TEXTS[i % len(TEXTS)]) for i in range(80)]
    expected = encoder.embed_contexts(contexts)
    busy, started = encoder.busy_seconds, time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(encoder.embed_contexts, [contexts, contexts[::-1]]))
    spent, busy = time.perf_counter() - started, encoder.busy_seconds - busy
    assert cosines(both[0].vectors, expected.vectors).min() > 0.999
    for i in range(80):
        assert cosines(both[1][79 - i], expected[i]).min() > 0.99
    assert 0.3 * spent < busy <= spent
    assert encoder.busy_seconds == encoder.busy_seconds  # nothing is under way


def test_nothing_gives_arrays_without_rows(encoder: Encoder) -> None:
    embeddings = encoder.embed_contexts([])
    assert embeddings.vectors.shape == (0, 512)
    assert embeddings.vectors.dtype == np.float32
    assert embeddings.bounds.tolist() == [0]
    assert len(embeddings) == 0
    assert encoder.embed_questions([]) == []


def test_question_is_nearest_to_what_answers_it(encoder: Encoder) -> None:
    contexts = [context_of(encoder, text) for text in TEXTS]
    embeddings = encoder.embed_contexts(contexts)
    (question,) = encoder.embed_questions(["What is the capital of Norway?"])
    products = [float((embeddings[i] @ question.embedding).max()) for i in range(len(TEXTS))]
    assert int(np.argmax(products)) == 5


def test_sentence_row_is_that_of_its_own_words(encoder: Encoder) -> None:
    embeddings = encoder.embed_contexts([context_of(encoder, "Oslo is the capital of Norway. Bread is baked.")])
    (question,) = encoder.embed_questions(["How is bread made?"])
    assert int(np.argmax(embeddings[0][1:] @ question.embedding)) == 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_questions_under_way_together_are_what_they_are_alone(threads: int) -> None:
    """Short ones and long ones are of different shapes, and of graphs that were compiled apart."""
    encoder = Encoder(find_model(DEFAULT_MODEL), threads=threads)
    texts = ["red fox", "Who " + "ran and " * 10 + "fell?", "blue whale"]
    alone = [encoder.embed_questions([text])[0].embedding for text in texts]
    first, second = encoder.begin_questions(texts[:1]), encoder.begin_questions(texts[1:2])
    together = [second.finish()[0], first.finish()[0], encoder.begin_questions(texts[2:]).finish()[0]]
    for found, i in zip(together, (1, 0, 2), strict=True):
        assert found.text == texts[i]
        np.testing.assert_array_equal(found.embedding, alone[i])
    for found, embedding in zip(encoder.embed_questions(texts), alone, strict=True):
        np.testing.assert_allclose(found.embedding, embedding, rtol=0, atol=1e-5)
    assert first.over()
    assert second.over()
    assert encoder.begin_questions([]).finish() == []


def test_question_of_32_tokens_fits_and_of_33_is_cut(encoder: Encoder) -> None:
    """``[CLS]`` and ``[SEP]`` are two of them."""
    fits, cut = encoder.embed_questions(["fox " * 30, "fox " * 31])
    assert (fits.truncated, cut.truncated) == (False, True)
    assert float(fits.embedding @ cut.embedding) == pytest.approx(1.0, abs=1e-5)


def test_context_of_the_whole_window_is_embedded(encoder: Encoder) -> None:
    (context,) = split(Document("fox " * 382, "s"), encoder.count_tokens, 382)
    assert context.tokens == 382
    assert encoder.embed_contexts([context]).vectors.shape == (1 + len(context.sentences), 512)


def test_context_longer_than_the_window_is_embedded_up_to_it(encoder: Encoder) -> None:
    text = "fox " * 500
    rows = encoder.embed_contexts([with_sentences(text, 0, 4 * 400)]).vectors
    (same,) = encoder.embed_contexts([with_sentences("fox " * 382, 0)]).vectors[:1]
    assert float(rows[0] @ same) > 0.999
    np.testing.assert_array_equal(rows[2], rows[0])  # nothing of the second sentence was seen


@pytest.mark.parametrize("text", ["[SEP]", "[CLS]", "[PAD]", "[MASK]", "[UNK]", "a [SEP] b"])
def test_special_tokens_spelled_in_text_are_text(text: str) -> None:
    tokenizer = Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER)
    (ids,) = tokenizer.encode([text], 32)
    cls, *inner, sep = ids.ids.tolist()
    assert (cls, sep) == (101, 102)
    assert {0, 100, 101, 102, 103} & set(inner) == set()
    assert tokenizer.count([text]) == [len(inner)]


@given(
    texts=st.lists(
        st.text(st.one_of(st.characters(max_codepoint=127), st.characters(exclude_categories=["Cs"])), max_size=40),
        max_size=4,
    )
)
@example(texts=["Don't stop (ever)!", "a\x07b c\x0cd\x7f", "x" * 101, "é 漢 fox", "##ing [SEP] _a_", "1,000.5\tA\r\nB"])
@example(texts=["1990–2000 (CAFÉ), Cafe\u0301", "ΣΑΣ Σ", "a\u00a0b \u0301c", "é \x07", "漢" * 101, "fox\u2028fox é"])
def test_words_that_were_remembered_are_those_of_the_tokenizer(texts: list[str]) -> None:
    usual = [re.sub(PRESENTATION, lambda match: unicodedata.normalize("NFKC", match[0]), text) for text in texts]
    expected = [encoding.ids for encoding in TOKENIZER_ALONE.encode_batch(usual, add_special_tokens=False)]
    assert REMEMBERING.ids(texts) == expected
    assert REMEMBERING.ids(texts) == expected  # when each word was met before
    assert REMEMBERING.count(texts) == [len(ids) for ids in expected]
    assert REMEMBERING.ids([*texts, *texts]) == expected * 2  # those that were counted are given once


def test_presentation_forms_are_read_as_the_letters_that_they_show() -> None:
    tokenizer = Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER)
    for text, usual in (
        ("the o\ufb03ce veri\ufb01ed", "the office verified"),
        ("Ｍｏｄｅｌ ＸＲ２０", "Model XR20"),
        ("𝐛𝐨𝐥𝐝 text", "bold text"),
    ):
        assert tokenizer.ids([text]) == tokenizer.ids([usual])
        assert tokenizer.count([text]) == tokenizer.count([usual])
    (found,) = tokenizer.encode(["o\ufb03ce floor, \ufb02oor"], 16)
    assert found.starts.tolist() == [-1, 0, 5, 10, 12, 16]  # in the text as it is, of which "ﬃ" is one character


def test_texts_that_are_counted_and_not_asked_for_do_not_pile_up() -> None:
    tokenizer = Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER)
    for first in range(0, 2 * COUNTED_REMEMBERED + 8192, 4096):
        assert tokenizer.count([f"fox {i}" for i in range(first, first + 4096)])[0] >= 2
        assert tokenizer.count(["fox " * 1000 + str(first)])[0] > LONGEST_COUNTED
        assert len(tokenizer._counted) <= COUNTED_REMEMBERED
    assert max(map(len, tokenizer._counted.values())) <= LONGEST_COUNTED


def test_a_tokenizer_with_words_of_its_own_remembers_none(model_copy: Path) -> None:
    path = model_copy / TOKENIZER
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    own = {**vocabulary["added_tokens"][0], "id": 1, "content": "a-b", "special": False}
    path.write_text(json.dumps({**vocabulary, "added_tokens": [*vocabulary["added_tokens"], own]}), encoding="utf-8")
    tokenizer = Tokenizer(path)
    (added,) = tokenizer.ids(["a-b"])
    assert len(added) == 1
    assert len(Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER).ids(["a-b"])[0]) == 3


@pytest.mark.parametrize("prefix", ["", "passage: ", "passage:"])
def test_sentences_tokenized_one_by_one_are_those_of_the_whole_text(encoder: Encoder, prefix: str) -> None:
    tokenizer, window = Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER), 24
    texts = {
        "Foxes run. Birds, too, fly.\n\nFish swim.": (0, 11, 29),
        "Foxes run.Birds fly.": (0, 10),  # no space: the tokens may reach over
        "\x07 \x07 Foxes. ": (0, 2, 4),
        "unbelievably long " * 20: (0, 18, 180),
        " ": (),
    }
    contexts = [with_sentences(text, *starts) if starts else Context(0, 1, text, 0) for text, starts in texts.items()]
    passport = dataclasses.replace(encoder.passport, context_window=window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "passport", passport)
        patch.setattr(encoder, "_context_prefix", prefix)
        found = encoder._tokens_of(contexts)
    for (ids, firsts), context in zip(found, contexts, strict=True):
        (expected,) = tokenizer.encode([prefix + context.text], window)
        np.testing.assert_array_equal(ids, expected.ids)
        starts = [sentence.start + len(prefix) for sentence in context.sentences]
        np.testing.assert_array_equal(firsts, expected.first_tokens(starts))


def test_token_starts_are_character_offsets() -> None:
    tokenizer = Tokenizer(find_model(DEFAULT_MODEL).path / TOKENIZER)
    (ids,) = tokenizer.encode(["é 漢 😀 fox"], 32)
    assert ids.starts.tolist() == [-1, 0, 2, 4, 6, 9]
    assert ids.truncated is False


@pytest.mark.parametrize("empty", ["\u200b", "   ", "\x07"])
def test_sentence_without_tokens_has_the_vector_of_its_context(encoder: Encoder, empty: str) -> None:
    for text, starts, without in (
        (f"A fox.{empty}The sea.", (0, 6, 6 + len(empty)), 2),
        (f"{empty}A fox.", (0, len(empty)), 1),
        (f"A fox.{empty}", (0, 6), 2),
        (empty, (0,), 1),
    ):
        rows = encoder.embed_contexts([with_sentences(text, *starts)]).vectors
        np.testing.assert_array_equal(rows[without], rows[0])
        others = [i for i in range(1, len(rows)) if i != without]
        assert [i for i in others if np.array_equal(rows[i], rows[0])] == []


def test_offsets_of_contexts_within_a_document_do_not_matter(encoder: Encoder) -> None:
    here = with_sentences("A fox. The sea.", 0, 7)
    there = Context(100, 115, here.text, 0, sentences=(Sentence(100, 107), Sentence(107, 115)))
    np.testing.assert_array_equal(encoder.embed_contexts([here]).vectors, encoder.embed_contexts([there]).vectors)


def test_batches_are_of_like_length_and_within_the_budget() -> None:
    lengths = [3, 200, 17, 16, 384, 5]
    batches = list(batches_by_length(lengths, 512))
    assert batches == [[4], [1, 2], [3, 5, 0]]
    assert list(batches_by_length([9000, 1], 512)) == [[0], [1]]
    assert list(batches_by_length([], 512)) == []


def test_batches_of_one_length_have_few_numbers_of_rows(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = set()
    feed = Compiled._feed

    def noted(self: Compiled, ids: Any, one: Any) -> Any:
        fed = feed(self, ids, one)
        shapes.add(fed["input_ids"].shape)
        assert (fed["attention_mask"].sum(axis=1) > 0).all()
        return fed

    monkeypatch.setattr(Compiled, "_feed", noted)
    alone = encoder.embed_contexts([with_sentences("A fox. The sea.", 0, 7)]).vectors
    for count in range(1, 150, 7):
        several = encoder.embed_contexts([with_sentences("A fox. The sea.", 0, 7)] * count)
        assert several.vectors.shape == (3 * count, alone.shape[1])
        assert (several.vectors @ alone.T).reshape(count, 3, 3)[:, range(3), range(3)].min() > 0.98
    assert {shape for shape in shapes if shape[1] == 16} == {(rows, 16) for rows in (32, 64, 96, 128)}


def test_only_the_last_batch_of_a_length_has_rows_without_a_text(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled: dict[int, list[int]] = {}
    feed = Compiled._feed

    def noted(self: Compiled, ids: Any, one: Any) -> Any:
        fed = feed(self, ids, one)
        rows, length = fed["input_ids"].shape
        filled.setdefault(length, []).append(rows - len(ids))
        return fed

    monkeypatch.setattr(Compiled, "_feed", noted)
    for length in range(16, 400, 16):
        most = inference.TOKENS_PER_BATCH // length
        encoder.embed_contexts([with_sentences("fox " * (length - 2), 0)] * (2 * most + 1))
    assert len(filled) == 24
    for length, empty in filled.items():
        assert sorted(empty)[:2] == [0, 0]
        assert sorted(empty)[2] < inference.TOKENS_PER_BATCH // length / inference.ROWS_STEPS


def test_encoder_that_rested_embeds_as_before() -> None:
    encoder = Encoder(find_model())
    contexts = [with_sentences("A fox. The sea.", 0, 7)]
    before = encoder.embed_contexts(contexts).vectors
    encoder.rest()
    encoder.rest()
    np.testing.assert_array_equal(encoder.embed_contexts(contexts).vectors, before)


def test_row_of_zeros_stays() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], atol=1e-7)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json"])
def test_changed_file_is_a_model_error_that_names_it(model_copy: Path, name: str) -> None:
    data = bytearray((model_copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model_copy / name).write_bytes(data)
    with pytest.raises(ModelError, match=name):
        Encoder(ModelFolder.load(model_copy)).embed_questions(["Does it open?"])
    with pytest.raises(ModelError, match=name):
        Encoder(ModelFolder.load(model_copy)).embed_contexts([Context(0, 5, "A hen", 2)])


@pytest.mark.parametrize("name", ["model.json", "model.bin", "model.xml", "tokenizer.json"])
def test_missing_file_is_a_model_error_that_names_it(model_copy: Path, name: str) -> None:
    (model_copy / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        find_model(model_copy)


@pytest.mark.parametrize("card", ["", "[]", "{}", '{"name": "x"}', "\0"])
def test_card_of_no_use_is_a_model_error_that_names_it(model_copy: Path, card: str) -> None:
    (model_copy / "model.json").write_text(card, encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.json"):
        find_model(model_copy)


@pytest.mark.parametrize(
    ("old", "new"), [('"dim": 512', '"dim": "512"'), ('"context_window": 384', '"context_window": null')]
)
def test_card_with_values_of_another_type_is_a_model_error(model_copy: Path, old: str, new: str) -> None:
    card = model_copy / "model.json"
    card.write_text(card.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.json"):
        find_model(model_copy)


def test_tokenizer_file_of_no_use_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Tokenizer(tmp_path / "tokenizer.json")


def test_model_that_is_not_there_is_said() -> None:
    with pytest.raises(ModelNotFoundError, match="no model 'nowhere'"):
        find_model("nowhere")
