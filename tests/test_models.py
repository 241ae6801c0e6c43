"""Models of other signatures than the default's: the encoder runs what a card declares, and says what it cannot run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

import ctxsearch
from ctxsearch.encoder import Encoder
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.errors import ModelError, PassportMismatchError
from ctxsearch.passport import GRAPH, INPUTS, TOKENIZER, VOCABULARY, WEIGHTS, Passport, find_model
from ctxsearch.records import Context, Sentence
from tests.conftest import DATA
from tests.small_models import WIDTH, expected, feed, small_model, token_ids, vocabulary, vocabulary_txt, write_card

TEXTS = (
    "The river is long. It flows to the sea.",
    "Fox.",
    "Glaciers carve valleys. " * 120,
    "Norway's capital is Oslo, and Ådne lives there.",
    "",
)


def contexts(*texts: str) -> list[Context]:
    return [Context(0, len(text), text, 0) for text in texts]


def embedded(encoder: Encoder, *texts: str) -> np.ndarray:
    return encoder.embed_contexts(contexts(*texts)).vectors


def asked(encoder: Encoder, *texts: str) -> np.ndarray:
    return np.stack([question.embedding for question in encoder.embed_questions(texts)])


def test_seed_signature_equals_openvino_called_directly(tmp_path: Path) -> None:
    """Four inputs of (1,384) and (1,32), ``embedding`` (1,1024), vocab.txt, INT8 weights."""
    model, _ = small_model(tmp_path / "seed", precision="int8")
    encoder = Encoder(model)
    assert (encoder.dim, encoder.context_budget) == (1024, 382)
    for window, ours in ((384, embedded(encoder, *TEXTS)), (32, asked(encoder, *TEXTS))):
        graph = openvino.Core().read_model(str(model.path / GRAPH))
        graph.reshape({name: [1, window] for name in INPUTS})
        compiled = openvino.Core().compile_model(graph, "CPU")
        rows = np.concatenate([compiled(feed(token_ids(text, window), window))["embedding"] for text in TEXTS])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        assert ours.shape == (len(TEXTS), 1024)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, rows, rtol=0, atol=1e-4)
        apart = np.abs(rows[:, np.newaxis] - rows)[~np.eye(len(TEXTS), dtype=bool)].max(axis=1)
        assert apart.min() > 2e-3


def test_static_graph_is_padded_to_its_window_exactly(tmp_path: Path) -> None:
    model, weights = small_model(tmp_path / "seed", dim=64)
    encoder = Encoder(model)
    for text in TEXTS:
        np.testing.assert_allclose(
            embedded(encoder, text)[0], expected(weights, token_ids(text, 384), 384), rtol=0, atol=1e-5
        )
        np.testing.assert_allclose(
            asked(encoder, text)[0], expected(weights, token_ids(text, 32), 32), rtol=0, atol=1e-5
        )
    other = expected(weights, token_ids(TEXTS[0], 48), 48)
    assert np.abs(embedded(encoder, TEXTS[0])[0] - other).max() > 1e-2


def test_static_graph_gives_many_texts_in_their_order(tmp_path: Path) -> None:
    model, weights = small_model(tmp_path / "seed", dim=64, context_window=48)
    texts = [f"{word} {number}" for number, word in enumerate(vocabulary()[2000:2060])]
    rows = embedded(Encoder(model), *texts)
    other = np.stack([expected(weights, token_ids(text, 48), 48) for text in texts])
    np.testing.assert_allclose(rows, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["i32", "i64"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_to_four_inputs_of_either_type(tmp_path: Path, count: int, dtype: str) -> None:
    inputs = INPUTS[:count]
    model, weights = small_model(tmp_path / "model", dim=64, inputs=inputs, dtype=dtype, context_window=48)
    rows = embedded(Encoder(model), *TEXTS)
    other = np.stack([expected(weights, token_ids(text, 48), 48, inputs=inputs) for text in TEXTS])
    np.testing.assert_allclose(rows, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shapes", ["static", "dynamic"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_token_states_are_pooled_as_the_card_says(tmp_path: Path, pooling: str, shapes: str) -> None:
    model, weights = small_model(tmp_path / "model", output="token_states", pooling=pooling, shapes=shapes)
    encoder = Encoder(model)
    rows = embedded(encoder, *TEXTS)
    other = np.stack([expected(weights, token_ids(text, 384), 384, pooling=pooling) for text in TEXTS])
    np.testing.assert_allclose(rows, other, rtol=0, atol=1e-5)
    other = np.stack([expected(weights, token_ids(text, 32), 32, pooling=pooling) for text in TEXTS])
    np.testing.assert_allclose(asked(encoder, *TEXTS), other, rtol=0, atol=1e-5)


def test_sentences_have_rows_only_where_there_are_token_states(tmp_path: Path) -> None:
    text = TEXTS[0]
    context = Context(0, len(text), text, 0, sentences=(Sentence(0, 19), Sentence(19, len(text))))
    states, _ = small_model(tmp_path / "states", output="token_states", pooling="mean")
    pooled, _ = small_model(tmp_path / "pooled")
    assert Encoder(states).embed_contexts([context]).vectors.shape == (3, WIDTH)
    assert Encoder(pooled).embed_contexts([context]).vectors.shape == (1, 1024)


@pytest.mark.parametrize("dim", [64, 1024])
def test_dynamic_graph_that_pools(tmp_path: Path, dim: int) -> None:
    """Such a graph is trusted not to mind padding; without mask and padding there is just one answer."""
    model, weights = small_model(tmp_path / "model", dim=dim, shapes="dynamic")
    (row,) = embedded(Encoder(model), "fox " * 30)  # 32 tokens: a multiple of 16, so nothing is padded
    np.testing.assert_allclose(row, expected(weights, token_ids("fox " * 30, 384), 32), rtol=0, atol=1e-5)


def test_half_precision_weights(tmp_path: Path) -> None:
    model, weights = small_model(tmp_path / "model", precision="fp16")
    rows = embedded(Encoder(model), *TEXTS)
    other = np.stack([expected(weights, token_ids(text, 384), 384) for text in TEXTS])
    np.testing.assert_allclose((rows * other).sum(axis=1), 1, rtol=0, atol=1e-3)


def test_prefixes_are_put_before_the_text(tmp_path: Path) -> None:
    model, weights = small_model(tmp_path / "model", context_prefix="passage: ", question_prefix="query: ")
    encoder = Encoder(model)
    assert encoder.context_budget == 384 - 2 - encoder.count_tokens(["passage: "])[0]
    other = expected(weights, token_ids("passage: Fox.", 384), 384)
    np.testing.assert_allclose(embedded(encoder, "Fox.")[0], other, rtol=0, atol=1e-5)
    other = expected(weights, token_ids("query: Fox.", 32), 32)
    np.testing.assert_allclose(asked(encoder, "Fox.")[0], other, rtol=0, atol=1e-5)


def test_question_longer_than_its_window_is_cut_and_said(tmp_path: Path) -> None:
    model, _ = small_model(tmp_path / "model")
    fits, cut = Encoder(model).embed_questions(["fox " * 30, "fox " * 31])
    assert (fits.truncated, cut.truncated) == (False, True)
    np.testing.assert_array_equal(fits.embedding, cut.embedding)


# What cannot be run


@pytest.mark.parametrize(
    ("made", "card", "said"),
    [
        ({}, {"inputs": ["input_ids", "attention_mask"]}, "the card says attention_mask, input_ids"),
        ({}, {"dim": 384}, "gives 1024 dimensions; the card says 384"),
        ({}, {"shapes": "dynamic"}, 'must say "shapes": "static"'),
        ({}, {"output": "token_states", "pooling": "mean"}, "the card says token_states, of 3 axes"),
        ({"dtype": "f32"}, {}, "token ids are int64 or int32"),
    ],
)
def test_graph_that_is_not_what_its_card_says(
    tmp_path: Path, made: dict[str, Any], card: dict[str, Any], said: str
) -> None:
    if made.get("dtype") == "f32":
        parameter = openvino.opset13.parameter([1, 384], openvino.Type.f32, name="input_ids")
        parameter.output(0).get_tensor().set_names({"input_ids"})
        result = openvino.opset13.matmul(parameter, np.ones((384, 1024), np.float32), False, False)
        result.output(0).get_tensor().set_names({"embedding"})
        (tmp_path / "model").mkdir()
        openvino.save_model(openvino.Model([result], [parameter]), str(tmp_path / "model" / GRAPH))
        (tmp_path / "model" / VOCABULARY).write_bytes(vocabulary_txt())
        card = {"inputs": ["input_ids"]}
    else:
        small_model(tmp_path / "model", **made)
    fields = {"dim": 1024, "inputs": INPUTS, "shapes": "static", "output": "embedding", "pooling": "none"}
    with pytest.raises(ModelError, match=said):
        Encoder(write_card(tmp_path / "model", **{**fields, **card})).embed_questions(["a"])


def test_graph_that_cannot_be_reshaped_to_questions_is_said_when_one_is_asked(tmp_path: Path) -> None:
    model, _ = small_model(tmp_path / "model", fixed=True)
    encoder = Encoder(model)
    assert embedded(encoder, "Fox.").shape == (1, 1024)
    with pytest.raises(ModelError, match=r"cannot be run with inputs of \(1,32\)"):
        asked(encoder, "Fox?")


def test_graph_file_of_no_use_is_said(tmp_path: Path) -> None:
    small_model(tmp_path / "model")
    (tmp_path / "model" / GRAPH).write_text("<net/>", encoding="utf-8")
    fields = {"dim": 1024, "inputs": INPUTS, "shapes": "static", "output": "embedding", "pooling": "none"}
    with pytest.raises(ModelError, match=r"model\.xml cannot be read"):
        Encoder(write_card(tmp_path / "model", **fields))


# Passports


def test_fingerprint_of_the_default_model_stays() -> None:
    """Indexes that people have carry it."""
    found = find_model().passport
    assert found.fingerprint == "c3eb62449cfaa418d177c9f8da8aee49a435fdf0bd4b682654ec6c00a07dcb89"
    assert Passport.from_dict(found.to_dict()) == found


def test_static_shapes_are_another_embedding_space(tmp_path: Path) -> None:
    passport = small_model(tmp_path / "model")[0].passport
    dynamic = Passport.from_dict({**passport.to_dict(), "shapes": "dynamic"})
    before = Passport.from_dict({key: value for key, value in dynamic.to_dict().items() if key != "shapes"})
    assert passport.fingerprint != dynamic.fingerprint == before.fingerprint
    assert Passport.from_dict(json.loads(json.dumps(passport.to_dict()))) == passport


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"shapes": "square"}, "shapes are 'square'"),
        ({"output": "token_states"}, "token states need a pooling"),
        ({"inputs": ["attention_mask"]}, "must have input_ids"),
        ({"inputs": ["input_ids", "input_ids"]}, "each but once"),
        ({"inputs": []}, "must have input_ids"),
        ({"inputs": ["input_ids", "pixels"]}, "unknown inputs 'pixels'"),
    ],
)
def test_card_that_no_graph_can_meet(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    passport = small_model(tmp_path / "model")[0].passport
    with pytest.raises(ModelError, match=said):
        Passport.from_dict({**passport.to_dict(), **fields})


# vocab.txt


def test_vocab_txt_gives_the_ids_that_tokenizer_json_gives(tmp_path: Path) -> None:
    (tmp_path / VOCABULARY).write_bytes(vocabulary_txt())
    ours, theirs = Tokenizer(tmp_path / VOCABULARY), Tokenizer(find_model().path / TOKENIZER)
    texts = [*TEXTS, "ÀÉ Straße İstanbul 漢 😀\x00\ufffd", "[SEP] [MASK] [UNK]", "a" * 100, "a" * 101, "don't—stop…"]
    calibration = Path(ctxsearch.__file__).parent / "encoder" / "calibration.jsonl"
    texts += [json.loads(line)["text"] for line in calibration.read_text(encoding="utf-8").splitlines()]
    for a, b in zip(ours.encode(texts, 384), theirs.encode(texts, 384), strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.starts, b.starts)
        assert a.truncated == b.truncated
    assert ours.count(texts) == theirs.count(texts)


def test_vocab_txt_keeps_case_where_the_card_says_so(tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "Fox", "fox"]
    (tmp_path / VOCABULARY).write_bytes("\r\n".join(tokens).encode())
    kept = Tokenizer(tmp_path / VOCABULARY, lower_case=False).encode(["Fox fox"], 8)[0]
    lowered = Tokenizer(tmp_path / VOCABULARY, lower_case=True).encode(["Fox fox"], 8)[0]
    assert kept.ids.tolist() == [2, 4, 5, 3]
    assert lowered.ids.tolist() == [2, 5, 5, 3]


def test_padding_is_what_the_vocabulary_calls_it(tmp_path: Path) -> None:
    (tmp_path / VOCABULARY).write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\nfox\n", encoding="utf-8")
    assert Tokenizer(tmp_path / VOCABULARY).pad_id == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"fox\nsea\n", r"no \[PAD\] and no \[UNK\] and no \[CLS\] and no \[SEP\]"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nfox\nfox\n", "has a token twice"),
        (b"\xff\xfe", "cannot be read as a vocabulary"),
        (b"", r"no \[PAD\]"),
    ],
)
def test_vocab_txt_of_no_use_is_a_model_error(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / VOCABULARY).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        Tokenizer(tmp_path / VOCABULARY)


@pytest.mark.parametrize("name", [VOCABULARY, WEIGHTS])
def test_changed_file_is_a_model_error_that_names_it(tmp_path: Path, name: str) -> None:
    model, _ = small_model(tmp_path / "model")
    with (model.path / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=name):
        Encoder(model).embed_questions(["a fox"])


# The whole way


def test_ingest_and_query_with_a_model_folder(tmp_path: Path) -> None:
    """On the command line, as a user would; the index keeps models apart."""
    small_model(tmp_path / "seed", precision="int8")
    index = tmp_path / "index"

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ctxsearch.cli", *map(str, arguments), "--index", str(index)]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)

    done = run("ingest", DATA / "handbook" / "refunds.md", DATA / "field-guide", "--model", tmp_path / "seed", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["documents"]["added"] == 10
    done = run("query", "who may approve a refund?", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["hits"][0]["source"].endswith("refunds.md")
    assert len(answer["hits"][0]["sentence"]["text"]) > 0
    done = run("status", "--json")
    assert json.loads(done.stdout)["passport"]["shapes"] == "static"
    done = run("ingest", DATA / "handbook", "--model", find_model().passport.name)
    assert done.returncode == 1
    assert "was made with the model seed (" in done.stderr
    assert done.stderr.count("\n") == 1


def test_dense_hits_are_those_of_exact_search(tmp_path: Path) -> None:
    model, _ = small_model(tmp_path / "seed")
    with ctxsearch.open(tmp_path / "index", model=str(model.path)) as index:
        index.ingest([DATA / "field-guide"])
        found = index.query("What does the toad eat?", k=5, mode="dense")
        texts = [hit.text for hit in found]
        encoder = Encoder(model)
        products = embedded(encoder, *texts) @ asked(encoder, "What does the toad eat?")[0]
        np.testing.assert_allclose([hit.scores.dense for hit in found], products, rtol=0, atol=2e-3)
        assert (np.diff([hit.scores.dense for hit in found]) <= 0).all()
    with pytest.raises(PassportMismatchError):
        ctxsearch.open(tmp_path / "index", model=find_model().passport.name)
