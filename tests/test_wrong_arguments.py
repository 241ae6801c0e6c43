"""Whatever is passed to a method, it does what that evidently means, or says in one line that it is of no use."""

from __future__ import annotations

import datetime
import decimal
import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctxsearch
from tests import hashing


class Unprintable:
    """An object that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError

    def __index__(self) -> int:
        raise RuntimeError


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63 - 1, 2**63, 2**70, 1.5, float("nan"), float("inf"), 1j),
    *("", "memo:1", "\0", "\udce9", "x" * 100_000, b"x", bytearray(b"x"), Path("x"), Path("\0")),
    *([], ["memo:1"], [1], [None], [[1]], (), {1}, set(), range(3), iter([1]), object(), Unprintable(), lambda: 1),
    *({}, {"n": 1}, {1: 2}, {"$or": []}, {"n": {"$in": 5}}, {"n": {"$not": {"$not": {"$gt": "x"}}}}),
    *({"n": {"$contains": object()}}, {"n": {"$exists": "yes"}}, {"n": {"$not": 5}}, {"$not": {"$not": {}}}),
    *(
        np.int64(1),
        np.float32(1),
        np.bool_(True),
        np.array([1]),
        np.array(1),
        np.ones(16),
        np.ones((2, 16)),
        np.ones(0),
    ),
    *(datetime.date(2024, 5, 1), decimal.Decimal(1), uuid.UUID(int=1), ctxsearch.Document("a", "b")),
]

Call = Callable[[ctxsearch.Index, Any], Any]

ALONE = ("get", "delete", "update_metadata", "more_like", "documents", "count", "iterate", "query", "query_many", "add")
BY_NAME: dict[str, tuple[str, ...]] = {
    "get": ("source", "document_id", "vectors"),
    "delete": ("source", "document_id", "where", "missing"),
    "iterate": ("where", "after", "missing", "vectors"),
    "query": ("k", "mode", "where", "min_score", "offset", "group_by", "vector", "missing"),
    "more_like": ("k", "source", "document_id", "context_id", "where", "offset", "group_by", "missing"),
}
FIRST = {"query": "otter", "more_like": "memo:1", "get": "memo:1", "delete": "memo:1"}
NAMING = ("source", "document_id", "context_id", "vector")


def by_name(method: str, name: str) -> Call:
    first = () if name in NAMING or (method, name) == ("delete", "where") else (FIRST.get(method),)
    return lambda index, value: getattr(index, method)(*(one for one in first if one), **{name: value})


CALLS: dict[str, Call] = {
    **{name: lambda index, value, name=name: getattr(index, name)(value) for name in ALONE},
    **{f"{method}({name}=)": by_name(method, name) for method, names in BY_NAME.items() for name in names},
    "embed_questions": lambda index, value: index.embed_questions(value),
    "embed_contexts": lambda index, value: index.embed_contexts(value),
    "update_metadata(value)": lambda index, value: index.update_metadata("memo:1", {"value": value}),
    "update_metadata(metadata)": lambda index, value: index.update_metadata("memo:1", value),
    "Document(vectors=)": lambda index, value: index.add([ctxsearch.Document("An otter.", "v", vectors=value)]),
    "in": lambda index, value: value in index,
    "open(encoder=)": lambda index, value: ctxsearch.open(index.path, encoder=value).close(),
    "Encoder": lambda index, value: ctxsearch.Encoder(value),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        yield hashing.make_model(tmp_path_factory.mktemp("models"), "hash").path


@pytest.mark.parametrize("call", CALLS)
def test_wrong_arguments_end_in_one_line(call: str, model: Path, tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        index.add(ctxsearch.Document(f"An otter {n}.", f"memo:{n}", metadata={"n": n}) for n in range(3))
        refusals: list[str] = []
        for value in VALUES:
            try:
                found = CALLS[call](index, value)
                if isinstance(found, Iterator):
                    list(itertools.islice(found, 3))
            except ctxsearch.CtxsearchError as error:
                refusals.append(str(error))
            if "memo:1" not in index:
                index.add([ctxsearch.Document("An otter 1.", "memo:1", metadata={"n": 1})])
        assert len(refusals) > 5 or call == "in"
        assert [message for message in refusals if "\n" in message or len(message) > 1500] == []
        assert index.verify() == []
