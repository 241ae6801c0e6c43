"""Regular expressions that are compiled when they are first used.

A class of Unicode's ranges takes milliseconds to compile, and the question of a command is mostly English.
"""

from __future__ import annotations

import re
from typing import Any, cast


def lazy(source: str) -> re.Pattern[str]:
    """A pattern that is compiled at its first use; its methods cost no more than a compiled one's from then on."""
    return cast("re.Pattern[str]", _Lazy(source))


class _Lazy:
    def __init__(self, source: str) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._source), name)
        setattr(self, name, found)  # Python asks here only for what is not set
        return found
