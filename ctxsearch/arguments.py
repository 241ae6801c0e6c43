"""Checks and conversions of the values that callers pass in; pure.

Every function returns the value in the exact type that the rest of the program expects, or raises `ArgumentError` with
a line that names the argument. Nothing else is raised, whatever the value is: these functions are the boundary.

JSON values follow one rule wherever they are accepted (metadata of documents, values in conditions): a value that
evidently means something in JSON becomes that (`json_value`), any other is refused.
"""

from __future__ import annotations

import datetime
import json
import math
import operator
import os
import re
import reprlib
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, get_args

from ctxsearch.errors import ArgumentError
from ctxsearch.records import MODES, Filter, Missing, Mode

if TYPE_CHECKING:
    from decimal import Decimal

MAX_DEPTH = 32
"""Levels of lists and objects inside one JSON value. A value that contains itself exceeds it."""

MAX_JSON_CHARACTERS = 10_000_000
"""Length of one JSON object, as text. Each hit carries the metadata of its document."""

MAX_INTEGER_BITS = 2048
"""Size of an integer. Python refuses to print or parse one of more than 4,300 digits."""

MAX_NAME_CHARACTERS = 65_536
"""Length of a source, a title, a path, a key: longer ones are texts that were passed for something else."""

MAX_QUESTION_CHARACTERS = 100_000
"""Length of a question. Its first 128 words are searched for, and its first 32 tokens embedded."""

MAX_ROW_ID = 2**63 - 1
"""The largest id that SQLite can give."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def shown(value: object) -> str:
    """A value as a message shows it: ASCII, on one line, at most 80 characters."""
    try:
        text = " ".join(_REPR.repr(value).encode("ascii", "backslashreplace").decode().split())
    except Exception:  # whatever a foreign __repr__ raises
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:79]}…"


def described(value: object) -> str:
    """A value with its type, as a message shows it."""
    return f"{shown(value)} ({type(value).__name__})" if value is not None else "None"


def text(value: object, name: str, *, longest: int | None = None) -> str:
    """A text that UTF-8 can express.

    Args:
        value: what was passed.
        name: how messages call it.
        longest: most characters.
    """
    if isinstance(value, Enum):
        value = value.value
    if not isinstance(value, str):
        raise ArgumentError(f"{name} is {described(value)}; expected a text (str)")
    plain = str.__str__(value)
    if longest is not None and len(plain) > longest:
        raise ArgumentError(f"{name} has {len(plain):,} characters; at most {longest:,} are taken")
    if found := _SURROGATE.search(plain):
        raise ArgumentError(f"{name} has half a character (an unpaired surrogate) at character {found.start()}")
    return plain


def name_of(value: object, name: str, *, empty: bool = False) -> str:
    """A short text that names something: a source, a title, a key.

    Args:
        empty: whether it may be blank.
    """
    checked = text(value, name, longest=MAX_NAME_CHARACTERS)
    if not empty and not checked.strip():
        raise ArgumentError(f"{name} is empty")
    return checked


def source(value: object, name: str, *, empty: bool = False) -> str:
    """What names a document or the file that it came from: a text, or a path, which is taken as its text."""
    checked = name_of(_path_as_text(value), name, empty=empty)
    if "\0" in checked:
        raise ArgumentError(f"{name} has a NUL character, which no path or address can have")
    return checked


def path(value: object, name: str) -> str:
    """A path of the file system. Bytes of a name that are not UTF-8 may be in it, as Python decodes them.

    An empty path is refused: it is never taken for the current folder.
    """
    value = _path_as_text(value)
    if not isinstance(value, str):
        raise ArgumentError(f"{name} is {described(value)}; expected a path (str or os.PathLike)")
    plain = str.__str__(value)
    if not plain.strip():
        raise ArgumentError(f"{name} is empty; expected a path, as in '.' for the current folder")
    if "\0" in plain:
        raise ArgumentError(f"{name} has a NUL character, which no path can have")
    try:
        os.fsencode(plain)
    except UnicodeEncodeError as error:
        raise ArgumentError(f"{name} is {shown(plain)}, which is no path here") from error
    return plain


def paths(value: object, name: str) -> list[str]:
    """One path or several; see `path`."""
    if isinstance(value, str | os.PathLike):
        return [path(value, name)]
    return [path(one, f"{name}[{place}]") for place, one in enumerate(several(value, name, "a path or several"))]


def questions(value: object, name: str) -> list[str]:
    """Several questions, from any iterable; a single text is refused, not taken for its letters. See `question`."""
    found = several(value, name, "several questions, as in ['…', '…']")
    return [question(one, f"{name}[{place}]") for place, one in enumerate(found)]


def question(value: object, name: str) -> str:
    """The text of a question. Unpaired surrogates are left in it, as an argument of a command line may have them."""
    if not isinstance(value, str):
        raise ArgumentError(f"{name} is {described(value)}; expected a text (str)")
    plain = str.__str__(value)
    if len(plain) > MAX_QUESTION_CHARACTERS:
        raise ArgumentError(
            f"{name} has {len(plain):,} characters; at most {MAX_QUESTION_CHARACTERS:,} are taken, and only its "
            "first words are searched for"
        )
    return plain


def several(value: object, name: str, expected: str) -> list[Any]:
    """The elements of an iterable that is neither a text, bytes nor a mapping."""
    if not is_several(value):
        raise ArgumentError(f"{name} is {described(value)}; expected {expected}")
    found: Iterable[Any] = value  # type: ignore[assignment]
    return list(found)


def is_several(value: object) -> bool:
    """Whether a value is an iterable, and neither a text, bytes, a mapping nor an array without dimensions."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        return False
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0


def integer(value: object, name: str, *, least: int = 0, most: int = MAX_ROW_ID) -> int:
    """An integer in a range; NumPy's integers are taken, booleans are not."""
    if isinstance(value, bool) or (number := _index(value)) is None:
        raise ArgumentError(f"{name} is {described(value)}; expected a whole number (int)")
    if not least <= number <= most:
        bound = f"at least {least}" if number < least else f"at most {most}"
        raise ArgumentError(f"{name} is {shown(number)}; expected a whole number, {bound}")
    return number


def real(value: object, name: str) -> float:
    """A number that is not NaN, as a float; booleans and texts are refused."""
    number = math.nan
    if not isinstance(value, bool | str | bytes | bytearray) and type(value).__name__ not in ("bool", "bool_"):
        try:
            number = float(value)  # type: ignore[arg-type]
        except Exception:  # whatever a foreign __float__ raises
            number = math.nan
    if math.isnan(number):
        raise ArgumentError(f"{name} is {described(value)}; expected a number")
    return number


def flag(value: object, name: str) -> bool:
    """True or False; NumPy's are taken, numbers and texts are not."""
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise ArgumentError(f"{name} is {described(value)}; expected True or False")


def mode(value: object) -> Mode:
    """A way of searching."""
    for known in MODES:
        if isinstance(value, str) and value == known:
            return known
    raise ArgumentError(f"no mode {shown(value)}; there are {', '.join(MODES)}")


def filter_of(where: object, missing: object = "error") -> Filter | None:
    """The filter that a condition on metadata asks for; None for one that all documents fit.

    What is in the condition is checked where it is compiled.

    Args:
        where: a mapping, or None.
        missing: ``"error"`` or ``"ignore"``.
    """
    if where is not None and not isinstance(where, Mapping):
        raise ArgumentError(f'where is {described(where)}; expected a condition as in {{"team": "ops"}}')
    for known in get_args(Missing):
        if isinstance(missing, str) and missing == known:
            return Filter(where, known) if where else None
    raise ArgumentError(f'missing is {shown(missing)}; expected "error" or "ignore"')


# JSON


def json_object(value: object, name: str) -> dict[str, Any]:
    """A mapping as a JSON object that is independent of it; see `json_value`."""
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{name} is {described(value)}; expected a mapping with texts for keys (dict)")
    converted: dict[str, Any] = json_value(value, name)
    return converted


def json_value(value: object, name: str) -> Any:
    """A value as JSON has it.

    Dates and times become ISO 8601 texts, UUIDs and paths texts, enumeration members their values, sets (in the order
    of their JSON), tuples and NumPy arrays lists, NumPy scalars numbers. A Decimal becomes a number where that is
    exact, else a text.

    Args:
        value: what was passed.
        name: how messages call it.

    Raises:
        ArgumentError: JSON has no such value, or it is too large or nested too deeply. The message names the key, as in
            ``metadata['when']``.
    """
    return _Conversion(name).value(value)


class _Conversion:
    """One value on its way to JSON."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._place: list[str | int] = []
        """Keys and positions that lead to the value at hand."""
        self._left = MAX_JSON_CHARACTERS

    def value(self, value: object) -> Any:
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list | tuple) or _is_array(value):
            return self._list(value)  # type: ignore[arg-type]
        if isinstance(value, set | frozenset):
            return sorted(self._list(value), key=_sort_key)
        scalar = self.scalar(value)
        self._spend(len(scalar) + 2 if isinstance(scalar, str) else 2)
        return scalar

    def scalar(self, value: object) -> str | int | float | bool | None:
        if isinstance(value, Enum):
            value = value.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return text(value, self.name, longest=MAX_JSON_CHARACTERS)
        if isinstance(value, int):
            return self._bounded(int(value))
        if isinstance(value, float):
            return self._finite(float(value))
        if isinstance(value, datetime.date | datetime.time) and value == value:  # pandas.NaT is a date, unlike itself
            return value.isoformat()
        from decimal import Decimal  # here, as most metadata have none, and a command that asks is not to wait for it
        from uuid import UUID

        if isinstance(value, Decimal) and value.is_finite():
            return self._of_decimal(value)
        if isinstance(value, UUID | PurePath):
            return text(str(value), self.name, longest=MAX_JSON_CHARACTERS)
        if _is_numpy(value) and getattr(value, "ndim", None) == 0:
            return self._of_numpy(value)
        raise self._error(f"is {described(value)}, which JSON cannot hold; pass a text or a number")

    @property
    def name(self) -> str:
        """How messages call the value at hand."""
        return self._name + "".join(f"[{shown(one)}]" for one in self._place)

    def _object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        self._descend()
        found = {}
        for key in value:
            plain = key.value if isinstance(key, Enum) else key
            if not isinstance(plain, str):
                raise self._error(f"has the key {shown(plain)}; keys are texts (str)")
            plain = text(plain, f"the key {shown(plain)} of {self.name}", longest=MAX_NAME_CHARACTERS)
            self._spend(len(plain) + 4)
            self._place.append(plain)
            found[plain] = self.value(value[key])
            self._place.pop()
        return found

    def _list(self, value: Iterable[Any]) -> list[Any]:
        self._descend()
        found = []
        for place, one in enumerate(value):
            self._place.append(place)
            found.append(self.value(one))
            self._place.pop()
        return found

    def _descend(self) -> None:
        self._spend(2)
        if len(self._place) > MAX_DEPTH:
            raise ArgumentError(f"{self._name} is nested more than {MAX_DEPTH} deep, or contains itself")

    def _spend(self, characters: int) -> None:
        """Count what is made: a small value may name a large one many times."""
        self._left -= characters
        if self._left < 0:
            raise ArgumentError(f"{self._name} is longer than {MAX_JSON_CHARACTERS:,} characters of JSON")

    def _error(self, what: str) -> ArgumentError:
        return ArgumentError(f"{self.name} {what}")

    def _bounded(self, value: int) -> int:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise self._error(f"is a number of more than {MAX_INTEGER_BITS} bits")
        return value

    def _finite(self, value: float) -> float:
        if not math.isfinite(value):
            raise self._error(f"is {value}, which JSON cannot hold; leave it out or pass None")
        return value

    def _of_decimal(self, value: Decimal) -> str | int | float:
        if abs(value.adjusted()) > MAX_INTEGER_BITS // 4:  # 10 ** 512 is below the limit, and int() of it is quick
            return text(str(value), self.name, longest=MAX_JSON_CHARACTERS)
        if value == value.to_integral_value():
            return self._bounded(int(value))
        return float(value) if value.from_float(float(value)) == value else str(value)

    def _of_numpy(self, value: Any) -> str | int | float | bool | None:
        """A scalar, or an array without dimensions. NumPy need not be imported for it."""
        plain, kind = value.item(), value.dtype.kind
        if kind == "M" and isinstance(plain, int):  # a unit finer than Python's, or a year that it has not
            plain = value.astype("datetime64[us]").item()
        if kind == "f" and not isinstance(plain, float):  # wider than a float of Python
            plain = float(value) if float(value) == value else str(value)
        if isinstance(plain, datetime.date if kind == "M" else bool | int | float | str) and kind in "biufUM":
            return self.scalar(plain)
        raise self._error(f"is {described(value)}, which JSON cannot hold; pass a text or a number")


def json_scalar(value: object, name: str) -> str | int | float | bool | None:
    """A value as JSON has it that is neither a list nor an object; see `json_value`."""
    return _Conversion(name).scalar(value)


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _is_numpy(value: object) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "dtype")


def _is_array(value: object) -> bool:
    return _is_numpy(value) and getattr(value, "ndim", 0) > 0


def _path_as_text(value: object) -> object:
    if isinstance(value, str) or not isinstance(value, os.PathLike):
        return value
    try:
        return os.fspath(value)
    except Exception:  # whatever a foreign __fspath__ raises
        return value


def _index(value: object) -> int | None:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except Exception:  # whatever a foreign __index__ raises
        return None
