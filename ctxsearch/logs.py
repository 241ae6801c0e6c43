"""The logger ``ctxsearch``: silent unless a program listens.

INFO has what changed or took long: opened, ingested, deleted, a model loaded, a slow query. DEBUG has each commit, and
each query with its question; no text of a question or a document stands above DEBUG.

``logging`` takes some milliseconds to import, and a program that has not imported it cannot listen; so it is not
imported here.
"""

from __future__ import annotations

import sys
from typing import Any

NAME = "ctxsearch"
DEBUG, INFO = 10, 20

SLOW_MILLISECONDS = 1000.0
"""From here on a query is slow."""


def info(message: str, *arguments: object) -> None:
    """Log what a program's operator wants to know; ``%`` formats as in ``logging``."""
    _log(INFO, message, arguments)


def debug(message: str, *arguments: object) -> None:
    """Log what a developer wants to know."""
    _log(DEBUG, message, arguments)


def _log(level: int, message: str, arguments: tuple[object, ...]) -> None:
    logging: Any = sys.modules.get("logging")
    if logging is None or not hasattr(logging, "NullHandler"):  # not imported, or in the middle of it
        return
    logger = logging.getLogger(NAME)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.log(level, message, *arguments, stacklevel=3)
