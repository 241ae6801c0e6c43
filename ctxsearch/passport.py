"""A model folder on disk, and the passport: the identity of the embedding space that a model makes.

    model.json       the passport and the model's card: where it comes from, how it was made, how good it is
    model.xml        OpenVINO IR, the graph
    model.bin        its weights
    tokenizer.json   the vocabulary and how text becomes tokens; or, for BERT's own WordPiece,
    vocab.txt        the vocabulary alone, a token a line
    lexical.npy      weights of tokens, for a model whose embeddings have a lexical part
    LICENSE, NOTICE  of the base model

This room reads and checks such folders and finds them by name. It never runs a model (`encoder`) and never makes one
(`encoder.build`). A folder may come from a stranger: its files are regular files of bounded size that stand in it, and
every field of the passport is checked.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ctxsearch import arguments
from ctxsearch.errors import ModelError, ModelNotFoundError
from ctxsearch.layout import replace_atomically, untrusted

Pooling: TypeAlias = Literal["mean", "cls", "none"]
Output: TypeAlias = Literal["token_states", "embedding"]
Shapes: TypeAlias = Literal["dynamic", "static"]

DEFAULT_MODEL = "ctxsearch-l6-int8"
"""Name of the model in the box."""

CARD = "model.json"
GRAPH = "model.xml"
WEIGHTS = "model.bin"
TOKENIZER = "tokenizer.json"
VOCABULARY = "vocab.txt"
LEXICAL = "lexical.npy"

MAX_BYTES = {
    CARD: 4 << 20,
    GRAPH: 256 << 20,
    WEIGHTS: 16 << 30,
    TOKENIZER: 128 << 20,
    VOCABULARY: 128 << 20,
    LEXICAL: 128 << 20,
}
"""Size of each file of a model folder. The largest model that can be pulled has weights of 670 MB."""

MAX_WINDOW = 65_536
"""Tokens of a text."""

MAX_NAME_CHARACTERS = 200
MAX_PREFIX_CHARACTERS = 1000

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Characters that a terminal obeys or that nobody sees. In a name they become U+FFFD, so that it shows, and a name that
only looks like another stays different from it."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""The inputs a graph may have, in the order BERT names them."""


@dataclass(frozen=True, slots=True)
class Passport:
    """What must be equal for two embeddings to be comparable, and the few facts needed to make one.

    Two passports with the same ``fingerprint`` name the same embedding space.
    """

    name: str
    dim: int
    context_window: int
    """Most tokens of a context, ``[CLS]`` and ``[SEP]`` counted."""
    question_window: int
    """Most tokens of a question, ``[CLS]`` and ``[SEP]`` counted."""
    pooling: Pooling
    """How token states become an embedding; ``none`` when the graph gives the embedding itself."""
    output: Output
    inputs: tuple[str, ...]
    precision: str
    lower_case: bool
    weights_sha256: str
    """Of the graph's and the weights' checksums."""
    vocabulary_sha256: str
    context_prefix: str = ""
    question_prefix: str = ""
    shapes: Shapes = "dynamic"
    """``static``: one text an inference, padded to the whole window, which a graph that pools may depend on."""
    lexical_dim: int = 0
    """The last so many dimensions say which tokens a text has (`encoder.lexical`)."""
    lexical_weight: float = 0.0
    """What their cosine counts where that of the others counts 1."""
    lexical_sha256: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides an embedding; the name takes no part.

        Nor do dynamic shapes: there are indexes whose passport was written before there was a choice.
        """
        return _fingerprint(self)

    @property
    def graph_dim(self) -> int:
        """Dimensions that the graph gives."""
        return self.dim - self.lexical_dim

    @property
    def label(self) -> str:
        """How messages name this embedding space."""
        return f"{self.name} ({self.fingerprint[:12]})"

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; `from_dict` reads it back."""
        return {**asdict(self), "inputs": list(self.inputs)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Passport:
        """Build from JSON values, other keys ignored. In what people are shown of it, control characters are replaced.

        Raises:
            ModelError: a key is missing, or a value is of no use.
        """
        known = cls.__dataclass_fields__
        if not isinstance(values, Mapping):
            raise ModelError(f"not a passport: {arguments.shown(values)}")
        try:
            passport = cls(**{key: values[key] for key in known if key in values})
        except TypeError as error:
            raise ModelError(f"not a passport: {error}") from error
        if not isinstance(passport.inputs, list | tuple):
            raise ModelError(f"not a passport: inputs are {arguments.shown(passport.inputs)}, not a list")
        object.__setattr__(passport, "inputs", tuple(passport.inputs))
        passport._check()
        for name in ("name", "precision"):  # which people are shown
            object.__setattr__(passport, name, _UNSEEN.sub("\ufffd", getattr(passport, name)))
        return passport

    def _check(self) -> None:
        shown = arguments.shown
        for name in ("name", "precision", "weights_sha256", "vocabulary_sha256", "lexical_sha256"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS:
                raise ModelError(f"not a passport: {name} is {shown(value)}, not a short text")
        for name in ("context_prefix", "question_prefix"):
            if not isinstance(getattr(self, name), str) or len(getattr(self, name)) > MAX_PREFIX_CHARACTERS:
                raise ModelError(f"not a passport: {name} is {shown(getattr(self, name))}, not a short text")
        if type(self.lower_case) is not bool:
            raise ModelError(f"not a passport: lower_case is {shown(self.lower_case)}, not true or false")
        if type(self.lexical_weight) not in (int, float):
            raise ModelError(f"not a passport: lexical_weight is {shown(self.lexical_weight)}")
        for name in ("dim", "context_window", "question_window", "lexical_dim"):
            if type(getattr(self, name)) is not int:
                raise ModelError(f"not a passport: {name} is {shown(getattr(self, name))}, not a whole number")
        if not 1 <= self.dim <= 65_536:
            raise ModelError(f"not a passport: dim is {shown(self.dim)}")
        if not 3 <= self.question_window <= self.context_window <= MAX_WINDOW:
            raise ModelError(
                f"not a passport: windows are {shown(self.context_window)} and {shown(self.question_window)} tokens; "
                f"a question takes at least 3 and at most as many as a context, which takes at most {MAX_WINDOW:,}"
            )
        if self.pooling not in ("mean", "cls", "none") or self.output not in ("token_states", "embedding"):
            raise ModelError(f"not a passport: pooling is {shown(self.pooling)} and output is {shown(self.output)}")
        if self.output == "token_states" and self.pooling == "none":
            raise ModelError("not a passport: token states need a pooling, mean or cls")
        if not 0 <= self.lexical_dim < self.dim or self.lexical_dim % 8:
            raise ModelError(
                f"not a passport: lexical_dim is {shown(self.lexical_dim)} of {self.dim}; it is a multiple of 8"
            )
        weight = self.lexical_weight
        if self.lexical_dim and not (isinstance(weight, int | float) and 0.0 < weight <= 10.0):
            raise ModelError(f"not a passport: lexical_weight is {shown(self.lexical_weight)}")
        if self.shapes not in ("dynamic", "static"):
            raise ModelError(f"not a passport: shapes are {shown(self.shapes)}, not dynamic or static")
        if unknown := [name for name in self.inputs if name not in INPUTS]:
            raise ModelError(f"not a passport: unknown inputs {', '.join(map(shown, unknown[:4]))}")
        if "input_ids" not in self.inputs or len(set(self.inputs)) != len(self.inputs):
            raise ModelError("not a passport: inputs must have input_ids, and each but once")


@functools.lru_cache(maxsize=64)
def _fingerprint(passport: Passport) -> str:
    """As the passport tells it; kept, since each query compares several."""
    identity = {key: getattr(passport, key) for key in passport.__dataclass_fields__ if key != "name"}
    if passport.shapes == "dynamic":
        del identity["shapes"]
    if not passport.lexical_dim:
        for key in ("lexical_dim", "lexical_weight", "lexical_sha256"):
            del identity[key]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model folder whose card was read. `load` is the way to get one."""

    path: Path
    passport: Passport
    card: Mapping[str, Any] = field(repr=False)
    """All of ``model.json``."""

    @classmethod
    def load(cls, path: Path) -> ModelFolder:
        """Read the card of a folder. The big files are not opened; `verify` does that.

        Raises:
            ModelError: a file is missing or the card is of no use.
        """
        for name in (CARD, GRAPH, WEIGHTS):
            if not (path / name).is_file():
                raise ModelError(f"model folder {path} has no {name}; {_REMAKE}")
        if not vocabulary_file(path).is_file():
            raise ModelError(f"model folder {path} has no {TOKENIZER} and no {VOCABULARY}; {_REMAKE}")
        for name, most in MAX_BYTES.items():
            _check_file(path, name, most)
        try:
            card = untrusted.parse_json(untrusted.read_file(Path(os.path.realpath(path / CARD)), MAX_BYTES[CARD]))
            if not isinstance(card, dict):
                raise ValueError("not a JSON object")
            passport = Passport.from_dict(card)
        except (OSError, ValueError, ModelError) as error:
            raise ModelError(f"model folder {path}: {CARD} cannot be used: {error}; {_REMAKE}") from error
        return cls(path, passport, card)

    def verify(self) -> None:
        """Compare the files with the checksums on the card.

        Raises:
            ModelError: a file is not the one that the card describes.
        """
        weights, vocabulary = checksums(self.path)
        lexical = sha256_of(self.path / LEXICAL) if self.passport.lexical_dim else ""
        for names, found, expected in (
            (f"{GRAPH} or {WEIGHTS}", weights, self.passport.weights_sha256),
            (vocabulary_file(self.path).name, vocabulary, self.passport.vocabulary_sha256),
            (LEXICAL, lexical, self.passport.lexical_sha256),
        ):
            if found != expected:
                raise ModelError(
                    f"{self.path}: {names} has checksum {found[:12]}, its card says {expected[:12]}; {_REMAKE}"
                )


def _check_file(folder: Path, name: str, most: int) -> None:
    """Raise unless a file of a model folder is a regular file inside of it, of bounded size, or not there."""
    whole = os.path.realpath(folder / name)
    try:
        found = os.stat(whole)
    except OSError:
        return
    if os.path.dirname(whole) != os.path.realpath(folder):
        raise ModelError(f"model folder {folder}: {name} is a link that leads out of the folder; copy the file into it")
    if not stat.S_ISREG(found.st_mode):
        raise ModelError(f"model folder {folder}: {name} is not a regular file; {_REMAKE}")
    if found.st_size > most:
        raise ModelError(f"model folder {folder}: {name} has {found.st_size:,} bytes; at most {most:,} are taken")


_REMAKE = "make or install the model again (ctxsearch model list shows those that are there)"


def checksums(path: Path) -> tuple[str, str]:
    """SHA-256 of a model folder's weights (graph and weights together) and of its vocabulary, as hex."""
    weights = hashlib.sha256((sha256_of(path / GRAPH) + sha256_of(path / WEIGHTS)).encode()).hexdigest()
    return weights, sha256_of(vocabulary_file(path))


def vocabulary_file(path: Path) -> Path:
    """The file of a model folder that says how text becomes tokens: tokenizer.json where there is one."""
    return path / TOKENIZER if (path / TOKENIZER).is_file() else path / VOCABULARY


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write ``model.json``, in the place of one that is there."""
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"

    def write(partial: Path) -> None:
        partial.write_text(text, encoding="utf-8")

    replace_atomically(folder / CARD, write)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file of a model folder, as hex.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def model_homes() -> list[Path]:
    """Folders in which models are looked for by name: the user's first, then the one inside the package.

    ``$CTXSEARCH_MODELS`` replaces the user's folder.
    """
    if named := os.environ.get("CTXSEARCH_MODELS"):
        own = Path(named)
    else:
        from platformdirs import user_data_path

        own = user_data_path("ctxsearch", appauthor=False) / "models"
    return [own, Path(__file__).parent / "models"]


def is_name(text: str) -> bool:
    """Whether a text names a model among the `model_homes`; one with a separator, or that begins with ``.`` or ``~``,
    is a path."""
    separators = [os.sep, "/", *([os.altsep] if os.altsep else [])]
    return bool(text.strip()) and text[0] not in ".~" and not any(one in text for one in separators)


def list_models() -> list[ModelFolder]:
    """All usable models in `model_homes`, by name; the first of a name wins."""
    found: dict[str, ModelFolder] = {}
    for home in model_homes():
        for card in sorted(home.glob(f"[!.]*/{CARD}")):
            try:
                model = ModelFolder.load(card.parent)
            except ModelError:
                continue
            found.setdefault(model.passport.name, model)
    return [found[name] for name in sorted(found)]


def find_model(name: str | os.PathLike[str] | None = None) -> ModelFolder:
    """The model of that name, or in that folder; the model in the box for None.

    Args:
        name: a name, as in ``ctxsearch-l6-int8``, is looked for in `model_homes` alone; a text with a separator, or one
            that begins with ``.`` or ``~``, and a `Path` are the path of a folder.

    Raises:
        ModelNotFoundError: there is none.
        ModelError: the folder cannot be used.
        ArgumentError: it is neither a text nor a path, or is empty.
    """
    wanted = arguments.path(DEFAULT_MODEL if name is None else name, "model")
    if isinstance(name, os.PathLike) or not is_name(wanted):
        folder = Path(wanted).expanduser()
        if os.path.isdir(folder):  # which has an answer for a name of any length
            return ModelFolder.load(folder)
        raise ModelNotFoundError(
            f"no model folder at {str(folder)[:1000]}; ctxsearch model list shows the models that are here"
        )
    for home in model_homes():
        if os.path.isfile(home / wanted / CARD):
            return ModelFolder.load(home / wanted)
    here = f"; for the folder here, write {os.path.join('.', wanted)}" if os.path.isdir(wanted) else ""
    raise ModelNotFoundError(
        f"no model {arguments.shown(wanted)} among those that ctxsearch model list shows "
        f"(ctxsearch model pull --help names some that can be fetched){here}"
    )
