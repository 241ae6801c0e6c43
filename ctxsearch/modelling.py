"""Making models: texts are read, a model is built from them. Wiring of readers and encoder.build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctxsearch import readers
from ctxsearch.encoder.build import build_model
from ctxsearch.errors import SourceError
from ctxsearch.passport import ModelFolder
from ctxsearch.records import Document

CALIBRATION = Path(__file__).parent / "encoder" / "calibration.jsonl"
"""Texts that calibrate where none are named: the contexts of the sample collection in data/."""

MOST_TEXTS = 300


def build(base: Path, out: Path, *, name: str, calibrate: Sequence[str], precision: str) -> ModelFolder:
    """Make a model folder from a Hugging Face folder, calibrated with the documents that ``calibrate`` leads to.

    Raises:
        SourceError: a document cannot be read.
        MissingExtraError: the extra [build] is not installed.
        ModelError: the base cannot be used, or ``out`` exists.
    """
    texts = calibration_texts(calibrate) if precision == "int8" else []
    said = ", ".join(Path(path).name for path in calibrate) or "calibration.jsonl of ctxsearch"
    return build_model(base, out, name=name, calibration=texts, calibration_name=said, precision=precision)


def calibration_texts(paths: Sequence[str]) -> list[str]:
    """Texts of the documents that the paths lead to, or our own for no paths.

    Returns:
        At most `MOST_TEXTS`, spread evenly over all. What is longer than a context is cut when it is used.

    Raises:
        SourceError: a document cannot be read.
    """
    texts = []
    found = readers.find(list(paths) or [str(CALIBRATION)])
    for problem in found.missing:
        raise problem
    for file in found.files:
        for item in readers.read(file):
            if isinstance(item, SourceError):
                raise item
            if isinstance(item, Document):
                texts.append(item.text)
    step = max(1, -(-len(texts) // MOST_TEXTS))
    return texts[::step]
