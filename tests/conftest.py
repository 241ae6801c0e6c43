"""What several tests share: the sample collection in an index, and places of optional data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import locks

locks.check_order()  # a test that takes two locks in the wrong order fails, whether or not it would have hung

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled models of the tests are kept apart from the user's, and shared among the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTXSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    """The sample collection, ingested once; not to be changed."""
    with ctxsearch.open(tmp_path_factory.mktemp("sample") / "index") as index:
        report = index.ingest([DATA])
        assert report.failures == ()
        yield index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ctxsearch.Index]:
    """An empty index."""
    with ctxsearch.open(tmp_path / "index") as index:
        yield index
