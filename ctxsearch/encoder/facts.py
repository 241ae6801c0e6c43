"""What OpenVINO is here, and in which precision it runs a model. For reports; nothing is decided by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import openvino

from ctxsearch.errors import ModelError
from ctxsearch.passport import GRAPH, ModelFolder

_PRODUCTS = frozenset(("FullyConnected", "MatMul"))
"""Layers that hold nearly all of a transformer's work."""

_NAMES = {"i8": "INT8", "u8": "INT8", "bf16": "bfloat16", "f16": "float16", "f32": "float32"}


class RuntimeFacts(NamedTuple):
    """OpenVINO on this machine."""

    version: str
    processor: str
    """As the processor names itself."""
    products: Mapping[str, int]
    """Matrix products of the model by the precision in which they run, most first."""
    others: str
    """The precision of everything else."""


def runtime_facts(model: ModelFolder) -> RuntimeFacts:
    """Compile a model and look at what came of it.

    Raises:
        ModelError: OpenVINO cannot run it.
    """
    options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": "1"}
    if model.passport.precision == "float32":
        options["INFERENCE_PRECISION_HINT"] = "f32"
    core = openvino.Core()
    try:
        graph = core.read_model(str(model.path / GRAPH))
        if model.passport.shapes == "static":
            graph.reshape({name: [1, model.passport.question_window] for name in model.passport.inputs})
        compiled = core.compile_model(graph, "CPU", options)
        layers = [layer.get_rt_info() for layer in compiled.get_runtime_model().get_ops()]
        others = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        processor = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
    except RuntimeError as error:
        raise ModelError(f"{model.path / GRAPH} cannot be run: {str(error).strip().splitlines()[0]}") from error
    products = Counter(
        _precision(layer["runtimePrecision"].astype(str))
        for layer in layers
        if layer["layerType"].astype(str) in _PRODUCTS
    )
    return RuntimeFacts(
        version=openvino.__version__.partition("-")[0],
        processor=processor.strip(),
        products=dict(products.most_common()),
        others=_precision(others),
    )


def _precision(name: str) -> str:
    return _NAMES.get(name.lower(), name)
