"""Text to token ids, with the tokenizer of a model folder. The only importer of tokenizers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import tokenizers

from ctxsearch.errors import ModelError
from ctxsearch.passport import VOCABULARY
from ctxsearch.records import IntArray

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"

LONGEST_WORD = 100
"""Characters of a word above which BERT takes it for unknown; of google-research/bert, tokenization.py."""

WORDS_REMEMBERED = 32_768
"""Words whose token ids are kept: some 8 MB. The 334,110 tokens of SQuAD dev are of 20,953 words."""

COUNTED_REMEMBERED, LONGEST_COUNTED = 32_768, 128
"""Texts counted whose token ids wait to be asked for, and tokens that one may have: half a kB each as a rule, 50 MB at
the most. Longer ones are often cut up, and not asked for."""

SAFE_SPACE = " \t\r\n"
"""White space at which every BERT tokenizer separates words, so that the tokens on both sides simply follow on."""

_WORD = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z \t\r\n]")
"""In ASCII: what BERT's pre-tokenizer makes words of, letters and digits in runs, and all other characters alone."""

_PRESENTATION = re.compile("[\ufb00-\ufb06\uff01-\uffee\U0001d400-\U0001d7ff]")
"""Ligatures, letters of full and half width, mathematical alphabets. A word with one is unknown to BERT's vocabulary,
which has the letters that NFKC makes of it."""

_RUN = re.compile(r"[^ \t\r\n]+")
"""What stands between `SAFE_SPACE`."""


@dataclass(frozen=True, slots=True)
class TokenIds:
    """One text as the model reads it: ``[CLS] … [SEP]``, without padding.

    ``ids`` and ``starts`` are int64 of shape (tokens,); ``starts`` holds the character offset in the text at which each
    token begins, -1 for ``[CLS]`` and the text's length for ``[SEP]``.
    """

    ids: IntArray
    starts: IntArray
    truncated: bool

    def first_tokens(self, offsets: Sequence[int]) -> IntArray:
        """Index of the first token of each span that begins at one of the offsets, rising; int64 of their number.

        A span without a token of its own has that of the next, at most the index of ``[SEP]``.
        """
        return np.searchsorted(self.starts[:-1], np.array(offsets, np.int64), side="left").clip(1)


class _WholeTextError(Exception):
    """A word that is not looked up: the text that has it is better tokenized whole."""


class _Words(dict[str, list[int]]):
    """The token ids of each word met, until they are too many.

    A word is one of ASCII, or a run with other characters.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        super().__init__()
        self._tokenizer, self._vocabulary = tokenizer, tokenizer.model
        self._longest = min(LONGEST_WORD, self._vocabulary.max_input_chars_per_word)

    def __missing__(self, word: str) -> list[int]:
        short = len(word) <= self._longest
        known = None
        if word.isascii():
            if not word.isprintable():
                raise _WholeTextError  # a control character, which BERT leaves out of a word
            # A word of the vocabulary is one token: WordPiece takes the longest that fits.
            known = self._vocabulary.token_to_id(word) if short else None
        elif not short:
            raise _WholeTextError  # of a script without spaces, perhaps
        ids = [known] if known is not None else self._tokenizer.encode(word, add_special_tokens=False).ids
        if short:
            if len(self) >= WORDS_REMEMBERED:
                self.clear()
            self[word] = ids
        return ids


class Tokenizer:
    """The WordPiece tokenizer of a model folder. Text that spells a special token is plain text to it.

    Safe to share between threads: nothing in it changes after it is made, but what it remembers.
    """

    def __init__(self, path: Path, *, lower_case: bool = True) -> None:
        """Read a ``tokenizer.json``, or make BERT's tokenizer of a ``vocab.txt``.

        Args:
            path: the file.
            lower_case: whether text is lower-cased and loses its accents; ``tokenizer.json`` says so itself.

        Raises:
            ModelError: the file is not a tokenizer.
        """
        if path.name == VOCABULARY:
            self._tokenizer = _word_piece(path, lower_case)
        else:
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
        self._lower_cases = False
        self._words = _Words(self._tokenizer) if self._is_plain_bert() else None
        self._counted: dict[str, list[int]] = {}
        self.pad_id: int = self._tokenizer.token_to_id(PAD) or 0
        """What fills a row behind ``[SEP]``; it is masked, so any valid id serves where the vocabulary names none."""

    @property
    def size(self) -> int:
        """Tokens of the vocabulary."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without ``[CLS]`` and ``[SEP]``. The ids are kept for `ids`, to be given once."""
        found = self._tokenized(texts)
        if len(self._counted) + len(texts) > COUNTED_REMEMBERED:
            self._counted = {}
        self._counted |= {text: ids for text, ids in zip(texts, found, strict=True) if len(ids) <= LONGEST_COUNTED}
        return [len(ids) for ids in found]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without ``[CLS]`` and ``[SEP]``."""
        counted = self._counted
        if not counted:
            return self._tokenized(texts)
        result = [counted.pop(text, None) for text in texts]
        others = iter(self._tokenized([text for text, ids in zip(texts, result, strict=True) if ids is None]))
        return [next(others) if ids is None else ids for ids in result]

    def _tokenized(self, texts: Sequence[str]) -> list[list[int]]:
        """The same, found.

        Words are looked up among those met before, which takes a fifth of the time of tokenizing them anew.
        """
        texts = [_with_usual_letters(text) for text in texts]
        result = [self._looked_up(text) for text in texts] if self._words is not None else [None] * len(texts)
        others = [text for text, ids in zip(texts, result, strict=True) if ids is None]
        tokenized = iter(self._tokenizer.encode_batch_fast(others, add_special_tokens=False) if others else ())
        return [next(tokenized).ids if ids is None else ids for ids in result]

    def frame(self, ids: Sequence[int], window: int) -> IntArray:
        """Token ids between ``[CLS]`` and ``[SEP]``, the end cut so that they fit ``window`` tokens; int64."""
        return np.array([self._cls, *ids[: window - 2], self._sep], np.int64)

    def _looked_up(self, text: str) -> list[int] | None:
        """Token ids of a text, word by word; None if it is better tokenized whole."""
        assert self._words is not None
        try:
            return list(chain.from_iterable(map(self._words.__getitem__, self._words_of(text))))
        except _WholeTextError:
            return None

    def _words_of(self, text: str) -> Iterable[str]:
        """What is looked up of a text: words of ASCII, lower-cased if all are, and runs with other characters."""
        if text.isascii():
            return _WORD.findall(text.lower() if self._lower_cases else text)
        runs = _RUN.findall(text)
        return chain.from_iterable(self._words_of(run) if run.isascii() else (run,) for run in runs)

    def _is_plain_bert(self) -> bool:
        """Whether the tokenizer does with ASCII what BERT's does: then a word's tokens depend on nothing around it."""
        normalizer, splitter = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        if not (
            isinstance(normalizer, tokenizers.normalizers.BertNormalizer)
            and isinstance(splitter, tokenizers.pre_tokenizers.BertPreTokenizer)
            and isinstance(self._tokenizer.model, tokenizers.models.WordPiece)
            and normalizer.clean_text
            and all(token.special for token in self._tokenizer.get_added_tokens_decoder().values())
        ):
            return False
        self._lower_cases = normalizer.lowercase
        return True

    def encode(self, texts: Sequence[str], window: int) -> list[TokenIds]:
        """Frame each text with ``[CLS]`` and ``[SEP]``, its end cut so that it fits ``window`` tokens."""
        room = window - 2
        result = []
        usual = [_with_usual_letters(text) for text in texts]
        for text, read, encoding in zip(
            texts, usual, self._tokenizer.encode_batch(usual, add_special_tokens=False), strict=True
        ):
            ids = encoding.ids
            truncated = len(ids) > room
            starts = [start for start, _ in encoding.offsets[:room]]
            if read is not text:
                places = _places(text)
                starts = [places[start] for start in starts]
            result.append(
                TokenIds(
                    ids=np.array([self._cls, *ids[:room], self._sep], np.int64),
                    starts=np.array([-1, *starts, len(text)], np.int64),
                    truncated=truncated,
                )
            )
        return result


def _with_usual_letters(text: str) -> str:
    """A text as it is read: the very same, if it has no letters in a form of presentation."""
    if text.isascii() or _PRESENTATION.search(text) is None:
        return text
    return _PRESENTATION.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


def _places(text: str) -> list[int]:
    """For each character that `_with_usual_letters` gives, the place in the text of the one that it was made of."""
    return [at for at, character in enumerate(text) for _ in _with_usual_letters(character)]


def _word_piece(path: Path, lower_case: bool) -> tokenizers.Tokenizer:
    """The tokenizer of BERT over a vocabulary, a token a line."""
    try:
        lines = path.read_bytes().decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read as a vocabulary: {error}") from error
    vocabulary = {token: number for number, token in enumerate(lines)}
    if len(vocabulary) != len(lines) or (missing := [t for t in (PAD, UNK, CLS, SEP) if t not in vocabulary]):
        wrong = "has a token twice" if len(vocabulary) != len(lines) else f"has no {' and no '.join(missing)}"
        raise ModelError(f"{path} {wrong}: it is not a vocabulary of BERT, a token a line")
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(vocabulary, unk_token=UNK, max_input_chars_per_word=LONGEST_WORD)
    )
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lower_case)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}", special_tokens=[(CLS, vocabulary[CLS]), (SEP, vocabulary[SEP])]
    )
    tokenizer.add_special_tokens([token for token in (PAD, UNK, CLS, SEP, MASK) if token in vocabulary])
    return tokenizer
