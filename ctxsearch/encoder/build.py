"""A Hugging Face BERT-family folder becomes a model folder: OpenVINO IR in INT8, with its passport.

Needs the extra [build] (torch, transformers, nncf), imported only when a model is built. The graph gives token states,
so that context and sentence embeddings come from one pass. Quantisation is NNCF post-training static quantisation with
the transformer preset: weights and activations in INT8, ranges taken from the calibration texts.

The same base, texts and library versions give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ctxsearch.encoder.lexical import LexicalPart
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.errors import MissingExtraError, ModelError
from ctxsearch.passport import (
    GRAPH,
    LEXICAL,
    TOKENIZER,
    WEIGHTS,
    ModelFolder,
    Passport,
    checksums,
    sha256_of,
    write_card,
)

CONTEXT_WINDOW = 384
QUESTION_WINDOW = 32

LEGAL_FILES = ("LICENSE", "LICENSE.txt", "NOTICE", "NOTICE.txt")


def build_model(
    base: Path,
    out: Path,
    *,
    name: str,
    calibration: Sequence[str],
    calibration_name: str = "",
    precision: str = "int8",
) -> ModelFolder:
    """Make a model folder.

    Args:
        base: folder with ``config.json``, weights and ``tokenizer.json`` or ``vocab.txt``.
        out: the model folder to make; it must not exist yet.
        name: the model's name in `model list`.
        calibration: texts whose activations set the INT8 ranges; none are needed for ``float32``.
        calibration_name: how the card names them.
        precision: ``int8`` or ``float32``.

    Raises:
        MissingExtraError: the extra [build] is not installed.
        ModelError: the base cannot be used, or ``out`` exists.
    """
    try:
        import nncf  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("ctxsearch model build", "build") from error
    if out.exists():
        raise ModelError(f"{out} exists already; name a folder that does not, or remove it first")
    if not (base / "config.json").is_file():
        raise ModelError(f"{base} has no config.json: it is not a Hugging Face model folder")
    if precision == "int8" and not calibration:
        raise ModelError("an INT8 model needs texts to calibrate it; none were found")

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as partial:
        folder = Path(partial)
        _save_tokenizer(base, folder / TOKENIZER)
        tokenizer = Tokenizer(folder / TOKENIZER)
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        window = min(CONTEXT_WINDOW, int(config.get("max_position_embeddings", CONTEXT_WINDOW)))
        _save_graph(base, folder / GRAPH, tokenizer, window, calibration, precision)
        for legal in LEGAL_FILES:
            if (base / legal).is_file():
                shutil.copyfile(base / legal, folder / legal)
        weights, vocabulary = checksums(folder)
        passport = Passport(
            name=name,
            dim=int(config["hidden_size"]),
            context_window=window,
            question_window=min(QUESTION_WINDOW, window),
            pooling="cls" if pools_cls(base) else "mean",
            output="token_states",
            inputs=("input_ids", "attention_mask"),
            precision=precision,
            lower_case=_lower_cases(tokenizer),
            weights_sha256=weights,
            vocabulary_sha256=vocabulary,
        )
        card = {
            **passport.to_dict(),
            "licence": _licence(base),
            "base": _base_card(base, config),
            "calibration": _calibration_card(calibration, calibration_name) if precision == "int8" else None,
            "made_with": {package: version(package) for package in ("openvino", "nncf", "torch", "transformers")},
            "bytes": {file: (folder / file).stat().st_size for file in (GRAPH, WEIGHTS)},
        }
        write_card(folder, card)
        ModelFolder.load(folder).verify()
        folder.chmod(0o755)
        shutil.copytree(folder, out)
    return ModelFolder.load(out)


def add_lexical_part(folder: Path, part: LexicalPart) -> ModelFolder:
    """Give the embeddings of a model folder a lexical part; the graph stays as it is."""
    model = ModelFolder.load(folder)
    np.save(folder / LEXICAL, part.stored)
    fields = {
        "dim": model.passport.graph_dim + part.dim,
        "lexical_dim": part.dim,
        "lexical_weight": part.share,
        "lexical_sha256": sha256_of(folder / LEXICAL),
    }
    write_card(folder, {**model.card, **fields})
    return ModelFolder.load(folder)


def _save_graph(
    base: Path, path: Path, tokenizer: Tokenizer, window: int, calibration: Sequence[str], precision: str
) -> None:
    import nncf
    import openvino
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    try:
        model = transformers.AutoModel.from_pretrained(str(base), dtype=torch.float32, local_files_only=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{base} cannot be loaded: {str(error).splitlines()[0]}") from error

    class TokenStates(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        """The model without its pooler, its output one tensor."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    example = {
        "input_ids": torch.arange(32).reshape(2, 16),
        "attention_mask": torch.ones(2, 16, dtype=torch.int64),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch and transformers deprecate is for OpenVINO to mend
        graph = openvino.convert_model(TokenStates(model), example_input=example)
    graph.outputs[0].get_tensor().set_names({"token_states"})
    if precision == "int8":

        def feed(text: str) -> dict[str, Any]:
            ids = tokenizer.encode([text], window)[0].ids[np.newaxis, :]
            return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

        graph = nncf.quantize(
            graph,
            nncf.Dataset(list(calibration), feed),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
        )
    elif precision != "float32":
        raise ModelError(f"no precision {precision!r}; there are int8 and float32")
    openvino.save_model(graph, str(path), compress_to_fp16=False)


def _save_tokenizer(base: Path, path: Path) -> None:
    """Write the base's tokenizer, without the padding and cutting that some bases have in theirs."""
    import tokenizers
    import transformers

    if (base / TOKENIZER).is_file():
        tokenizer = tokenizers.Tokenizer.from_file(str(base / TOKENIZER))
    else:
        try:
            loaded = transformers.AutoTokenizer.from_pretrained(str(base), local_files_only=True)
        except (OSError, ValueError) as error:
            raise ModelError(f"{base} has neither tokenizer.json nor a vocabulary that can be used") from error
        tokenizer = loaded.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(path), pretty=False)


def pools_cls(base: Path) -> bool:
    """What a sentence-transformers folder says of its pooling; mean pooling where it says nothing."""
    path = base / "1_Pooling" / "config.json"
    if not path.is_file():
        return False
    pooling = json.loads(path.read_text(encoding="utf-8"))
    if pooling.get("pooling_mode_cls_token"):
        return True
    if pooling.get("pooling_mode_mean_tokens", True):
        return False
    raise ModelError(f"{path} asks for a pooling that ctxsearch does not know; it knows mean and cls")


def _lower_cases(tokenizer: Tokenizer) -> bool:
    upper, lower = tokenizer.encode(["ABC Word", "abc word"], window=32)
    return bool(np.array_equal(upper.ids, lower.ids))


def _licence(base: Path) -> str:
    """SPDX name of the base's licence where it is plain, else where to read it."""
    for legal in LEGAL_FILES:
        if (base / legal).is_file():
            text = (base / legal).read_text(encoding="utf-8", errors="replace")[:1000]
            if "Apache License" in text and "Version 2.0" in text:
                return "Apache-2.0"
            return "MIT" if "MIT License" in text else f"see {legal}"
    return "not stated by the base"


def _base_card(base: Path, config: dict[str, Any]) -> dict[str, Any]:
    weights = {}
    for file in sorted(base.glob("*.safetensors")):
        with file.open("rb") as opened:
            weights[file.name] = hashlib.file_digest(opened, "sha256").hexdigest()
    return {
        "folder": base.name,
        "architecture": config.get("model_type"),
        "layers": config.get("num_hidden_layers"),
        "sha256": weights,
    }


def _calibration_card(texts: Sequence[str], name: str) -> dict[str, Any]:
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    return {"texts": len(texts), "from": name, "sha256": digest}
