"""Conditions on metadata as SQL over the table of values.

A condition is a mapping, as Chroma has it: ``{"team": "ops"}``, ``{"size": {"$gte": 1000, "$lt": 5000}}``,
``{"$or": [{"author": {"$glob": "A*"}}, {"year": {"$in": [2023, 2024]}}]}``. Several keys, or several operators of a
key, must all hold.

- A key holds if one of its values does; a list has the values of its elements.
- A dot leads into an object: ``{"author.name": "Ada"}`` fits ``{"author": {"name": "Ada"}}``, and a document that has
  the key ``author.name`` itself. Of a list of objects, one of them has to fit.
- ``$ne`` and ``$nin`` are the opposites of ``$eq`` and ``$in``: a document without the key fits them.
- ``$not`` is the opposite of a condition, ``{"$not": {"team": "ops"}}``, or of the operators of a key,
  ``{"size": {"$not": {"$gt": 1000}}}``: what does not fit, a document without the key included.
- ``$exists`` asks whether a document has the key, with whatever value: ``{"author": {"$exists": False}}``.
- ``$contains`` fits a text that has the operand in it, by its characters, and a list that has it as an element.
- Numbers compare with numbers, truths with truths. Texts compare by their characters, but two that read as ISO 8601
  dates as points in time.
- A key that no document has, or that has values of other kinds only, is an error; with ``missing="ignore"`` no document
  has such a value, and that is all.

Nothing of the user's is in the SQL: keys and values are parameters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ctxsearch import arguments
from ctxsearch.catalog.metadata import (
    BOOLEAN,
    DATE,
    INSTANT,
    LARGE,
    LEAST_POSITIVE,
    MOST_NAMED,
    NAMES,
    NULL,
    NUMBER,
    TEXT,
    Value,
    instant,
    number,
)
from ctxsearch.errors import ArgumentError
from ctxsearch.records import Filter, Spelled

ORDERINGS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
OPERATORS = ("$eq", "$ne", *ORDERINGS, "$in", "$nin", "$glob", "$contains", "$exists", "$not")
JOINS = {"$and": " AND ", "$or": " OR "}

MOST_CONDITIONS = 200
DEEPEST = 16
MOST_VALUES = 10_000
MOST_GLOB_CHARACTERS = 1000
"""Well below SQLite's limits of parameters, and of depth and length of expressions and patterns."""


class Known(Protocol):
    """What documents have."""

    def kinds(self, key: str) -> set[int]:
        """Kinds of the values under a key; none for a key that no document has."""
        ...

    def metadata_keys(self) -> list[str]:
        """Keys that documents have."""
        ...


def condition(wanted: Filter, column: str, known: Known | None) -> tuple[str, dict[str, Any]]:
    """SQL that is true where the metadata of a document fit.

    Args:
        wanted: the condition.
        column: of the SQL statement, with ids of documents.
        known: what keys there are; None to believe that all are there.

    Raises:
        ArgumentError: it is no condition, or asks for a key or a kind of values that no document has.
    """
    compiler = _Compiler(column, None if wanted.missing == "ignore" else known)
    fits = compiler.all_of(wanted.where, 0)
    if wanted.without:
        compiler.parameters["without"] = json.dumps(sorted(wanted.without))
        fits = f"{fits} AND {column} NOT IN (SELECT value FROM json_each(:without))"
    return fits, compiler.parameters


class _Compiler:
    """One condition on its way to SQL."""

    def __init__(self, column: str, known: Known | None) -> None:
        self.parameters: dict[str, Any] = {}
        self._column = column
        self._known = known
        self._conditions = 0
        self._kinds: dict[str, set[int]] = {}

    def all_of(self, where: Any, depth: int) -> str:
        """SQL for a condition that stands ``depth`` deep in others."""
        if not isinstance(where, Mapping):
            raise ArgumentError(f'where: expected a condition as in {{"team": "ops"}}, not {arguments.shown(where)}')
        if depth > DEEPEST:
            raise ArgumentError(f"where: conditions stand more than {DEEPEST} deep in one another")
        terms: list[str] = []
        for key, wanted in where.items():
            self._count()
            if not isinstance(key, str):
                raise ArgumentError(f"where: {arguments.shown(key)} is no key; keys are texts")
            _utf8(key)
            if key in JOINS:
                if not isinstance(wanted, list | tuple) or not wanted:
                    raise ArgumentError(f"where: {key} takes a list of conditions, not {arguments.shown(wanted)}")
                terms.append(f"({JOINS[key].join(self.all_of(one, depth + 1) for one in wanted)})")
            elif key == "$not":
                if not isinstance(wanted, Mapping) or not wanted:
                    raise ArgumentError(f"where: $not takes a condition, not {arguments.shown(wanted)}")
                terms.append(f"NOT {self.all_of(wanted, depth + 1)}")
            elif key in OPERATORS or key == "$not_contains":
                raise ArgumentError(f"where: {key} stands where a key is expected, or joins nothing")
            else:
                terms.append(
                    self._all_operators(key, wanted if isinstance(wanted, Mapping) else {"$eq": wanted}, depth)
                )
        return f"({' AND '.join(terms)})" if terms else "1"

    def _all_operators(self, key: str, operators: Mapping[Any, Any], depth: int) -> str:
        if not operators:
            raise ArgumentError(f"where: {key!r} has no operator; there are {', '.join(OPERATORS)}")
        if depth > DEEPEST:
            raise ArgumentError(f"where: conditions stand more than {DEEPEST} deep in one another")
        terms = []
        for operator, operand in operators.items():
            if operator == "$not":
                self._count()
                if not isinstance(operand, Mapping):
                    raise ArgumentError(
                        f'where: {key!r}: $not takes operators as in {{"$gt": 5}}, not {arguments.shown(operand)}; '
                        "$ne is the opposite of a value"
                    )
                terms.append(f"NOT {self._all_operators(key, operand, depth + 1)}")
            else:
                terms.append(self._term(key, operator, operand))
        return f"({' AND '.join(terms)})"

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise ArgumentError(f"where: more than {MOST_CONDITIONS} conditions; $in takes many values at once")

    def _term(self, key: str, operator: Any, operand: Any) -> str:
        if operator not in OPERATORS:
            raise ArgumentError(
                f"where: {key!r}: no operator {arguments.shown(operator)}; there are {', '.join(OPERATORS)}"
            )
        if operator == "$exists":
            if not isinstance(operand, bool):
                raise ArgumentError(f"where: {key!r}: $exists takes True or False, not {arguments.shown(operand)}")
            self._check(key, ())
            return self._documents_with(key, "1", negated=not operand)
        several = operator in ("$in", "$nin")
        if several:
            if isinstance(operand, str | Mapping) or not isinstance(operand, Iterable):
                raise ArgumentError(
                    f"where: {key!r}: {operator} takes a list of values, not {arguments.shown(operand)}"
                )
            operand = list(operand)
        read = [reading for one in (operand if several else [operand]) for reading in _readings(key, one)]
        if operator in ORDERINGS or operator == "$glob":
            usable = (TEXT, DATE) if operator == "$glob" else (NUMBER, LARGE, TEXT, DATE)
            read = [(kind, value) for kind, value in read if kind in usable]
            if not read:
                takes = "a pattern as in 'docs/*.md'" if operator == "$glob" else "a number, a text or a date"
                raise ArgumentError(f"where: {key!r}: {operator} takes {takes}, not {arguments.shown(operand)}")
        self._check(key, [kind for kind, _ in read])
        if operator in ORDERINGS:
            tests = [self._ordered(kind, value, ORDERINGS[operator]) for kind, value in read]
        elif operator == "$glob":
            tests = [self._glob(str(value)) for _, value in read]
        elif operator == "$contains":
            tests = [*self._contains(read)]
        else:
            tests = [*self._equal(read)]
        return self._documents_with(key, " OR ".join(tests) or "0", negated=operator in ("$ne", "$nin"))

    def _documents_with(self, key: str, test: str, *, negated: bool) -> str:
        """SQL that is true for the documents that have a value of a key for which a test holds."""
        fits = f"key = {self._parameter(key)} AND ({test})"
        return f"{self._column} {'NOT ' if negated else ''}IN (SELECT document FROM document_metadata WHERE {fits})"

    def _contains(self, read: Sequence[tuple[int, Value]]) -> Iterator[str]:
        for kind, value in read:
            if kind in (TEXT, DATE):
                within = f"instr(value, {self._parameter(value)}) > 0"
                yield f"NOT listed AND kind IN ({TEXT}, {DATE}) AND {within}"
        yield f"listed AND ({' OR '.join(self._equal(read))})"

    def _equal(self, read: Sequence[tuple[int, Value]]) -> Iterator[str]:
        for kind in (NULL, BOOLEAN, NUMBER, LARGE, TEXT, DATE):
            if values := [value for its_kind, value in read if its_kind == kind]:
                if kind == DATE:
                    kind, values = INSTANT, [_instant(value) for value in values]
                yield f"kind = {kind} AND value IN ({', '.join(map(self._parameter, values))})"

    def _ordered(self, kind: int, value: Value, sign: str) -> str:
        if kind in (NUMBER, LARGE):
            return f"kind = {kind} AND value {sign} {self._parameter(value)} OR {_of_other_size(kind, value, sign)}"
        if kind == TEXT:
            return f"kind IN ({TEXT}, {DATE}) AND value {sign} {self._parameter(value)}"
        return (
            f"kind = {INSTANT} AND value {sign} {self._parameter(_instant(value))} "
            f"OR kind = {TEXT} AND value {sign} {self._parameter(value)}"
        )

    def _glob(self, pattern: str) -> str:
        parameter = self._parameter(sqlite_glob(pattern))
        return f"kind IN ({TEXT}, {DATE}) AND value GLOB {parameter}"

    def _check(self, key: str, kinds: Sequence[int]) -> None:
        """Refuse a key that no document has, and values of kinds that it has not."""
        if self._known is None:
            return
        if key not in self._kinds:
            self._kinds[key] = self._known.kinds(key)
        held = self._kinds[key]
        if not held:
            names = self._known.metadata_keys()
            there = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
            raise ArgumentError(f"where: no document has the key {key!r}; there are {there}")
        fitting = {NULL}.union(held, *(alike for alike in ({TEXT, DATE}, {NUMBER, LARGE}) if held & alike))
        if kinds and not fitting & set(kinds):
            has = " and ".join(sorted({NAMES[kind] for kind in held if kind in NAMES}))
            asked = " or ".join(sorted({NAMES[kind] for kind in kinds}))
            raise ArgumentError(f"where: {key!r} holds {has}; it cannot be compared with {asked}")

    def _parameter(self, value: Value) -> str:
        if len(self.parameters) >= MOST_VALUES:
            raise ArgumentError(f"where: more than {MOST_VALUES:,} values")
        name = f"where{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"


def _readings(key: str, operand: Any) -> Iterator[tuple[int, Value]]:
    """The kind and value of an operand; of one that was spelled on a command line, all that it reads as."""
    match operand:
        case Spelled():
            yield from _readings(key, str(operand))
            try:
                parsed = json.loads(operand)
            except (ValueError, RecursionError):
                return
            if isinstance(parsed, bool | int | float) and parsed == parsed:
                yield from _readings(key, parsed)
        case str():
            _utf8(operand)
            yield _reading(key, operand)
        case float() if math.isinf(operand):
            yield number(operand)
        case _:
            yield _reading(key, operand)


def _reading(key: str, operand: Any) -> tuple[int, Value]:
    """The kind and value of a scalar."""
    try:
        plain = arguments.json_scalar(operand, f"the value for {key!r}")
    except ArgumentError as error:
        raise ArgumentError(f"where: {key!r} cannot be compared with {arguments.shown(operand)}: {error}") from error
    match plain:
        case None:
            return NULL, 0
        case bool():
            return BOOLEAN, int(plain)
        case str():
            return (TEXT if instant(plain) is None else DATE), plain
        case _:
            return number(plain)


def _of_other_size(kind: int, value: Value, sign: str) -> str:
    """SQL that is true for those numbers of the other kind, NUMBER or LARGE, that are below or above a number."""
    if kind == NUMBER:
        return f"kind = {LARGE} AND value {sign[0]} '{LEAST_POSITIVE}'"
    return f"kind = {NUMBER}" if (str(value) < LEAST_POSITIVE) == (sign[0] == ">") else "0"


def _instant(value: Value) -> int:
    found = instant(str(value))
    assert found is not None
    return found


def _utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(f"where: {arguments.shown(text)} is not UTF-8") from error
    return text


def sqlite_glob(pattern: str) -> str:
    """A glob as SQLite's GLOB takes it: ``*``, ``?``, ``[abc]``, ``[!abc]``; a ``[`` without its ``]`` is a letter.

    GLOB sees a text up to its first NUL, if it has one.

    Raises:
        ArgumentError: it is too long, or has a NUL itself.
    """
    if len(pattern) > MOST_GLOB_CHARACTERS or "\0" in pattern:
        raise ArgumentError(f"where: a pattern of more than {MOST_GLOB_CHARACTERS} characters, or with a NUL")
    parts = []
    at = 0
    while at < len(pattern):
        end = -1
        if pattern[at] == "[":
            first = at + 1 + (pattern[at + 1 : at + 2] in ("!", "^"))
            end = pattern.find("]", first + 1)  # a ] that comes first is one of the letters
        if end > 0:
            inside = pattern[at + 1 : end]
            parts.append(f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]")
            at = end + 1
        else:
            parts.append("[[]" if pattern[at] == "[" else pattern[at])
            at += 1
    return "".join(parts)
