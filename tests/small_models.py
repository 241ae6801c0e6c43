"""Model folders small enough to be made in a test, by OpenVINO's operators alone: random weights, real signatures.

A state is ``tanh(word[id] + type[type] + place[position])``, and the text's embedding (for a graph that pools) is a
linear map of the mean over the *whole window* of states that weigh 1 where the mask is 1 and 0.1 where it is 0. So each
input counts, and so does the padding. `expected` computes the same with numpy.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import tokenizers
from openvino import opset13 as ops

from ctxsearch.passport import (
    CARD,
    GRAPH,
    INPUTS,
    TOKENIZER,
    VOCABULARY,
    ModelFolder,
    Passport,
    checksums,
    find_model,
)

WIDTH = 16
WORDS = 30_522


@functools.cache
def vocabulary() -> tuple[str, ...]:
    """The default model's tokens in their order: BERT's, lower-cased English."""
    table = json.loads((find_model().path / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    return tuple(sorted(table, key=table.__getitem__))


def vocabulary_txt() -> bytes:
    """As ``vocab.txt``."""
    return "".join(f"{token}\n" for token in vocabulary()).encode()


def token_ids(text: str, window: int) -> list[int]:
    """``[CLS] … [SEP]`` by the default model's tokenizer, cut to the window."""
    tokenizer = tokenizers.Tokenizer.from_file(str(find_model().path / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    ids: list[int] = tokenizer.encode(text).ids
    return ids


@dataclass(frozen=True)
class Weights:
    """Of one small graph."""

    word: np.ndarray
    scale: float
    type: np.ndarray
    place: np.ndarray
    out: np.ndarray

    @classmethod
    def random(cls, dim: int, window: int, seed: int) -> Weights:
        random = np.random.default_rng(seed)

        def normal(*shape: int) -> np.ndarray:
            return random.standard_normal(shape).astype(np.float32)

        word = random.integers(-127, 128, (WORDS, WIDTH), dtype=np.int8)
        return cls(word, 0.02, normal(2, WIDTH), normal(window, WIDTH), normal(WIDTH, dim))


def small_model(
    folder: Path,
    *,
    dim: int = 1024,
    inputs: Sequence[str] = INPUTS,
    dtype: str = "i64",
    shapes: str = "static",
    output: str = "embedding",
    pooling: str = "none",
    fixed: bool = False,
    seed: int = 0,
    **others: Any,
) -> tuple[ModelFolder, Weights]:
    """Make a folder with the seed's signature, or what the arguments make of it.

    Args:
        dim: for token states it is `WIDTH` whatever this says.
        dtype: OpenVINO's name of the inputs' type.
        fixed: the graph has its window inside, so that it cannot be reshaped.
        others: further fields of the passport.
    """
    window = int(others.get("context_window", 384))
    dim = dim if output == "embedding" else WIDTH
    weights = Weights.random(dim, window, seed)
    shape = openvino.PartialShape([1, window] if shapes == "static" else [-1, -1])
    ports = {name: ops.parameter(shape, getattr(openvino.Type, dtype), name=name) for name in inputs}
    for name, port in ports.items():
        port.output(0).get_tensor().set_names({name})
    words = ops.multiply(ops.convert(ops.constant(weights.word), "f32"), np.float32(weights.scale))
    sums = ops.gather(words, ports["input_ids"], 0)
    for name, table in (("token_type_ids", weights.type), ("position_ids", weights.place)):
        if name in ports:
            sums = ops.add(sums, ops.gather(ops.constant(table), ports[name], 0))
    result = ops.tanh(sums)
    if "attention_mask" in ports:
        weigh = ops.add(ops.multiply(ops.convert(ports["attention_mask"], "f32"), np.float32(0.9)), np.float32(0.1))
        if output == "embedding":
            result = ops.multiply(result, ops.unsqueeze(weigh, ops.constant(np.int64(2))))
    if fixed:
        result = ops.reshape(result, ops.constant(np.array([1, window, WIDTH])), special_zero=False)
    if output == "embedding":
        result = ops.matmul(ops.reduce_mean(result, ops.constant(np.int64(1))), ops.constant(weights.out), False, False)
    elif "attention_mask" in ports:  # an input that nothing reads would be dropped
        result = ops.multiply(result, ops.unsqueeze(weigh, ops.constant(np.int64(2))))
    result.output(0).get_tensor().set_names({output})
    folder.mkdir(parents=True)
    graph = openvino.Model([ops.result(result)], list(ports.values()))
    openvino.save_model(graph, str(folder / GRAPH), compress_to_fp16=others.get("precision") == "fp16")
    (folder / VOCABULARY).write_bytes(vocabulary_txt())
    return write_card(
        folder, dim=dim, inputs=list(inputs), shapes=shapes, output=output, pooling=pooling, **others
    ), weights


def write_card(folder: Path, **fields: Any) -> ModelFolder:
    """Give a folder its card and load it."""
    weights, words = checksums(folder)
    defaults: dict[str, Any] = {
        "name": folder.name,
        "context_window": 384,
        "question_window": 32,
        "precision": "float32",
        "lower_case": True,
        "weights_sha256": weights,
        "vocabulary_sha256": words,
    }
    passport = Passport.from_dict({**defaults, **fields})
    (folder / CARD).write_text(json.dumps(passport.to_dict()), encoding="utf-8")
    return ModelFolder.load(folder)


def feed(ids: Sequence[int], window: int) -> dict[str, np.ndarray]:
    """The four inputs of a text, each (1, window), as the seed's card describes them."""
    padding = window - len(ids)
    return {
        "input_ids": np.array([[*ids, *[0] * padding]], np.int64),
        "attention_mask": np.array([[1] * len(ids) + [0] * padding], np.int64),
        "token_type_ids": np.zeros((1, window), np.int64),
        "position_ids": np.arange(window, dtype=np.int64)[np.newaxis, :],
    }


def expected(
    weights: Weights, ids: Sequence[int], window: int, *, inputs: Sequence[str] = INPUTS, pooling: str = "none"
) -> np.ndarray:
    """The unit vector of a text, by numpy; float32 (dim,)."""
    given = feed(ids, window)
    states = weights.word[given["input_ids"][0]] * np.float32(weights.scale)
    if "token_type_ids" in inputs:
        states = states + weights.type[given["token_type_ids"][0]]
    if "position_ids" in inputs:
        states = states + weights.place[given["position_ids"][0]]
    states = np.tanh(states)
    if "attention_mask" in inputs:
        states = states * (given["attention_mask"][0] * 0.9 + 0.1)[:, np.newaxis]
    if pooling == "none":
        row = states.mean(axis=0) @ weights.out
    else:
        row = states[0] if pooling == "cls" else states[: len(ids)].mean(axis=0)
    return np.asarray(row / np.linalg.norm(row), np.float32)
