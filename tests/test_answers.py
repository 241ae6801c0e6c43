"""What is shown of an answer: the excerpt, what is marked in it, and the sources alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxsearch
from ctxsearch.cli import answers
from ctxsearch.records import Hit, MatchedSentence, Scores
from tests.conftest import ROOT
from tests.test_cli import complaint, run


def hit(text: str, sentence: str, **fields: Any) -> Hit:
    """A hit of which the context begins at 100 of its document."""
    start = 100 + text.index(sentence)
    return Hit(
        rank=1,
        score=0.5,
        scores=Scores(0.5, None),
        document_id=1,
        context_id=1,
        source="a.txt",
        title="",
        metadata=fields.pop("metadata", {}),
        page=None,
        start=100,
        end=100 + len(text),
        text=text,
        sentence=MatchedSentence(start, start + len(sentence), sentence),
        **fields,
    )


def plain(one: Hit, full: bool = False) -> list[str]:
    return ["".join(piece.text for piece in line) for line in answers._lines(one, None, full)]


def marked(text: str, sentence: str, question: str) -> list[tuple[str, str]]:
    (line,) = answers._lines(hit(text, sentence), answers._question_words(question), True)
    return [(piece.text, piece.style) for piece in line]


def test_a_short_context_is_shown_whole() -> None:
    assert plain(hit("One. Two. Three.", "Two.")) == ["One. »Two.« Three."]


def test_an_excerpt_stands_around_the_sentence() -> None:
    before, after = "".join(f"before{n} " for n in range(80)), "".join(f" after{n}" for n in range(80))
    (line,) = plain(hit(f"{before}The one.{after}", "The one."))
    left, _, rest = line.partition("»")
    matched, _, right = rest.partition("«")
    assert matched == "The one."
    assert left.startswith("… before")
    assert left.endswith("before79 ")
    assert right.startswith(" after0 ")
    assert right.endswith(" …")
    assert abs(len(left) - len(right)) < 20
    assert 380 <= len(line) <= answers.EXCERPT_CHARACTERS + 6
    assert all(word in before.split() for word in left[2:].split())
    assert all(word in after.split() for word in right[:-2].split())


def test_what_one_side_does_not_need_the_other_gets() -> None:
    (line,) = plain(hit("Start. " + "word " * 300, "Start."))
    assert line.startswith("»Start.« word")
    assert line.endswith(" …")
    assert len(line) > 400


def test_a_long_sentence_is_not_cut() -> None:
    sentence = "long " * 200 + "end."
    assert plain(hit(f"Before it. {sentence} After it.", sentence)) == [f"… »{sentence}« …"]


def test_full_is_the_whole_context() -> None:
    text = "word " * 300 + "Last one."
    assert plain(hit(text, "Last one."), full=True) == ["word " * 300 + "»Last one.«"]


@given(st.text("ab .\n日é", min_size=1, max_size=900), st.data())
def test_no_character_of_the_sentence_is_lost(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = answers._excerpt(text, start, end)
    assert 0 <= first <= start
    assert end <= last <= len(text)
    assert last - first <= max(end - start, answers.EXCERPT_CHARACTERS)
    assert len(answers._reflowed(text)) == len(text)


def test_paragraphs_flow_and_lists_do_not() -> None:
    text = (
        "A paragraph that its writer wrapped by hand at\nsome column, as people do in files of plain text,\nand ends.\n"
        "\n- one item of a list that is as long as that line\n- another\nHeading\n=======\nShort.\nLines."
    )
    assert answers._reflowed(text).split("\n") == [
        "A paragraph that its writer wrapped by hand at some column, as people do in files of plain text, and ends.",
        *(
            "",
            "- one item of a list that is as long as that line",
            "- another",
            "Heading",
            "=======",
            "Short.",
            "Lines.",
        ),
    ]
    code = "x = some_function_of_a_long_name(with_an_argument)\nprint(x)"
    assert plain(hit(code, "print(x)", metadata={"mime_type": "text/x-python"})) == [code[:50], "»print(x)«"]


def test_the_heading_that_the_place_names_is_not_said_again() -> None:
    text = "## Refunds\n\nThe lead approves them."
    assert plain(hit(text, "The lead approves them.", headings=("Shop", "Refunds"))) == ["»The lead approves them.«"]
    assert plain(hit(text, "The lead approves them.", headings=("Shop",)))[0] == "## Refunds"
    assert plain(hit(text, "## Refunds", headings=("Shop", "Refunds")))[0] == "»## Refunds«"
    assert plain(hit(text, "The lead approves them.", headings=("Refunds",)), full=True)[0] == "## Refunds"


def test_the_sentence_and_the_words_are_marked() -> None:
    assert marked("He left. The lead approved refunds.", "The lead approved refunds.", "who may approve a refund?") == [
        ("He left. ", ""),
        ("The lead ", "bold"),
        ("approved", "bold yellow"),
        (" ", "bold"),
        ("refunds", "bold yellow"),
        (".", "bold"),
    ]
    assert marked("Refund. Yes.", "Yes.", "refunds")[0] == ("Refund", "yellow")


def test_words_that_stand_everywhere_are_not_marked() -> None:
    assert marked("The cat is in the house.", "The cat is in the house.", "what is the of in a?") == [
        ("The cat is in the house.", "bold")
    ]


@pytest.mark.parametrize(
    "forms",
    [
        ("approve", "approves", "approved", "approval", "approvals", "Approving", "approver"),
        ("ship", "ships", "shipped", "shipping", "shipment"),
        ("call", "calls", "called", "caller"),
        ("city", "cities"),
        ("box", "boxes"),
    ],
)
def test_forms_of_a_word_are_one(forms: tuple[str, ...]) -> None:
    assert len({answers._stem(form) for form in forms}) == 1


def test_other_words_are_others() -> None:
    assert len({answers._stem(word) for word in ("refund", "refuse", "rest", "red", "reed", "bed", "bing", "bee")}) == 8


def test_the_bar() -> None:
    assert [answers._bar(score) for score in (0.0, 0.03, 0.07, 0.5, 1.0)] == ["", "", "╸", "━━━━", "━" * 8]


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[Path]:
    """An index in which a file has several contexts that fit, and a name that no terminal should be sent."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "long.txt").write_text(
        "\n\n".join(f"Penguin {n}. " + "They eat krill. " * 90 for n in range(6))
    )
    (tmp_path / "docs" / "pen\x1b[1mguin\n.txt").write_text("A penguin.")
    with ctxsearch.open(tmp_path / "i") as index:
        index.ingest([str(tmp_path / "docs")])
        yield index.path


def test_paths_are_the_sources_each_once(zoo: Path) -> None:
    done = run("query", "penguin", "--paths", "-k", 20, "--index", zoo)
    docs = zoo.parent / "docs"
    assert sorted(f"{docs}{rest}" for rest in done.stdout.split(str(docs))[1:]) == [
        f"{docs}/long.txt\n",
        f"{docs}/pen\x1b[1mguin\n.txt\n",
    ]
    assert len(json.loads(run("query", "penguin", "--json", "-k", 20, "--index", zoo).stdout)["hits"]) > 2
    two = run("query", "-", "--paths", "--index", zoo, stdin="krill\npenguin krill\n")
    assert two.stdout.count("long.txt") == 1


def test_paths_of_nothing(zoo: Path) -> None:
    done = run("query", "zebra", "--mode=lexical", "--paths", "--index", zoo)
    assert (done.returncode, done.stdout, complaint(done)) == (0, "", "no context was found")


def test_a_strange_name_is_clean_in_a_pipe_of_text(zoo: Path) -> None:
    text = run("query", "penguin", "-k", 20, "--index", zoo).stdout
    assert "\x1b" not in text
    assert "pen [1mguin .txt" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'QUESTION'"),
        (("--json",), "Missing argument 'QUESTION'"),
        (("penguin", "--paths", "--json"), "--paths and --json exclude one another"),
    ],
)
def test_wrong_usage(zoo: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("query", *arguments, "--index", zoo)
    assert done.returncode == 2
    assert said in complaint(done)


def test_a_pipe_waits_for_no_library_of_terminals(zoo: Path) -> None:
    program = (
        "import sys; sys.argv = ['ctxsearch', 'query', 'penguin', '--mode', 'lexical', '--index', sys.argv[1]]\n"
        "from ctxsearch.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, sorted({'rich', 'prompt_toolkit', 'wcwidth'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(zoo)], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
