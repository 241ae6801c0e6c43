"""Small documents that were once read wrongly, each with the text that is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxsearch import readers
from tests.conftest import ROOT
from tests.office import text

CASES = ROOT / "tests" / "cases" / "documents"


@pytest.fixture(scope="module")
def worker() -> Iterator[readers.Worker]:
    with readers.Worker() as worker:
        yield worker


def case(number: str, name: str) -> Path:
    (folder,) = CASES.glob(f"{number}-*")
    return folder / name


@pytest.mark.parametrize(
    ("number", "name", "expected"),
    [
        (
            "06",
            "rowspan.html",
            "Region: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12\n"
            "Region: South | City: Rome | Fee: 7",
        ),
        ("06", "gridbefore.docx", "Region: North | City: Oslo | Fee: 10\nCity: Bergen | Fee: 12"),
        ("14", "numhead.csv", "Region: North | 2021: 10 | 2022: 12\nRegion: South | 2021: 7 | 2022: 9"),
        (
            "14",
            "preamble.csv",
            "Report generated 2024-05-01\nName: Ann | City: Rome | Amount: 5\nName: Bob | City: Oslo | Amount: 7",
        ),
        ("14", "yearhead.docx", "Revenue | 2021: 10 | 2022: 12\nCost | 2021: 7 | 2022: 8"),
        ("15", "altchunk.docx", "Cover page.\n\nThe report proper says the dam is safe."),
        ("15", "field.docx", "See Proposal 3 and Table 4"),
        ("15", "headcell.docx", "Warranty\n\nTwo years."),
        (
            "15",
            "headerfooter.docx",
            "Quillworks Heating Ltd, Contract 77-A\n\nDear customer, your boiler is ready.",
        ),
        (
            "15",
            "numbered.docx",
            "Section 1. Scope\n\nAll pumps.\n\nSection 2. Termination\n\n"
            "Either party may end this contract with three months notice, see section 1.",
        ),
        ("17", "star.rtf", "The lift is out of order until May."),
        ("17", "pandoc_image.rtf", "Note\n\nThe bridge is closed.\n\nTake the ferry."),
        (
            "16",
            "textbox.xlsx",
            "A\n\nx\n\nManual\nBig box\n\nComment on A1: Checked by Ann\n\nChart of pump sales\n\n0\n\n"
            "Note: the valve opens left.",
        ),
        (
            "16",
            "formula_nocache.xlsx",
            "Budget\n\nItem: Revenue | 2021: 10 | 2022: 12 | Sum: =B2+C2\n"
            "Item: Cost | 2021: 7 | 2022: 8 | Sum: =B3+C3\n\nComment on A2: Audited by Ann\n\nSecret\n\nKey: Door code | Value: 4711",
        ),
        (
            "20",
            "merged.xlsx",
            "Sheet\n\nRegion: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12\n"
            "Region: South | City: Rome | Fee: 7",
        ),
        (
            "20",
            "deck.pptx",
            "Results\n\nLeft column one\n\nRight column one\n\nLeft column two\n\nRight column two\n\n"
            "Region: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12\n\n"
            "Notes: Say hello first.\n\nHidden one\n\nHidden body",
        ),
        ("20", "vmerge.docx", "Region: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12"),
    ],
)
def test_text_is_right(worker: readers.Worker, number: str, name: str, expected: str) -> None:
    assert text(case(number, name), worker) == expected
