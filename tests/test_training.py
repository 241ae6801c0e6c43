"""Training: what meets in a batch, which negatives are hard, the losses, and that a run goes on where it was cut.

The parts in torch are skipped where the extra [train] is not installed.
"""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.passport import find_model
from ctxsearch.questionset import QuestionSet, read_questions
from ctxsearch.training.batches import epoch
from ctxsearch.training.cards import giga_operations
from ctxsearch.training.pairs import TokenisedText, pairs_from_texts, tokenise
from tests.conftest import DATA


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(find_model().path / "tokenizer.json")


def text(*ids: int) -> TokenisedText:
    return TokenisedText(np.array([101, *ids, 102], np.int64), np.empty(0, np.int64))


# Pairs


def test_a_question_made_from_a_text_is_not_in_it() -> None:
    long = "The first sentence is about nothing at all here. The second one tells of a red fox in the rain. "
    long += "The third one is about the weather of the coming week."
    made = pairs_from_texts([("Fox", long), ("", "Too short.")], seed=1)
    assert made.gold.tolist() == [0, 0]
    sentence, title = made.questions
    assert title == "Fox"
    assert sentence in long
    assert sentence not in made.paragraphs[0]
    assert len(made.paragraphs) == 2


def test_tokens_have_the_boundaries_of_sentences(tokenizer: Tokenizer) -> None:
    found = tokenise(["One fox runs. Two foxes sleep."], tokenizer, 384, sentences=True)[0]
    assert found.boundaries.tolist() == [1, 5]
    assert len(found.ids) == 2 + 4 + 4
    cut = tokenise(["One fox runs. Two foxes sleep."], tokenizer, 6, sentences=True)[0]
    assert (len(cut.ids), cut.boundaries.tolist()) == (6, [1])
    assert tokenise(["One fox runs."], tokenizer, 384, sentences=False)[0].boundaries.tolist() == []


def test_operations_of_the_default_model() -> None:
    config = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6}
    assert giga_operations(config, 384) == pytest.approx(9.51, abs=0.01)  # all-MiniLM-L6-v2, a context of 384 tokens


# Batches


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(2, 16), st.integers(1, 5), st.integers(0, 9))
def test_an_epoch_has_every_context_once(count: int, size: int, family: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    neighbours = draw.integers(-1, count, (count, 6))
    starts = np.cumsum([0, *draw.integers(0, 5, count)])
    questions_of = [np.arange(a, b) for a, b in pairwise(starts)]
    drawn = epoch(neighbours, questions_of, contexts=size, family=family, most_questions=3, seed=seed)
    contexts = [context for batch in drawn for context in batch.contexts.tolist()]
    assert sorted(contexts) == [context for context in range(count) if len(questions_of[context])]
    for batch in drawn:
        own = {question for context in batch.contexts.tolist() for question in questions_of[context].tolist()}
        assert set(batch.questions.tolist()) <= own
        assert len(batch.questions) == sum(min(3, len(questions_of[c])) for c in batch.contexts.tolist())


def test_the_easily_confused_meet() -> None:
    neighbours = np.array([[1], [0], [3], [2], [5], [4]])
    drawn = epoch(neighbours, [np.array([i]) for i in range(6)], contexts=2, family=2, most_questions=1, seed=3)
    assert sorted(sorted(batch.contexts.tolist()) for batch in drawn) == [[0, 1], [2, 3], [4, 5]]


# Hard negatives


def test_bm25_by_hand() -> None:
    pytest.importorskip("scipy")
    from ctxsearch.training.negatives import Bm25

    found = Bm25([text(5, 6), text(5, 5, 7, 8)], [text(6), text(5, 9)]).scores(np.array([0, 1]))
    idf_6, idf_5 = np.log(1 + 1.5 / 1.5), np.log(1 + 0.5 / 2.5)
    assert found[0] == pytest.approx([idf_6 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)), 0.0])
    assert found[1, 1] == pytest.approx(idf_5 * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 4 / 3)))


def test_neighbours_are_what_questions_are_confused_with() -> None:
    pytest.importorskip("scipy")
    from ctxsearch.training.negatives import Bm25, hard_neighbours

    contexts = [text(1), text(2), text(3)]
    bm25 = Bm25(contexts, [text(4), text(4)])
    dense = np.array([[0.9, 0.8, 0.1], [0.2, 0.9, 0.3]], np.float32)
    found = hard_neighbours(
        lambda asked: dense[asked], bm25, np.array([0, 1]), 3, lexical_weight=0.0, per_question=1, neighbours=2
    )
    assert found.tolist() == [[1, -1], [2, -1], [-1, -1]]


# In torch


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A BERT of two small layers with random weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128)
    folder = tmp_path / "base"
    transformers.BertModel(config).save_pretrained(folder)
    shutil.copy(find_model().path / "tokenizer.json", folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def pairs() -> QuestionSet:
    whole = read_questions(DATA / "pairs.jsonl")
    return whole.select([number < 60 for number in range(len(whole.paragraphs))])


def test_torch_pools_as_the_encoder_does(base: Path, tmp_path: Path, pairs: QuestionSet, tokenizer: Tokenizer) -> None:
    pytest.importorskip("nncf")
    from ctxsearch.contexts import sentence_spans
    from ctxsearch.encoder import Encoder
    from ctxsearch.encoder.build import build_model
    from ctxsearch.records import Context, Sentence
    from ctxsearch.training import network

    texts = pairs.paragraphs[:8]
    folder = build_model(base, tmp_path / "model", name="tiny", calibration=(), precision="float32")
    spans = [tuple(Sentence(a, b) for a, b, _ in sentence_spans(one)) for one in texts]
    contexts = [Context(0, len(one), one, 0, (), own) for one, own in zip(texts, spans, strict=True)]
    expected = Encoder(folder).embed_contexts(contexts)
    model = network.load(base).eval()
    found = network.embed(model, tokenise(texts, tokenizer, 384, sentences=True), cls=False)
    whole = found.whole.detach().numpy()
    for number in range(len(texts)):
        rows = expected[number]
        assert float(rows[0] @ whole[number]) > 0.999  # torch computes in bfloat16 here
        own = found.sentences.detach().numpy()[found.owner.numpy() == number]
        assert len(own) == len(rows) - 1
        assert float((own * rows[1:]).sum(axis=1).min()) > 0.998


def test_similarity_is_that_of_search(base: Path) -> None:
    torch = pytest.importorskip("torch")
    from ctxsearch.training import network

    contexts = network.Embedded(
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]),
        torch.tensor([[0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]]),
        torch.tensor([0, 0, 1]),
    )
    whole, blended = network.similarities(torch.tensor([[1.0, 0.0]]), contexts, 0.75)
    assert whole.tolist() == [pytest.approx([1.0, 0.0, 0.6])]
    # The third context has no sentence of its own.
    assert blended.tolist() == [pytest.approx([0.75 * 0.8 + 0.25, -0.45, 0.6])]


def test_losses_by_hand() -> None:
    torch = pytest.importorskip("torch")
    from ctxsearch.training import network

    scores = torch.tensor([[0.05, 0.0, 0.9]])
    nothing, third = torch.zeros(1, 3, dtype=torch.bool), torch.tensor([[False, False, True]])
    gold = torch.tensor([0])
    assert float(network.contrastive_loss(scores, gold, third)) == pytest.approx(np.log1p(np.exp(-1.0)), abs=1e-5)
    assert float(network.contrastive_loss(scores, gold, nothing)) > 16.0
    assert float(network.distillation_loss(scores, scores)) == pytest.approx(0.0, abs=1e-6)
    assert float(network.distillation_loss(scores, scores.flip(1))) > 1.0


def test_a_run_that_was_cut_goes_on_as_if_it_had_not_been(base: Path, tmp_path: Path, pairs: QuestionSet) -> None:
    torch = pytest.importorskip("torch")
    from ctxsearch.errors import ModelError
    from ctxsearch.training.steps import Progress, Run, Settings

    settings = Settings(epochs=2, contexts_per_step=16, mine_every=1)

    def run(folder: str, chosen: Settings = settings) -> Run:
        return Run(base, pairs, tmp_path / folder, chosen, cls=False, windows=(128, 32))

    class CutError(Exception):
        pass

    cut = run("cut")
    cut.checkpoint_seconds = 0.0
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if progress.step >= 5:
            raise CutError

    with pytest.raises(CutError):
        cut.train(stop)
    resumed = run("cut")
    weights = resumed.train(seen.append).state_dict()
    whole = run("whole").train().state_dict()
    assert seen[-1].step == seen[-1].steps == resumed.steps
    assert all(torch.equal(weights[name], whole[name]) for name in whole)
    start = torch.load(tmp_path / "cut" / "checkpoint.pt", weights_only=True)
    assert start["done"] == resumed.steps
    with pytest.raises(ModelError, match="other settings"):
        run("cut", Settings(epochs=3, contexts_per_step=16, mine_every=1))


def test_recomputing_gives_the_same_gradients(base: Path, pairs: QuestionSet, tokenizer: Tokenizer) -> None:
    torch = pytest.importorskip("torch")
    from ctxsearch.training import network

    contexts = tokenise(pairs.paragraphs[:12], tokenizer, 384, sentences=True)
    questions = tokenise(pairs.questions[:12], tokenizer, 32, sentences=False)
    gradients = []
    for recompute in (False, True):
        model = network.load(base).train()
        embedded = network.embed(model, contexts, cls=False, recompute=recompute)
        asked = network.embed(model, questions, cls=False, recompute=recompute).whole
        scores = network.similarities(asked, embedded, 0.85)[1]
        nothing = torch.zeros_like(scores, dtype=torch.bool)
        network.contrastive_loss(scores, torch.from_numpy(pairs.gold[:12]), nothing).backward()
        gradients.append([value.grad for value in model.parameters() if value.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 10
    assert any(float(gradient.abs().max()) > 0 for gradient in gradients[0])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_train_makes_a_model_a_step(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    from ctxsearch.modelling import Recipe, train
    from ctxsearch.passport import ModelFolder

    rows = (DATA / "pairs.jsonl").read_text(encoding="utf-8").splitlines()[:80]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))
    said: list[str] = []
    recipe = Recipe(base, (tmp_path / "pairs.jsonl",), tmp_path / "out", "tiny", epochs=1, command="as the test says")
    made = train(recipe, on_done=lambda step, text: said.append(step))
    assert said[0] == "base"
    assert said[-2:] == ["int8", "lexical"]
    assert made.passport.precision == "int8"
    assert (made.passport.dim, made.passport.lexical_dim) == (made.passport.graph_dim + 128, 128)
    steps = [row["step"] for row in made.card["training"]["steps"]]
    assert steps == ["base", "finetuned", "distilled", "int8", "lexical"]
    assert (tmp_path / "out" / "finetuned" / "base" / "model.safetensors").is_file()
    page = (made.path / "README.md").read_text(encoding="utf-8")
    assert "as the test says" in page
    assert "| distilled |" in page
    before = json.loads((made.path / "model.json").read_text(encoding="utf-8"))
    assert train(recipe, ["quantise"]).card == before  # what is done is not done again
    ModelFolder.load(made.path).verify()
