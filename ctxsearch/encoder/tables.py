"""Tables of words stay INT8 until a row is looked up. Changes a graph before it is compiled; imports openvino.

In the file a table is INT8 with a scale: ``gather(convert(table) * scale, ids)``. In a graph whose activations are
quantised, OpenVINO computes ``convert(table) * scale`` once for all when it compiles, and keeps it as float32: 47 MB
for 30,522 words of 384 dimensions, in each compiled graph and each entry of the cache, where a question looks up ten
rows. Other graphs it leaves as they are, and so do we.
"""

from __future__ import annotations

from typing import Any

from ctxsearch.encoder.library import openvino


def look_up_first(model: openvino.Model) -> openvino.Model:
    """The same graph, changed in place: rows of INT8 tables are looked up before they are multiplied by their scale."""
    ops, nodes = openvino.opset13, model.get_ordered_ops()
    if not any(node.get_type_name() == "FakeQuantize" for node in nodes):
        return model
    for gather in nodes:
        table = scale = None
        if gather.get_type_name() == "Gather":
            table, scale = _parts(gather.input_value(0).get_node())
        if table is None or scale is None or _axis(gather) != 0:
            continue
        ids, axis = gather.input_value(1), gather.input_value(2)
        rows = ops.convert(ops.gather(table, ids, axis), gather.get_output_element_type(0))
        scales = ops.gather(scale, ids, axis) if list(scale.shape) == [table.shape[0], 1] else scale
        scaled = ops.multiply(rows, scales)
        scaled.set_friendly_name(gather.get_friendly_name())
        gather.output(0).replace(scaled.output(0))
    model.validate_nodes_and_infer_types()
    return model


def _parts(product: Any) -> tuple[Any, Any]:
    """The table and the scale of ``convert(table) * scale``: a scale a row, a column or for all; else None and None."""
    if product.get_type_name() != "Multiply":
        return None, None
    converted, scale = (product.input_value(place).get_node() for place in range(2))
    if (converted.get_type_name(), scale.get_type_name()) != ("Convert", "Constant"):
        return None, None
    table = converted.input_value(0).get_node()
    if table.get_type_name() != "Constant" or len(table.shape) != 2:
        return None, None
    rows, columns = table.shape
    fits = list(scale.shape) in ([rows, 1], [1, columns], [columns], [1, 1], [1], [])
    return (table, scale) if fits else (None, None)


def _axis(gather: Any) -> int | None:
    axis = gather.input_value(2).get_node()
    return int(axis.data.item()) if axis.get_type_name() == "Constant" and axis.data.size == 1 else None
