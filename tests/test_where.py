"""Conditions on metadata: what fits is what a plain reading of the condition says, in all modes and as spelled.

The reference below knows no SQL: it evaluates a condition on the metadata of one document after another.
"""

from __future__ import annotations

import datetime
import fnmatch
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ctxsearch
from ctxsearch.catalog.conditions import sqlite_glob
from ctxsearch.cli import care
from ctxsearch.cli.common import conditions
from ctxsearch.records import MODES, Spelled
from tests import hashing

# A plain reading of conditions


def flattened(facts: Mapping[str, Any]) -> list[tuple[str, Any, bool]]:
    """Each key with each of its values, those of objects with dots, and whether the value is an element of a list."""
    found: list[tuple[str, Any, bool]] = []

    def walk(key: str, value: Any, listed: bool) -> None:
        if isinstance(value, list) and value:
            for element in value:
                if isinstance(element, list):
                    found.append((key, element, True))
                else:
                    walk(key, element, True)
            return
        found.append((key, value, listed))
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{key}.{name}", inner, listed)

    for key, value in facts.items():
        walk(key, value, False)
    return found


def values_of(facts: Mapping[str, Any], key: str) -> list[Any]:
    return [value for its_key, value, _ in flattened(facts) if its_key == key]


def date_of(value: Any) -> datetime.datetime | None:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d($|[T ]\d\d:\d\d)", value):
        return None
    try:
        said = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    return said if said.tzinfo else said.replace(tzinfo=datetime.UTC)


def kind_of(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "truth", int: "number", float: "number", str: "text"}.get(type(value), "other")


def comparable(one: Any, other: Any) -> tuple[Any, Any] | None:
    """Both as Python compares them; None for values of different kinds."""
    if kind_of(one) != kind_of(other) or kind_of(one) == "other":
        return None
    if date_of(one) and date_of(other):
        return date_of(one), date_of(other)
    if kind_of(one) == "text":
        return one.encode(), other.encode()  # SQLite orders by UTF-8, which is the order of code points
    return one, other


def compares(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$glob":
        return isinstance(value, str) and fnmatch.fnmatchcase(value, operand)
    pair = comparable(value, operand)
    if pair is None:
        return False
    one, other = pair
    if operator == "$eq":
        return bool(one == other)
    if kind_of(value) not in ("number", "text"):
        return False
    return bool({"$gt": one > other, "$gte": one >= other, "$lt": one < other, "$lte": one <= other}[operator])


def fits(facts: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(_holds(facts, key, wanted) for key, wanted in where.items())


def _holds(facts: Mapping[str, Any], key: str, wanted: Any) -> bool:
    if key == "$and":
        return all(fits(facts, one) for one in wanted)
    if key == "$or":
        return any(fits(facts, one) for one in wanted)
    if key == "$not":
        return not fits(facts, wanted)
    wanted = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    return all(_term(facts, key, operator, operand) for operator, operand in wanted.items())


def _term(facts: Mapping[str, Any], key: str, operator: str, operand: Any) -> bool:
    if operator == "$not":
        return not all(_term(facts, key, inner, value) for inner, value in operand.items())
    if operator == "$exists":
        return bool(values_of(facts, key)) is operand
    if operator in ("$ne", "$nin"):
        return not _term(facts, key, {"$ne": "$eq", "$nin": "$in"}[operator], operand)
    if operator == "$contains":
        return any(
            compares(value, "$eq", operand)
            if listed
            else isinstance(value, str) and isinstance(operand, str) and operand in value
            for its_key, value, listed in flattened(facts)
            if its_key == key
        )
    if operator == "$in":
        return any(_term(facts, key, "$eq", one) for one in operand)
    return any(compares(value, operator, operand) for value in values_of(facts, key))


def impossible(every: list[Mapping[str, Any]], where: Mapping[str, Any]) -> bool:
    """Whether a condition asks for a key, or a kind of value, that no document has."""
    for key, wanted in where.items():
        if key in ("$and", "$or", "$not"):
            if any(impossible(every, one) for one in ([wanted] if key == "$not" else wanted)):
                return True
            continue
        kinds = {kind_of(value) for facts in every for value in values_of(facts, key)}
        for operator, operand in wanted.items() if isinstance(wanted, dict) else [("$eq", wanted)]:
            if operator == "$not":
                if impossible(every, {key: operand}):
                    return True
                continue
            asked = {kind_of(one) for one in (operand if isinstance(operand, list) else [operand])}
            if not kinds or (operator != "$exists" and asked and not asked & (kinds | {"null"})):
                return True
    return False


# Random metadata and conditions

KEYS = ["team", "n", "tags", "when", "a.b", "a", "'; DROP TABLE documents; --", "$k", "é\0ü", ""]
texts = st.one_of(
    st.sampled_from(["ops", "it's", "5", "", "Ops", "a*b", "[x]", "true", "\0", "x%_", "😀", "\ufffd"]),
    st.text(max_size=4),
)
dates = st.one_of(
    st.dates().map(str),
    st.sampled_from(["2024-05-01", "2024-05-01T00:00:00+00:00", "2024-05-01T01:00+02:00", "2024-04-30T23:00:00Z"]),
    st.sampled_from(["2024-05-01 00:00:00.000001", "2024-13-01", "2024-05-01T25:00", "2024-05", "2024"]),
)
numbers = st.one_of(
    st.integers(-3, 3),
    st.floats(allow_nan=False),
    st.sampled_from([2**63 - 1, -(2**63), 0.5, -0.0, 2**53 + 1, float(2**53), 1e308]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, dates)
finite = scalars.filter(lambda value: value not in (float("inf"), float("-inf")))
stored = st.one_of(
    finite,
    st.lists(st.one_of(st.integers(-3, 3), texts, st.booleans()), max_size=3),
    st.just({"deep": 1}),
    st.just([["x"]]),
    st.dictionaries(st.sampled_from(["b", "b.c"]), st.one_of(finite, st.lists(texts)), max_size=2),
    st.lists(st.fixed_dictionaries({"b": texts}), max_size=2),
)
metadata = st.dictionaries(st.sampled_from(KEYS), stored, max_size=5)
globs = st.lists(st.sampled_from(["*", "?", "[a-z]", "[!o]", "[", "]", "o", "p", "s", "2", "-", "'"]), max_size=4).map(
    "".join
)
operators = st.one_of(
    scalars,
    st.dictionaries(st.sampled_from(["$eq", "$ne"]), scalars, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.one_of(numbers, texts, dates), min_size=1),
    st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(scalars, max_size=4), min_size=1, max_size=2),
    st.builds(lambda pattern: {"$glob": pattern}, globs),
    st.builds(lambda operand: {"$contains": operand}, scalars),
    st.builds(lambda operand: {"$exists": operand}, st.booleans()),
    st.builds(lambda operand: {"$not": {"$eq": operand}}, scalars),
    st.builds(lambda operand: {"$not": {"$contains": operand, "$not": {"$exists": True}}}, texts),
)
leaves = st.dictionaries(st.sampled_from([*(key for key in KEYS if key[:1] != "$"), "a.b.c"]), operators, max_size=2)
wheres = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(
            st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3), min_size=1, max_size=2
        ),
        st.builds(lambda where: {"$not": where}, inner.filter(bool)),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        yield hashing.make_model(tmp_path_factory.mktemp("models"), "hash").path


def found_by(index: ctxsearch.Index, where: Mapping[str, Any]) -> list[str]:
    return [summary.source for summary in index.documents(where)]


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    several=st.lists(metadata, min_size=1, max_size=8), asked=st.lists(wheres, min_size=5, max_size=25), data=st.data()
)
def test_conditions_mean_what_a_plain_reading_says(
    several: list[dict[str, Any]], asked: list[dict[str, Any]], data: st.DataObject, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    shutil.rmtree(folder, ignore_errors=True)
    with ctxsearch.open(folder, model=model) as index:
        index.add(ctxsearch.Document(f"river {n}", str(n), metadata=one) for n, one in enumerate(several))
        gone = data.draw(st.sets(st.integers(0, len(several) - 1), max_size=max(0, len(several) - 1)))
        for n in gone:
            index.delete(source=str(n))
        changed = data.draw(st.dictionaries(st.integers(0, len(several) - 1), metadata, max_size=2))
        index.add(ctxsearch.Document(f"river {n}", str(n), metadata=one) for n, one in changed.items())
        left = {n: one for n, one in enumerate(several) if n not in gone} | changed
        every = {str(n): {"source": str(n), **json.loads(json.dumps(one))} for n, one in left.items()}
        assert index.verify() == []
        for where in asked:
            expected = {source for source, facts in every.items() if fits(facts, where)}
            assert {summary.source for summary in index.documents(where, missing="ignore")} == expected
            if impossible(list(every.values()), where):
                with pytest.raises(ctxsearch.ArgumentError, match="where: "):
                    index.documents(where)
                continue
            assert index.count(where) == len(expected)
            assert set(found_by(index, where)) == expected
            for mode in MODES:
                assert {hit.source for hit in index.query("river", k=20, mode=mode, where=where)} == expected


# By hand


BY = {"name": "Ada", "born": 1815, "tags": ["x", "y"]}


@pytest.fixture(scope="module")
def shelf(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    with ctxsearch.open(tmp_path_factory.mktemp("shelf") / "index", model=model) as index:
        index.add(
            [
                ctxsearch.Document(
                    "river one", "docs/a.md", "Alpha", {"size": 900, "created": "2024-04-30T23:30:00Z", "by": BY}
                ),
                ctxsearch.Document(
                    "river two", "docs/b.txt", "Beta", {"size": 12000, "created": "2024-05-01T02:00:00+02:00"}
                ),
                ctxsearch.Document(
                    "river three", "notes/c.md", "", {"tags": ["ops", "hr"], "size": 5.5, "draft": True}
                ),
                ctxsearch.Document("river four", "notes/d.md", "", {"code": "0042", "tags": [], "created": "2025"}),
            ]
        )
        yield index


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        (["size>900"], "b"),
        (["size>=900"], "ab"),
        (["size<9e2"], "c"),
        (["size <= 900"], "ac"),
        (["size!=900"], "bcd"),
        (["size>1", "size<1000"], "ac"),
        (["tags=ops"], "c"),
        (["tags!=ops"], "abd"),
        (["draft=true"], "c"),
        (["code=0042"], "d"),
        (["code=42"], ""),
        (["source~docs/*"], "ab"),
        (["source~*.md"], "acd"),
        (["source~*/[a-b].*"], "ab"),
        (["source~*/[!a-b].*"], "cd"),
        (["title=Alpha"], "a"),
        (["title~*a"], "ab"),
        (["created>2024-05-01"], "d"),  # 2:00 in a zone two hours ahead is the first moment of the day in UTC
        (["created>=2024-05-01"], "bd"),
        (["created<2024-05-01"], "a"),
        (["created>=2024"], "abd"),
        (["created=2024-05-01T00:00:00Z"], "b"),
        (["created~2024-05-*"], "b"),
        (["title*=lph"], "a"),
        (["source *= docs/"], "ab"),
        (["tags*=hr"], "c"),
        (["tags*=h"], ""),
        (["by.name=Ada"], "a"),
        (["by.born<1900"], "a"),
        (["by.tags*=x"], "a"),
    ],
)
def test_conditions_of_the_command_line(shelf: ctxsearch.Index, spelled: list[str], expected: str) -> None:
    assert "".join(Path(source).stem for source in found_by(shelf, conditions(spelled))) == expected


@pytest.mark.parametrize("spelled", ["team", "=x", "", "!", "~*", ">5"])
def test_what_is_no_condition_is_said(spelled: str) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match="expected KEY=VALUE"):
        conditions([spelled])


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"tema": "x"},
            "no document has the key 'tema'; there are by, by.born, .*, created, draft, size, source, tags, title$",
        ),
        ({"tema": {"$ne": "x"}}, "no document has the key 'tema'"),
        ({"size": "big"}, "'size' holds numbers; it cannot be compared with text"),
        ({"size": {"$in": ["big", True]}}, "'size' holds numbers; it cannot be compared with text or true or false"),
        ({"size": {"$gt": datetime.date(2024, 1, 1)}}, "'size' holds numbers; it cannot be compared with dates"),
        ({"code": 42}, "'code' holds text; it cannot be compared with numbers"),
        ({"size": {"$gt": None}}, r"\$gt takes a number, a text or a date, not None"),
        ({"size": {"$gt": [1]}}, r"'size' cannot be compared with \[1\]"),
        ({"size": {"$in": 5}}, r"\$in takes a list of values, not 5"),
        ({"size": {"$glob": 5}}, r"\$glob takes a pattern"),
        ({"size": {"$like": 5}}, r"no operator '\$like'; there are \$eq"),
        ({"size": {}}, "'size' has no operator"),
        ({"size": float("nan")}, "'size' cannot be compared with nan"),
        ({"$or": []}, r"\$or takes a list of conditions, not \[\]"),
        ({"$or": {"size": 1}}, r"\$or takes a list of conditions"),
        ({"$and": [5]}, "expected a condition"),
        ({"$not": 5}, r"\$not takes a condition, not 5"),
        ({"$not": {}}, r"\$not takes a condition, not {}"),
        ({"size": {"$not": 5}}, r"'size': \$not takes operators as in {\"\$gt\": 5}, not 5"),
        ({"size": {"$not": {}}}, "'size' has no operator"),
        ({"size": {"$exists": 1}}, r"\$exists takes True or False, not 1"),
        ({"tema": {"$exists": False}}, "no document has the key 'tema'"),
        ({"size": {"$contains": [1]}}, r"'size' cannot be compared with \[1\]"),
        ({"size": {"$contains": "x"}}, "'size' holds numbers; it cannot be compared with text"),
        ({"$contains": "x"}, r"\$contains stands where a key is expected"),
        ({"$eq": 1}, r"\$eq stands where a key is expected"),
        ({5: 1}, "5 is no key"),
        ({"code": "\udce9"}, "is not UTF-8"),
        ({"\udce9": 5}, "is not UTF-8"),
        ({"code": {"$glob": "*" * 1001}}, "a pattern of more than 1000 characters"),
        ({"size": {"$in": list(range(10_001))}}, "more than 10,000 values"),
        ({"$or": [{"size": n} for n in range(200)]}, r"more than 200 conditions; \$in takes many"),
    ],
)
def test_conditions_of_no_use_are_said(shelf: ctxsearch.Index, where: Any, message: str) -> None:
    for ask in (shelf.documents, lambda where: shelf.query("river", where=where)):
        with pytest.raises(ctxsearch.ArgumentError, match=message):
            ask(where)
    with pytest.raises(ctxsearch.ArgumentError, match=message):
        shelf.query("…", mode="lexical", where=where)  # a question without words, too


def test_deep_conditions_are_said_and_not_run(shelf: ctxsearch.Index) -> None:
    where: dict[str, Any] = {"size": 900}
    for _ in range(100_000):
        where = {"$and": [where]}
    with pytest.raises(ctxsearch.ArgumentError, match="more than 16 deep"):
        shelf.documents(where)


def test_dates_are_points_in_time(shelf: ctxsearch.Index) -> None:
    at = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
    assert found_by(shelf, {"created": at}) == ["docs/b.txt"]
    assert found_by(shelf, {"created": {"$lte": at.date()}}) == ["docs/a.md", "docs/b.txt"]


def test_large_lists_are_taken(shelf: ctxsearch.Index) -> None:
    assert found_by(shelf, {"size": {"$in": list(range(9_990))}}) == ["docs/a.md"]


def test_an_empty_index_has_no_unknown_keys(index: ctxsearch.Index) -> None:
    assert index.documents({"team": "ops"}) == []
    assert index.query("river", where={"team": {"$gt": 5}}).hits == ()
    with pytest.raises(ctxsearch.ArgumentError, match="no operator"):
        index.documents({"team": {"$wrong": 5}})


def test_metadata_hide_the_facts_of_the_same_name(index: ctxsearch.Index) -> None:
    index.add([ctxsearch.Document("one", "a", metadata={"source": "wiki"}), ctxsearch.Document("two", "b")])
    assert found_by(index, {"source": "wiki"}) == ["a"]
    assert found_by(index, {"source": "a"}) == []
    assert found_by(index, {"source": "b"}) == ["b"]


def test_files_have_keys_of_their_own(index: ctxsearch.Index, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("---\nauthor: Ada\nlanguage: en\n---\n# River\n\nIt flows.")
    (tmp_path / "docs" / "b.txt").write_text("It flows to the sea.")
    assert index.ingest([tmp_path / "docs"]).documents.added == 2
    (path,) = found_by(index, {"author": "Ada"})
    assert found_by(index, {"language": {"$in": ["en", "de"]}}) == [path]
    assert found_by(index, {"mime_type": "text/markdown"}) == [path]
    assert found_by(index, {"size": {"$gt": 25}}) == [path]
    assert found_by(index, {"path": {"$glob": "*/docs/*.md"}}) == [path]
    assert found_by(index, {"title": "River"}) == [path]
    assert len(found_by(index, {"modified": {"$gt": "2024-01-01"}})) == 2
    assert found_by(index, {"modified": {"$gt": "2999-01-01"}}) == []


def test_a_catalog_without_the_table_is_filtered_all_the_same(model: Path, tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        index.add(
            [ctxsearch.Document("one", "a", metadata={"n": 1}), ctxsearch.Document("two", "b", metadata={"n": 2})]
        )
        (catalog,) = (tmp_path / "index").glob("catalog-*.sqlite3")
    connection = sqlite3.connect(catalog)
    connection.execute("DROP TABLE document_metadata")
    connection.commit()
    connection.close()
    for seal in (tmp_path / "index").glob("*.seal*"):
        seal.unlink()
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        for _ in range(2):
            assert found_by(index, {"n": {"$gt": 1}}) == ["b"]
            assert [hit.source for hit in index.query("two", where={"n": 2})] == ["b"]
        index.delete(source="b")
        assert found_by(index, {"n": {"$gt": 0}}) == ["a"]
        assert index.verify() == []
    connection = sqlite3.connect(catalog)
    assert connection.execute("SELECT document, value FROM document_metadata WHERE key = 'n'").fetchall() == [(1, 1)]
    connection.execute("UPDATE document_metadata SET value = 3 WHERE key = 'n'")
    connection.commit()
    connection.close()
    for seal in (tmp_path / "index").glob("*.seal*"):
        seal.unlink()
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        assert index.verify() == ["the catalog: the metadata of document 1 cannot be filtered by 'n'"]
    assert ctxsearch.Index.repair(tmp_path / "index").lost == ()
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        assert found_by(index, {"n": 1}) == ["a"]
        index.compact()
        assert found_by(index, {"n": 1}) == ["a"]


@given(globs, st.text(alphabet="ops2-'[]ax", max_size=6))
def test_globs_mean_what_they_mean_elsewhere(pattern: str, text: str) -> None:
    connection = sqlite3.connect(":memory:")
    fits = bool(connection.execute("SELECT ? GLOB ?", [text, sqlite_glob(pattern)]).fetchone()[0])
    connection.close()
    assert fits == fnmatch.fnmatchcase(text, pattern)


# Through the command line


@pytest.fixture(scope="module")
def mixed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """An index with metadata of mixed types, and what they are by source."""
    folder = tmp_path_factory.mktemp("mixed") / "index"
    some: list[dict[str, Any]] = [
        {"n": 5, "team": "ops", "when": "2024-05-01"},
        {"n": "5", "team": "it's", "when": "2024-05-01T02:00:00+02:00", "tags": ["a", 5, True]},
        {"n": -2.5, "team": "5", "when": "2024-04-30T23:59:59.5Z", "tags": []},
        {"n": True, "team": "[x]*", "when": "2025", "tags": [["a"]]},
        {"n": None, "team": "", "when": "tomorrow", "tags": "a"},
        {"n": 1e300, "team": "ÖPS '; DROP", "when": 2024, "tags": {"a": 1}},
        {"n": "true", "team": "true", "tags": ["b", "a b"]},
        {},
    ]
    with ctxsearch.open(folder, model=model) as index:
        index.add(ctxsearch.Document(f"river {n}", str(n), metadata=one) for n, one in enumerate(some))
    return folder, {str(n): {"source": str(n), **one} for n, one in enumerate(some)}


SPELLED = {"=": "$eq", "!=": "$ne", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte", "~": "$glob", "*=": "$contains"}
operands = st.one_of(
    st.sampled_from(["5", "ops", "true", "a", "-2.5", "5.0", "2024-05-01", "2024-05-01T00:00Z", "2024", "", "[x]*"]),
    st.sampled_from(["it's", "*", "?", "[!5]*", "ÖPS*", "'; DROP TABLE documents", "null", "1e300", "0x5", "NaN"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3),
)
terms = st.tuples(st.sampled_from(["n", "team", "when", "tags", "source"]), st.sampled_from([*SPELLED]), operands)


def reads_as(text: str) -> list[Any]:
    """What a value means that was spelled on a command line."""
    if text in ("true", "false"):
        return [text, text == "true"]
    try:
        return [text, float(text)] if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII) else [text]
    except ValueError:
        return [text]


@settings(deadline=None, max_examples=300)
@given(st.lists(terms, min_size=1, max_size=3))
def test_command_finds_what_a_plain_reading_says(
    mixed: tuple[Path, dict[str, dict[str, Any]]], asked: list[tuple[str, str, str]]
) -> None:
    folder, every = mixed
    arguments = [part for key, sign, text in asked for part in ("--where", f"{key}{sign}{text}")]
    done = CliRunner().invoke(care.list_, ["--index", str(folder), "--json", *arguments], standalone_mode=False)
    clauses = []
    for key, sign, text in asked:
        # A sign that the value begins with belongs to the operator.
        key, sign, text = _split(f"{key}{sign}{text}")
        operator = SPELLED[sign]
        of_all_kinds = operator in ("$eq", "$ne", "$contains")
        readings = [one for one in reads_as(text.strip()) if of_all_kinds or not isinstance(one, bool)]
        readings = [one for one in readings if operator != "$glob" or isinstance(one, str)]
        clauses.append((key, operator, readings))
    kinds = {
        key: {kind_of(value) for facts in every.values() if key in facts for value in values_of(facts, key)}
        for key, _, _ in clauses
    }
    if any(not {kind_of(one) for one in readings} & kinds[key] for key, _, readings in clauses):
        assert isinstance(done.exception, ctxsearch.ArgumentError)
        return
    expected = {
        source
        for source, facts in every.items()
        if all(
            all(_term(facts, key, operator, one) for one in readings)
            if operator == "$ne"
            else any(_term(facts, key, operator, one) for one in readings)
            for key, operator, readings in clauses
        )
    }
    assert done.exception is None
    assert {one["source"] for one in json.loads(done.stdout_bytes)["documents"]} == expected


def _split(spelled: str) -> tuple[str, str, str]:
    key = re.match(r"\w+", spelled)
    assert key
    rest = spelled[key.end() :]
    sign = next(sign for sign in ("!=", ">=", "<=", "*=", "=", ">", "<", "~") if rest.startswith(sign))
    return key[0], sign, rest[len(sign) :]


def test_spelled_values_read_both_ways() -> None:
    assert conditions(["n>5", "team!= ops "]) == {"$and": [{"n": {"$gt": "5"}}, {"team": {"$ne": "ops"}}]}
    assert isinstance(conditions(["n>5"])["$and"][0]["n"]["$gt"], Spelled)
