"""Which documents a run has met: 16 bytes each, so that a run of millions takes no more than a few of ten thousand."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECENT = 8192
"""Documents that are noted one by one before they are put in order."""


class Seen:
    """Keys of documents and the hashes of their contents; both as 64 bits of BLAKE2b."""

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._ordered: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []
        """Keys, rising, and their contents; each more than twice as long as the next."""

    def __contains__(self, key: str) -> bool:
        return self._content(_short(key)) is not None

    def meet(self, key: str, content: str) -> bool | None:
        """Note a document, unless it came before: None, else whether it came with the same content."""
        own, new = _short(key), _short(content)
        held = self._content(own)
        if held is not None:
            return held == new
        self._recent[own] = new
        if len(self._recent) >= RECENT:
            self._put_in_order()
        return None

    def _content(self, key: int) -> int | None:
        if key in self._recent:
            return self._recent[key]
        for keys, contents in self._ordered:
            place = int(keys.searchsorted(keys.dtype.type(key)))
            if place < len(keys) and int(keys[place]) == key:
                return int(contents[place])
        return None

    def _put_in_order(self) -> None:
        import numpy as np  # here, since only long runs come so far

        keys = np.fromiter(self._recent, np.uint64, len(self._recent))
        contents = np.fromiter(self._recent.values(), np.uint64, len(self._recent))
        self._recent.clear()
        while self._ordered and len(self._ordered[-1][0]) <= 2 * len(keys):
            before = self._ordered.pop()
            keys, contents = np.concatenate([before[0], keys]), np.concatenate([before[1], contents])
        order = np.argsort(keys)
        self._ordered.append((keys[order], contents[order]))


def _short(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
