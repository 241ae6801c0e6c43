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
            "01",
            "invoices.pdf",
            "\n\n".join(
                f"Invoice 2024-{1001 + n}\nCustomer no. {77 + n}\nAmount due: {35 + 120 * n}.00 EUR\n\n{what}"
                for n, what in enumerate(("Repair of a pump", "New seal", "Inspection", "Winter service", "Pipe work"))
            ),
        ),
        (
            "01",
            "slides.pdf",
            "Step 1\n\nDrain the boiler.\n\nStep 2\n\nRemove the old valve.\n\nStep 3\n\nGrease the new seal.\n\n"
            "Step 4\n\nScrew in the valve.\n\nStep 5\n\nFill with water.\n\nStep 6\n\nVent the radiators.",
        ),
        ("03", "annot.pdf", "The contract is signed.\n\nComment: Check clause nine again."),
        (
            "03",
            "filled.pdf",
            "Application for a parking permit\n\nName of the applicant: Ann Quillworth\n\nNumber plate: ZX 4711 Q\n\n"
            "☒ I agree to the terms.",
        ),
        (
            "21",
            "hyph.pdf",
            "The committee discussed the government plan for long-term funding and the self-employed workers in the "
            "year 2020-2021, and reimbursement of costs.\n\nThe transport fund pays.",
        ),
        (
            "21",
            "table.pdf",
            "Item: Pump | Description: A pump of steel with a long hose and seal | Price: 40\n"
            "Item: Seal | Description: A ring of rubber | Price: 5",
        ),
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
            "Item: Cost | 2021: 7 | 2022: 8 | Sum: =B3+C3\n\n"
            "Comment on A2: Audited by Ann\n\nSecret\n\nKey: Door code | Value: 4711",
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


def test_payslips_and_heads(worker: readers.Worker) -> None:
    found = text(case("01", "payslips.pdf"), worker)
    assert [
        what for what in ("Payslip May 2024", "2000 EUR", "2150 EUR", "2300 EUR", "12 days") if what not in found
    ] == []
    found = text(case("01", "heads.pdf"), worker)
    assert [n for n in range(1, 9) if f"On page {n} the story goes on" not in found] == []
    assert all(f"Chapter {n}: {name}" in found for n, name in enumerate(("Rivers", "Mills", "Boats"), start=1))
    assert "Handbook of the Valley" not in found
    assert "–" not in found
