"""What callers pass in: converted to what it evidently means, or refused by a line that names the argument."""

from __future__ import annotations

import datetime
import enum
import json
import pathlib
import uuid
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsearch import ArgumentError, arguments


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(enum.StrEnum):
    A = "a"


class Text(str):
    __slots__ = ()


NEVER = datetime.datetime.max
UUID = uuid.UUID(int=7)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=5), some, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC), "2024-05-01T12:00:00+00:00"),
        (datetime.time(12, 30), "12:30:00"),
        (np.int64(3), 3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(7), 7),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.datetime64("2024-05-01"), "2024-05-01"),
        (np.datetime64("2024-05-01T12:00:00.000000000"), "2024-05-01T12:00:00"),
        (Decimal("5"), 5),
        (Decimal("5.00"), 5),
        (Decimal("0.5"), 0.5),
        (Decimal("0.1"), "0.1"),
        (Decimal("1E+30"), 10**30),
        (Decimal("1E-400"), "1E-400"),
        (UUID, str(UUID)),
        (pathlib.PurePosixPath("a/b.txt"), "a/b.txt"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Name.A, "a"),
        (Text("a"), "a"),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (frozenset((2, 1)), [1, 2]),
        ({Name.A: {"x": (1,)}}, {"a": {"x": [1]}}),
        (2**64, 2**64),
        ("a\0b", "a\0b"),
        (None, None),
    ],
)
def test_values_become_what_they_evidently_mean(value: Any, expected: Any) -> None:
    found = arguments.json_value(value, "metadata")
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found)) == expected


@given(JSON)
def test_json_stays_as_it_is(value: Any) -> None:
    assert arguments.json_value(value, "metadata") == value


def a_list_in_itself() -> list[Any]:
    found: list[Any] = []
    found += [found, found]
    return found


def a_billion_laughs() -> list[Any]:
    found: list[Any] = ["ha"]
    for _ in range(20):
        found = [found] * 10
    return found


def test_what_json_cannot_hold_is_refused_with_its_key() -> None:
    for value, message in (
        (float("nan"), "metadata['k'][0] is nan, which JSON cannot hold"),
        (np.float32("inf"), "metadata['k'][0] is inf"),
        (Decimal("NaN"), "metadata['k'][0] is Decimal('NaN') (Decimal)"),
        (b"bytes", "metadata['k'][0] is b'bytes' (bytes)"),
        (1j, "metadata['k'][0] is 1j (complex)"),
        (object, "(type), which JSON cannot hold"),
        (datetime.timedelta(1), "(timedelta)"),
        (np.timedelta64(1, "s"), "(timedelta64)"),
        (np.datetime64("NaT"), "(datetime64)"),
        (np.datetime64(10**9, "Y"), "(datetime64)"),
        (np.complex64(1), "(complex64)"),
        ("\ud800", "metadata['k'][0] has half a character (an unpaired surrogate) at character 0"),
        ({5: 1}, "metadata['k'][0] has the key 5; keys are texts"),
        ({"\udfff": 1}, "has half a character"),
        ({"x" * 65_537: 1}, "at most 65,536"),
        (2**3000, "a number of more than 2048 bits"),
        ("x" * 10_000_001, "at most 10,000,000"),
        (["x" * 9_999] * 1_001, "longer than 10,000,000 characters"),
        (a_list_in_itself(), "nested more than 32 deep, or contains itself"),
        (a_billion_laughs(), "longer than 10,000,000 characters"),
        ((n for n in range(3)), "(generator)"),
    ):
        with pytest.raises(ArgumentError) as caught:
            arguments.json_object({"k": [value]}, "metadata")
        assert message in str(caught.value)
        assert len(str(caught.value)) < 400


def test_deep_values_are_refused_without_an_end_of_the_stack() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(ArgumentError, match="nested more than 32 deep"):
        arguments.json_object(deep, "metadata")


def test_scalars_of_arguments() -> None:
    assert arguments.integer(np.int32(5), "k") == 5
    assert type(arguments.integer(np.int32(5), "k")) is int
    assert arguments.real(np.float32(0.5), "recall") == 0.5
    assert arguments.real(1, "recall") == 1.0
    assert arguments.flag(np.True_, "prune") is True
    assert arguments.source(pathlib.PurePosixPath("a/b"), "source") == "a/b"
    assert arguments.path("a", "path") == "a"
    assert arguments.paths(pathlib.Path("a"), "paths") == ["a"]
    assert arguments.paths((pathlib.Path("a"), "b"), "paths") == ["a", "b"]
    assert arguments.questions((q for q in ("a", "b")), "questions") == ["a", "b"]


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (arguments.integer, [True, np.True_, 1.0, "1", None, -1, 2**63, [1], np.array([1, 2])]),
        (arguments.real, [True, np.True_, "1", b"1", None, float("nan"), 10**400, [1], 1j]),
        (arguments.flag, [0, 1, "yes", None, []]),
        (arguments.text, [None, 5, b"x", "\ud800", ["x"]]),
        (arguments.source, [None, 5, b"x", "", "  ", "\udcff", "a\0b", "x" * 65_537]),
        (arguments.path, [None, 5, b"x", "", " ", "a\0b"]),
        (arguments.paths, [None, 5, b"x", "", [""], [None], {"a": 1}]),
        (arguments.question, [None, 5, b"x", "x" * 100_001]),
        (arguments.questions, [None, 5, b"x", "abc", {"a": 1}, [None]]),
        (arguments.json_object, [None, [], "x", {1: 2}]),
    ],
)
def test_others_are_refused_by_name(check: Any, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ArgumentError, match="this one"):
            check(value, "this one")


@given(st.from_type(type).flatmap(st.from_type) | st.binary() | st.text() | st.integers() | st.floats())
def test_nothing_but_argument_errors_is_raised(value: Any) -> None:
    for check in (
        arguments.integer,
        arguments.real,
        arguments.flag,
        arguments.text,
        arguments.source,
        arguments.path,
        arguments.question,
        arguments.json_value,
    ):
        with suppress(ArgumentError):
            check(value, "it")
