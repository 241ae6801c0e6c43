"""OpenVINO, imported without its tools for converting models: they take more than half of its import, 60 ms.

``openvino`` imports them last of all, and goes on where they are not installed. An import fails where `sys.modules` has
None for a module; it has for as long as this one import takes. ``openvino.convert_model`` is there all the same: the
tools are imported when somebody first asks for it.
"""

from __future__ import annotations

import sys
from typing import Any

_TOOLS = "openvino.tools.ovc"

if "openvino" in sys.modules or _TOOLS in sys.modules:
    import openvino
else:
    sys.modules[_TOOLS] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        del sys.modules[_TOOLS]


def _later(name: str) -> Any:
    """An attribute of ``openvino`` that is not there yet."""
    if name == "convert_model":
        from openvino.tools.ovc import convert_model

        openvino.convert_model = convert_model
        return convert_model
    raise AttributeError(f"module 'openvino' has no attribute {name!r}")


if not hasattr(openvino, "convert_model") and not hasattr(openvino, "__getattr__"):
    openvino.__getattr__ = _later

__all__ = ["openvino"]
