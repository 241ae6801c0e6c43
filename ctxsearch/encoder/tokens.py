"""Text to token ids, with the tokenizer of a model folder. The only importer of tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers

from ctxsearch.errors import ModelError
from ctxsearch.records import IntArray


@dataclass(frozen=True, slots=True)
class TokenIds:
    """One text as the model reads it: ``[CLS] … [SEP]``, without padding.

    ``ids`` and ``starts`` are int64 of shape (tokens,); ``starts`` holds the character offset in the text at which each
    token begins, -1 for ``[CLS]`` and the text's length for ``[SEP]``.
    """

    ids: IntArray
    starts: IntArray
    truncated: bool


class Tokenizer:
    """The WordPiece tokenizer of a model folder. Text that spells a special token is plain text to it.

    Safe to share between threads: nothing in it changes after it is made.
    """

    def __init__(self, path: Path) -> None:
        """Read ``tokenizer.json``.

        Raises:
            ModelError: the file is not a tokenizer.
        """
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"{path} cannot be used as a tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        frame = self._tokenizer.encode("", add_special_tokens=True).ids
        if len(frame) != 2:
            raise ModelError(f"{path} does not frame a text with two tokens as BERT does: it gives {len(frame)}")
        self._cls, self._sep = frame

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without ``[CLS]`` and ``[SEP]``."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def encode(self, texts: Sequence[str], window: int) -> list[TokenIds]:
        """Frame each text with ``[CLS]`` and ``[SEP]``, its end cut so that it fits ``window`` tokens."""
        room = window - 2
        result = []
        for text, encoding in zip(
            texts, self._tokenizer.encode_batch(list(texts), add_special_tokens=False), strict=True
        ):
            ids = encoding.ids
            truncated = len(ids) > room
            starts = [start for start, _ in encoding.offsets[:room]]
            result.append(
                TokenIds(
                    ids=np.array([self._cls, *ids[:room], self._sep], np.int64),
                    starts=np.array([-1, *starts, len(text)], np.int64),
                    truncated=truncated,
                )
            )
        return result
