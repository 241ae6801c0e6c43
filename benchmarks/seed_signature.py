"""A model of the seed's signature and size with random weights, and what it shows of the encoder.

The Open Model Zoo's bert-small-uncased-whole-word-masking-squad-emb-int8-0001 takes input_ids, attention_mask,
token_type_ids and position_ids of (1,384) for a context and (1,32) for a question, gives embedding (1,1024), and has
its vocabulary in vocab.txt. ``make`` writes such a folder: 8 layers of width 512, 41 million parameters, quantised with
NNCF, seeded (needs the extra [build]). It pools over the whole window, padding and all, so that an encoder that padded
otherwise would be found out. ``make-large`` writes one of the size of its large relative, 24 layers of width 1024 with
weights in 16 bits. ``check`` compares the encoder with OpenVINO called directly, and its speed with that of the default
model, in turns. Usage::

    python benchmarks/seed_signature.py make DIR
    python benchmarks/seed_signature.py make-large DIR
    python benchmarks/seed_signature.py check DIR [CONTEXTS] [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ctxsearch.encoder import Encoder
from ctxsearch.modelling import calibration_texts
from ctxsearch.passport import CARD, GRAPH, INPUTS, TOKENIZER, VOCABULARY, WEIGHTS, Passport, checksums, find_model
from ctxsearch.records import Context

CONTEXT_WINDOW, QUESTION_WINDOW, DIM = 384, 32, 1024
SMALL, LARGE = (8, 512, 8), (24, 1024, 16)
"""Layers, width, heads."""
CALIBRATION_TEXTS = 64


def make(out: Path, layers: int, width: int, heads: int, *, precision: str) -> None:
    """Write the model folder."""
    import nncf
    import openvino
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        initializer_range=0.08,
        attn_implementation="eager",
    )

    class Retriever(torch.nn.Module):
        """BERT without its pooler, and a linear layer over the mean of all states, those of the padding too."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = transformers.BertModel(config, add_pooling_layer=False).eval()
            self.embedding = torch.nn.Linear(width, DIM)

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any, position_ids: Any) -> Any:
            states = self.bert(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=token_type_ids,
                position_ids=position_ids,
            ).last_hidden_state
            return self.embedding(states.mean(dim=1))

    out.mkdir(parents=True)
    base = find_model()
    vocabulary = json.loads((base.path / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    (out / VOCABULARY).write_bytes("".join(f"{word}\n" for word in words).encode())

    feeds = [feed(ids, CONTEXT_WINDOW) for ids in token_ids(calibration_texts([])[:CALIBRATION_TEXTS], CONTEXT_WINDOW)]
    example = {name: torch.from_numpy(value) for name, value in feeds[0].items()}
    with torch.no_grad():
        graph = openvino.convert_model(Retriever().eval(), example_input=example)
    graph.outputs[0].get_tensor().set_names({"embedding"})
    graph.reshape({name: [1, CONTEXT_WINDOW] for name in INPUTS})
    if precision == "int8":
        graph = nncf.quantize(
            graph,
            nncf.Dataset(feeds),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(feeds),
        )
    openvino.save_model(graph, str(out / GRAPH), compress_to_fp16=True)
    weights, words_sha256 = checksums(out)
    passport = Passport(
        name=out.name,
        dim=DIM,
        context_window=CONTEXT_WINDOW,
        question_window=QUESTION_WINDOW,
        pooling="none",
        output="embedding",
        inputs=INPUTS,
        precision=precision,
        lower_case=True,
        weights_sha256=weights,
        vocabulary_sha256=words_sha256,
        shapes="static",
    )
    (out / CARD).write_text(json.dumps(passport.to_dict(), indent=2) + "\n", encoding="utf-8")
    print(f"{out}: {(out / WEIGHTS).stat().st_size:,} bytes of weights, {passport.label}")


def token_ids(texts: list[str], window: int) -> list[list[int]]:
    """``[CLS] … [SEP]`` by the default model's tokenizer.json, which has the same words; not by our vocab.txt."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(find_model().path / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def feed(ids: list[int], window: int) -> dict[str, np.ndarray]:
    """The four inputs, (1, window), as the model's card describes them."""
    padding = window - len(ids)
    return {
        "input_ids": np.array([ids + [0] * padding], np.int64),
        "attention_mask": np.array([[1] * len(ids) + [0] * padding], np.int64),
        "token_type_ids": np.zeros((1, window), np.int64),
        "position_ids": np.arange(window, dtype=np.int64)[np.newaxis, :],
    }


def direct(folder: Path, texts: list[str], window: int) -> np.ndarray:
    """Unit vectors by OpenVINO alone, one text at a time; float32 (texts, dim)."""
    import openvino

    graph = openvino.Core().read_model(str(folder / GRAPH))
    graph.reshape({name: [1, window] for name in INPUTS})
    compiled = openvino.Core().compile_model(graph, "CPU")
    rows = np.concatenate([compiled(feed(ids, window))["embedding"] for ids in token_ids(texts, window)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def check(folder: Path, contexts: int, rounds: int) -> None:
    """Print the differences from direct inference, and contexts/s of both models, round by round."""
    texts = calibration_texts([])[:contexts]
    questions = [text.split(".")[0] for text in texts]
    seed, default = Encoder(find_model(folder)), Encoder(find_model())
    given = [Context(0, len(text), text, 0) for text in texts]
    for what, ours, other in (
        (f"contexts padded to {CONTEXT_WINDOW}", seed.embed_contexts(given).vectors, direct(folder, texts, 384)),
        (
            f"questions padded to {QUESTION_WINDOW}",
            np.stack([question.embedding for question in seed.embed_questions(questions)]),
            direct(folder, questions, QUESTION_WINDOW),
        ),
    ):
        apart = np.abs(other[1:] - other[:-1]).max(axis=1)
        print(
            f"{len(ours)} {what}: largest difference {np.abs(ours - other).max():.2e} "
            f"(two neighbouring texts differ by {apart.min():.2e} at least)"
        )
    encoders = {"seed signature": seed, "default model": default}
    rates, processor, asked = ({name: [] for name in encoders} for _ in range(3))
    for _ in range(rounds):
        for name, encoder in encoders.items():
            started, used = time.perf_counter(), time.process_time()
            encoder.embed_contexts(given)
            rates[name].append(len(given) / (time.perf_counter() - started))
            processor[name].append(1000 * (time.process_time() - used) / len(given))
            started = time.perf_counter()
            for question in questions[:20]:
                encoder.embed_questions([question])
            asked[name].append(1000 * (time.perf_counter() - started) / len(questions[:20]))
    for name in encoders:
        print(
            f"{name}: median {statistics.median(rates[name]):.1f} contexts/s "
            f"({', '.join(f'{rate:.1f}' for rate in rates[name])}), "
            f"{statistics.median(processor[name]):.1f} ms of processor time each; "
            f"a question in {statistics.median(asked[name]):.1f} ms"
        )
    ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
    print(f"default model / seed signature: median {statistics.median(ratios):.2f}")


def main() -> None:
    match sys.argv[1:]:
        case ["make", folder]:
            make(Path(folder), *SMALL, precision="int8")
        case ["make-large", folder]:
            make(Path(folder), *LARGE, precision="fp16")
        case ["check", folder, *counts]:
            contexts, rounds = [*map(int, counts), *(100, 5)[len(counts) :]]
            check(Path(folder), contexts, rounds)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
