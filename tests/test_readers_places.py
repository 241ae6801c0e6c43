"""Hits name the right page and heading: questions asked by hand of real files, where those are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch.cli.present import place
from tests.conftest import ROOT

DOCUMENTS = ROOT / "shared" / "data" / "documents"
if not DOCUMENTS.is_dir():
    DOCUMENTS = ROOT.parent / "shared" / "data" / "documents"

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="shared/data/documents is not here")

CHECKS = [
    ("how can ORCID identifiers be included?", "pdf/llncsdoc.pdf", 2, "3.2 Author(s)"),
    ("what is the keyword separator rendered as?", "pdf/llncsdoc.pdf", 4, "3.5 Abstract and Keywords"),
    ("blackboard bold characters for sets of numbers", "pdf/llncsdoc.pdf", 4, "4.2 Special Math Characters"),
    ("to which directory should llncs.cls be copied?", "pdf/llncsdoc.pdf", 1, "1 Installation"),
    ("multiple affiliations are separated by", "pdf/llncsdoc.pdf", 3, "3.3 Affiliations"),
    ("install Docling with a package manager", "pptx/powerpoint_comments.pptx", 2, "Start"),
    ("import scanned pages via an OCR engine", "pptx/powerpoint_comments.pptx", 3, "Features"),
    ("saltwater ducks observed in 2021", "pptx/pptx_chart.pptx", 1, "Quarterly Duck Survey"),
    ("revenue of Q2 2026", "pptx/pptx_chart.pptx", 2, "Quarterly revenue"),
    ("some notes on the second slide", "pptx/powerpoint_sample.pptx", 2, "Second slide title"),
    (
        "who wrote The Hound of the Baskervilles?",
        "xlsx/xlsx_09_section_label_header.xlsx",
        1,
        "Library Catalog",
    ),
    ("Overview 2 Purpose 2 Extra 2", "xlsx/xlsx_06_edge_cases_.xlsx", 3, "Diagonal"),
    ("earth fault current of the power system", "xlsx/xlsx_07_gap_tolerance_.xlsx", 1, "Page 1"),
    ("orange juice, tea, coffee for breakfast", "docx/docx_checkboxes.docx", None, "Table with options"),
    ("definition of term 3 in the glossary", "docx/list_after_num_headers.docx", None, "1. Glosario"),
    ("do ducks quack? sounds that ducks make", "html/wiki_duck.html", None, "Communication"),
    ("the origin of the word duck, Old English", "html/wiki_duck.html", None, "Etymology"),
    ("which animals prey on ducklings?", "html/wiki_duck.html", None, "Predators"),
    ("SABRE reservation system for American Airlines", "md/wiki.md", None, "1960s–1980s"),
    ("calories per portion of berries", "md/duck.md", None, "Let’s eat"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    with ctxsearch.open(tmp_path_factory.mktemp("places") / "index") as index:
        files = dict.fromkeys(DOCUMENTS / name for _, name, _, _ in CHECKS)
        assert index.ingest(list(files)).failures == ()
        yield index


@pytest.mark.parametrize(("question", "name", "page", "heading"), CHECKS, ids=[check[0] for check in CHECKS])
def test_hit_names_its_place(index: ctxsearch.Index, question: str, name: str, page: int | None, heading: str) -> None:
    hit = index.query(question, k=1)[0]
    found = Path(hit.source).relative_to(DOCUMENTS).as_posix(), hit.page, hit.headings[-1]
    assert found == (name, page, heading)
    assert heading in place(hit)
