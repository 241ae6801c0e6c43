"""Which model is run (cases 03 and 07 of the engine): a bare name is looked for among models only, and a folder that
only an index names is not opened before this user has named it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ctxsearch
from ctxsearch import ArgumentError, Document, ModelError, ModelNotFoundError
from ctxsearch.passport import CARD, DEFAULT_MODEL, GRAPH, LEXICAL, TOKENIZER, WEIGHTS, ModelFolder, find_model
from tests.hashing import install, make_model

TEXT = "The manager approves refunds."


@pytest.fixture(autouse=True)
def hash_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        install()
        yield


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and a cache in which nothing is confirmed."""
    monkeypatch.setenv("CTXSEARCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ctxsearch.cli", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


# Names and paths


def test_a_folder_named_like_the_model_does_not_take_its_place(elsewhere: Path) -> None:
    (elsewhere / DEFAULT_MODEL).mkdir()
    assert find_model().path.parent != elsewhere
    make_model(elsewhere / "models", "x").path.rename(elsewhere / "mine")
    with pytest.raises(ModelNotFoundError, match=r"no model 'mine' .*; for the folder here, write \./mine"):
        find_model("mine")
    for spelling in ("./mine", "../elsewhere/mine", str(elsewhere / "mine"), Path("mine"), elsewhere / "mine"):
        assert find_model(spelling).passport.name == "x"


def test_the_tilde_is_the_home_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(elsewhere))
    make_model(elsewhere, "mine")
    assert find_model("~/mine").path == elsewhere / "mine"


def test_no_name_is_taken_for_the_current_folder(elsewhere: Path) -> None:
    make_model(elsewhere / "m", "x")
    for file in (elsewhere / "m" / "x").iterdir():
        file.rename(elsewhere / file.name)
    for nothing in ("", " "):
        with pytest.raises(ArgumentError, match="model is empty"):
            find_model(nothing)
    assert find_model(".").passport.name == "x"


def test_the_command_line_runs_the_model_in_the_box(elsewhere: Path) -> None:
    (elsewhere / "a.txt").write_text(TEXT)
    (elsewhere / DEFAULT_MODEL).mkdir()
    assert run("ingest", "a.txt", "--index", "i", cwd=elsewhere).returncode == 0
    done = run("query", "refunds", "--index", "i", cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")


# What an index says of its model


def test_a_model_that_was_named_once_need_not_be_named_again(elsewhere: Path, tmp_path: Path) -> None:
    model = make_model(tmp_path / "mine", "m").path
    with ctxsearch.open(tmp_path / "i", model=model) as index:
        index.add([Document(TEXT, "a")])
    with ctxsearch.open(tmp_path / "i") as index:
        assert index.query("refunds", mode="dense")[0].source == "a"
        assert index.status().healthy


def test_a_model_folder_that_only_the_index_names_is_asked_about(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(tmp_path / "mine", "m").path
    with ctxsearch.open(tmp_path / "i", model=model) as index:
        index.add([Document(TEXT, "a")])
    monkeypatch.setenv("CTXSEARCH_CACHE", str(tmp_path / "of another user"))
    said = rf"says that it is in {model}, which you have not named before; .* open\(…, model="
    with ctxsearch.open(tmp_path / "i") as index:
        for call in (lambda: index.query("refunds"), lambda: index.add([Document(TEXT, "b")]), lambda: index.model):
            with pytest.raises(ModelError, match=said):
                call()
        assert index.query("refunds", mode="lexical")[0].source == "a"
        assert not index.status().healthy
        assert str(model) in index.status().problems[0]
    with ctxsearch.open(tmp_path / "i", model=model) as index:
        assert index.query("refunds")[0].source == "a"
    with ctxsearch.open(tmp_path / "i") as index:
        assert index.query("refunds")[0].source == "a"
    make_other_of_the_same_name(model)
    with ctxsearch.open(tmp_path / "i") as index, pytest.raises(ctxsearch.PassportMismatchError):
        index.query("refunds")


def make_other_of_the_same_name(folder: Path) -> None:
    shutil.rmtree(folder)
    make_model(folder.parent, folder.name, dim=32)


def test_a_name_in_an_index_is_no_path(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(tmp_path / "mine", "m").path
    card = json.loads((model / CARD).read_text())
    (model / CARD).write_text(json.dumps({**card, "name": str(model)}))
    ctxsearch.open(tmp_path / "i", model=model).close()
    monkeypatch.setenv("CTXSEARCH_CACHE", str(tmp_path / "of another user"))
    with ctxsearch.open(tmp_path / "i") as index, pytest.raises(ModelError, match="which you have not named before"):
        _ = index.model


# Export and import


@pytest.fixture
def exported(tmp_path: Path, elsewhere: Path) -> Path:
    """An export of an index of the model in the box."""
    with ctxsearch.open(tmp_path / "first") as index:
        index.add([Document(TEXT, "a", "A title", {"n": 2**70, "when": "2024-05-01"}), Document("Rain falls.", "b")])
        index.export(tmp_path / "a.jsonl.gz")
    return tmp_path / "a.jsonl.gz"


def test_an_imported_index_is_the_one_that_was_exported(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "new" / "deeper", tmp_path / "there"):
        assert ctxsearch.Index.import_(exported, folder).added == 2
        with ctxsearch.open(tmp_path / "first") as first, ctxsearch.open(folder) as second:
            assert second.verify() == []
            assert second.status().healthy
            for mode in ctxsearch.records.MODES:
                there, here = (index.query("who approves refunds?", mode=mode) for index in (first, second))
                assert [(h.source, h.title, h.score, h.metadata) for h in here] == [
                    (h.source, h.title, h.score, h.metadata) for h in there
                ]
            for mine, theirs in zip(second.iterate(vectors=True), first.iterate(vectors=True), strict=True):
                assert (mine.source, mine.text, mine.metadata) == (theirs.source, theirs.text, theirs.metadata)
                for context, other in zip(mine.contexts, theirs.contexts, strict=True):
                    assert context.vectors is not None
                    assert np.array_equal(context.vectors, other.vectors)
            assert [d.source for d in second.documents({"n": 2**70})] == ["a"]
            assert second.add([Document("A new one about otters.", "c")]).documents.added == 1
            assert second.query("otters", k=1)[0].source == "c"
        again = ctxsearch.Index.import_(exported, folder)
        assert (again.added, again.updated, again.unchanged) == (0, 0, 2)


def test_the_documented_round_trip_works_at_the_command_line(elsewhere: Path) -> None:
    (elsewhere / "a.txt").write_text(TEXT)
    for arguments in (
        ["ingest", "a.txt", "--index", "a"],
        ["export", "a.jsonl", "--index", "a"],
        ["import", "a.jsonl", "--index", "b"],
        ["query", "who approves?", "--index", "b"],
        ["status", "--index", "b"],
        ["verify", "--index", "b"],
    ):
        done = run(*arguments, cwd=elsewhere)
        assert (done.returncode, done.stderr) == (0, ""), arguments


def test_an_export_of_a_model_elsewhere(elsewhere: Path, tmp_path: Path) -> None:
    model = make_model(tmp_path / "mine", "m").path
    with ctxsearch.open(tmp_path / "first", model=model) as index:
        index.add([Document(TEXT, "a")])
        index.export(tmp_path / "a.jsonl")
    ctxsearch.Index.import_(tmp_path / "a.jsonl", tmp_path / "with", model=model)
    with ctxsearch.open(tmp_path / "with") as index:
        assert index.query("refunds", mode="dense")[0].source == "a"
        assert index.reembed(make_model(tmp_path / "mine", "other").path).embedded == 1
    ctxsearch.Index.import_(tmp_path / "a.jsonl", tmp_path / "without")
    with ctxsearch.open(tmp_path / "without") as index:
        with pytest.raises(ModelNotFoundError, match="is not here; name its folder with --model"):
            index.query("refunds")
        assert not index.status().healthy
        assert index.query("refunds", mode="lexical")[0].source == "a"
    with ctxsearch.open(tmp_path / "without", model=model) as index:
        assert index.query("refunds", mode="dense")[0].source == "a"
    other = make_model(tmp_path / "mine", "third").path
    with pytest.raises(ctxsearch.PassportMismatchError, match=r"a\.jsonl is of the model m .*, not of third"):
        ctxsearch.Index.import_(tmp_path / "a.jsonl", tmp_path / "wrong", model=other)
    assert not (tmp_path / "wrong").exists()


# Model folders


def test_no_file_of_a_model_folder_is_read_elsewhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    for name in (CARD, GRAPH, WEIGHTS, TOKENIZER):
        model = make_model(tmp_path / f"of {name}", "m").path
        (model / name).unlink()
        (model / name).symlink_to("../../outside")
        with pytest.raises(ModelError, match=f"{name} is a link that leads out of the folder"):
            ModelFolder.load(model)
    model = make_model(tmp_path, "inside").path
    (model / WEIGHTS).rename(model / "weights")
    (model / WEIGHTS).symlink_to("weights")
    assert ModelFolder.load(model).passport.name == "inside"


def test_large_and_endless_files_of_a_model_folder_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path, "large").path
    os.truncate(model / CARD, 5 << 20)
    with pytest.raises(ModelError, match=r"model\.json has 5,242,880 bytes; at most"):
        ModelFolder.load(model)
    model = make_model(tmp_path, "fifo").path
    os.mkfifo(model / LEXICAL)
    with pytest.raises(ModelError, match=r"lexical\.npy is not a regular file"):
        ModelFolder.load(model)


@pytest.mark.parametrize(
    "change",
    [
        {"name": 5},
        {"name": "x" * 201},
        {"name": None},
        {"precision": []},
        {"inputs": [["input_ids"]]},
        {"inputs": ["input_ids"] * 10_000},
        {"inputs": {"input_ids": 1}},
        {"lower_case": "yes"},
        {"context_window": 10**9},
        {"context_window": True},
        {"question_prefix": 5},
        {"context_prefix": "x" * 100_000},
        {"lexical_weight": "1"},
        {"lexical_dim": 8, "lexical_weight": float("inf")},
        {"dim": 10**30},
        {"weights_sha256": {}},
    ],
)
def test_a_passport_of_no_use_is_a_model_error(tmp_path: Path, change: dict[str, object]) -> None:
    model = make_model(tmp_path, "m").path
    (model / CARD).write_text(json.dumps({**json.loads((model / CARD).read_text()), **change}))
    with pytest.raises(ModelError, match=r"model\.json cannot be used") as caught:
        ModelFolder.load(model)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("card", ["[" * 200_000, '{"a": ' * 100_000, '{"dim": 1' + "0" * 5000 + "}", '"' + "x" * 100])
def test_a_card_that_is_no_json_object_is_a_model_error(tmp_path: Path, card: str) -> None:
    model = make_model(tmp_path, "m").path
    (model / CARD).write_text(card)
    with pytest.raises(ModelError, match=r"model\.json cannot be used"):
        ModelFolder.load(model)
