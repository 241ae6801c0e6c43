"""Full stops: which end a sentence."""

from __future__ import annotations

import pytest

from ctxsearch.contexts import sentence_spans
from tests.conftest import ROOT

CASE = ROOT / "tests" / "cases" / "documents" / "22-abbreviations" / "abbr2.txt"


def sentences(text: str) -> list[str]:
    spans = sentence_spans(text)
    assert "".join(text[start:end] for start, end, _ in spans) == text
    return [text[start:end].strip() for start, end, _ in spans]


def test_abbreviations_end_no_sentence() -> None:
    assert sentences(CASE.read_text()) == [
        "Acme Inc. and Bolt Ltd. met Prof. Weber.",
        "The fee was approx. 3.5 m.",
        "See Fig. 3 and No. 7.",
        "It rose in Jan. 2020.",
        "Mr. X vs. Ms. Y, i.e. both.",
        "Gen. Sherman arrived at 10 a.m. on Monday.",
        "Version 2.0 is out.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "See p. 12, pp. 13 ff. for more.",
        "Cf. Art. 5 para. 2, Sec. 3 and App. B.",
        "Vol. 3, ch. 2, eq. 5, Eqs. 3 and 4, Tab. 2, Figs. 1-3, refs. 3 and 4.",
        "Tel. 555-1234, dept. head, est. 1920.",
        "It holds approx. Five thousand people.",
        "The match Ulm vs. Bonn, e.g. last year, cost Ms. Quill her voice.",
        "Dr. J. R. Smith, Ph.D., et al. found Sec. IV wanting.",
        "He works for Bolt Inc. in Rome.",
        "Das gilt z. B. für Nr. 5, d. h. ca. 3 Meter, vgl. Abs. 2 S. 1 BGB.",
        "Am 3. Mai kam Hr. Müller u. a. mit Fr. Dr. Weber bzw. Prof. Klein.",
        "M. Dupont et Mme. Durand, p. ex. le no. 5, c.-à-d. env. 3 mètres, voir art. 5 et fig. 3.",
    ],
)
def test_one_sentence(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "He said no.|Then he left.",
        "The answer is no.|Payment is due in May.",
        "Is there a fee?|No.|It is free.",
        "He works at Bolt Ltd.|It is small.",
        "We left at 5 p.m.|It rained.",
        "Apples, pears, etc.|Then we left.",
        "The hose is 3.5 m.|Cut it.",
        "They sell modern art.|People like it.",
        "It is the max.|Stop there.",
        "She came third.|May was warm.",
    ],
)
def test_two_sentences(text: str) -> None:
    expected = text.split("|")
    assert sentences(" ".join(expected)) == expected
