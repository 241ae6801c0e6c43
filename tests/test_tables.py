"""Tables of words that are looked up before they are multiplied: the same values, without the table as float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from openvino import opset13 as ops

from ctxsearch.encoder.library import openvino
from ctxsearch.encoder.tables import look_up_first
from ctxsearch.passport import GRAPH, find_model

ROWS, COLUMNS = 500, 24
IDS = np.array([[3, 499, 0, 3], [7, 7, 7, 250]], np.int64)
TABLE = np.random.default_rng(5).integers(-127, 128, (ROWS, COLUMNS), dtype=np.int8)


def graph(scale: np.ndarray, *, axis: int = 0, quantised: bool = True) -> openvino.Model:
    """Looks rows (or columns) up in an INT8 table that is multiplied by a scale; a second result is quantised."""
    ids = ops.parameter([-1, -1], np.int64, name="ids")
    words = ops.multiply(ops.convert(ops.constant(TABLE), "f32"), ops.constant(scale))
    found = ops.gather(words, ids, axis)
    low, high = np.float32(-3.0), np.float32(3.0)
    second = ops.fake_quantize(found, low, high, low, high, 256) if quantised else found
    return openvino.Model([ops.result(found), ops.result(second)], [ids])


def compiled(model: openvino.Model) -> openvino.CompiledModel:
    """Compiled to compute with float32."""
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.mark.parametrize("shape", [(ROWS, 1), (1, COLUMNS), (COLUMNS,), (1, 1), (1,), ()])
def test_rows_are_looked_up_and_then_multiplied(shape: tuple[int, ...]) -> None:
    scale = np.random.default_rng(6).uniform(0.001, 0.02, shape).astype(np.float32)
    found = compiled(look_up_first(graph(scale)))(IDS)[0]
    assert np.array_equal(found, (TABLE.astype(np.float32) * scale)[IDS])


@pytest.mark.parametrize("other", [{"axis": 1}, {"quantised": False}])
def test_what_openvino_does_well_by_itself_stays(other: dict[str, Any]) -> None:
    model = graph(np.full((ROWS, 1), 0.5, np.float32), **other)
    kinds = [node.get_type_name() for node in model.get_ordered_ops()]
    look_up_first(model)
    assert [node.get_type_name() for node in model.get_ordered_ops()] == kinds


def test_the_model_in_the_box_is_a_third_of_the_size_so_and_gives_the_same() -> None:
    path = str(find_model().path / GRAPH)
    before = compiled(openvino.Core().read_model(path))
    after = compiled(look_up_first(openvino.Core().read_model(path)))
    given = {port.get_any_name(): np.ones((2, 20), np.int64) for port in before.inputs}
    given["input_ids"] = np.random.default_rng(7).integers(1000, 30_000, (2, 20))
    assert np.array_equal(before(given)[0], after(given)[0])
    large, small = (len(one.export_model().getvalue()) for one in (before, after))
    assert 2 * small < large
