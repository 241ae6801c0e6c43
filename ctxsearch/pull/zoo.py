"""The models of the Open Model Zoo that can be pulled.

A file is named here with its size and checksum or not at all: nothing is installed that was not compared with them.
They are those of the ``model.yml`` of each model in github.com/openvinotoolkit/open_model_zoo. For the large model the
checksums of release 2023.0 could not be had when this was written; those of release 2021.4 could, SHA-256 then, so that
release is what is fetched; whether its network is the very same was not checked. The vocabulary is one file for all
BERT models of the Zoo, and so is its checksum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from ctxsearch.passport import GRAPH, INPUTS, VOCABULARY, WEIGHTS

BASE_URL = "https://storage.openvinotoolkit.org/repositories/open_model_zoo"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as it must arrive."""

    path: str
    """Below the base address."""
    name: str
    """In the model folder."""
    size: int
    algorithm: Literal["sha256", "sha384"]
    digest: str


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that can be pulled."""

    name: str
    files: tuple[RemoteFile, ...]
    passport: Mapping[str, Any]
    """Fields of its passport, but for the name and the checksums."""
    card: Mapping[str, Any]
    """What else its card tells."""

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


_SIGNATURE = MappingProxyType(
    {
        "dim": 1024,
        "context_window": 384,
        "question_window": 32,
        "pooling": "none",
        "output": "embedding",
        "inputs": INPUTS,
        "lower_case": True,
        "shapes": "static",
    }
)


def _vocabulary(folder: str) -> RemoteFile:
    return RemoteFile(
        f"{folder}/vocab.txt",
        VOCABULARY,
        231_508,
        "sha384",
        "ef26234c552cb23207a4bed2376a06eecf1d09ed00018519755df0e57551c2e55bc97e1877b0029e08b0cebdc65b0c82",
    )


_SMALL = "bert-small-uncased-whole-word-masking-squad-emb-int8-0001"
_SMALL_2023 = f"2023.0/models_bin/1/{_SMALL}"
_LARGE = "bert-large-uncased-whole-word-masking-squad-emb-0001"
_LARGE_2023 = f"2023.0/models_bin/1/{_LARGE}"
_LARGE_2021 = f"2021.4/models_bin/3/{_LARGE}/FP16"

MODELS: dict[str, RemoteModel] = {
    _SMALL: RemoteModel(
        _SMALL,
        (
            _vocabulary(_SMALL_2023),
            RemoteFile(
                f"{_SMALL_2023}/FP16-INT8/{_SMALL}.xml",
                GRAPH,
                1_158_059,
                "sha384",
                "2b418e46bc481220f609397ae0245fc0d9ed5516bbeb36cabe7bf5b5f55f4e47042dcf8672a66f5d9642a49f530420d2",
            ),
            RemoteFile(
                f"{_SMALL_2023}/FP16-INT8/{_SMALL}.bin",
                WEIGHTS,
                41_732_846,
                "sha384",
                "1cf3a608e91ac494a5a606463f713fefe69f26f2991e84bd3fbc1334575a67d1a3fd020c0c0bde2fa69d5531b75e116e",
            ),
        ),
        {**_SIGNATURE, "precision": "int8"},
        {
            "licence": "Apache-2.0",
            "release": "Open Model Zoo 2023.0, FP16-INT8",
            "stated_accuracy": "top-5 of 87.6 % on SQuAD v1.1 dev, one vector a context",
        },
    ),
    _LARGE: RemoteModel(
        _LARGE,
        (
            _vocabulary(_LARGE_2023),
            RemoteFile(
                f"{_LARGE_2021}/{_LARGE}.xml",
                GRAPH,
                1_300_638,
                "sha256",
                "503148f197b04ccb8816854de298b8fc85bfed55b97df6f48866ab0907b22189",
            ),
            RemoteFile(
                f"{_LARGE_2021}/{_LARGE}.bin",
                WEIGHTS,
                670_283_952,
                "sha256",
                "0293b6998bd86d8c743781e10ab238d0a54019d9c45a3f780087387a574454ea",
            ),
        ),
        {**_SIGNATURE, "precision": "fp16"},
        {
            "licence": "Apache-2.0",
            "release": "Open Model Zoo 2021.4, FP16",
            "stated_accuracy": "top-5 of 90.5 % on SQuAD v1.1 dev, one vector a context",
        },
    ),
}
"""By name."""
