"""Contexts: they tile the text, fit the budget as the real tokenizer counts, and begin where a reader would begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctxsearch
from ctxsearch.contexts import MAX_CHARACTERS_PER_TOKEN, sentence_spans, split
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.records import Context, Document, Heading

MODEL = Path(ctxsearch.__file__).parent / "models" / "ctxsearch-l6-int8"
TOKENIZER = Tokenizer(MODEL / "tokenizer.json")
MOST_SENTENCES = 511
"""What a vector file has ids for, next to the context's own row."""

budgets = st.one_of(st.integers(8, 40), st.just(382))
pieces = st.one_of(
    st.sampled_from("a the word river Dr. e.g. U.S. 3.14 don't [SEP] [CLS] naïve ﬁ İstanbul ß é e\u0301".split()),
    st.sampled_from([" ", "  ", "\n", "\n\n", "\r\n", "\r", "\r\n\r\n", "\t", "\u00a0", "\u2028", "\u3000", "\u200b"]),
    st.sampled_from([". ", "! ", "? ", "... ", ".", "。", "！", "؟ ", "।", '."', ".) ", "-", "–", "'", "“", "”"]),
    st.sampled_from(
        ["# Heading\n", "\n## Deep\n", "\n- item", "\n* item", "\n1. one", "\n| a | b |", "a | b | c\n", "```"]
    ),
    st.sampled_from(
        [
            "漢字仮名交じり文",
            "中文句子。",
            "한국어",
            "ไทยภาษา",
            "😀",
            "👩‍👩‍👧",
            "\x00",
            "\x07",
            "\ufeff",
            "\u0301",
            "\ufffd",
        ]
    ),
    st.sampled_from(["x" * 99, "x" * 101, "ab1" * 300, "=" * 400, "QUJD" * 700, "漢" * 150, "\u0301" * 60, " " * 300]),
)
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.lists(pieces, max_size=80).map("".join)
)
heading_marks = st.lists(
    st.builds(Heading, st.integers(0, 400), st.integers(1, 6), st.sampled_from(["A", "B", "C"])), max_size=8
).map(lambda found: tuple(sorted(found, key=lambda heading: heading.start)))


def cut(text: str, budget: int = 382, headings: tuple[Heading, ...] = ()) -> list[Context]:
    return list(split(Document(text, "s", headings=headings), TOKENIZER.count, budget))


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end, _ in sentence_spans(text)]


@settings(max_examples=300, deadline=None)
@given(texts, heading_marks, budgets)
def test_contexts_tile_the_text_and_fit_the_budget(text: str, headings: tuple[Heading, ...], budget: int) -> None:
    contexts = cut(text, budget, headings)
    assert "".join(context.text for context in contexts) == text
    position = 0
    for context in contexts:
        assert context.start == position < context.end
        assert text[context.start : context.end] == context.text
        position = context.end
    counts = TOKENIZER.count([context.text for context in contexts])
    assert [count for count in counts if count > budget] == []
    assert [context.tokens for context in contexts] == counts


@settings(max_examples=300, deadline=None)
@given(texts, heading_marks, budgets)
def test_sentences_tile_their_context(text: str, headings: tuple[Heading, ...], budget: int) -> None:
    for context in cut(text, budget, headings):
        bounds = [context.start, *(sentence.end for sentence in context.sentences)]
        assert [sentence.start for sentence in context.sentences] == bounds[:-1]
        assert bounds[-1] == context.end
        assert bounds == sorted(set(bounds))
        assert 1 <= len(context.sentences) <= MOST_SENTENCES


@settings(max_examples=300, deadline=None)
@given(texts)
def test_sentence_spans_tile_any_text(text: str) -> None:
    assert "".join(sentences(text)) == text
    assert [s for s in sentences(text)[1:] if not s] == []


@settings(max_examples=60, deadline=None)
@given(texts, heading_marks)
def test_no_context_but_at_headings_crosses_one(text: str, headings: tuple[Heading, ...]) -> None:
    """With one heading in the text, it begins a context wherever there is text before it."""
    for heading in headings[:1]:
        if heading.start < len(text) and text[: heading.start].strip():
            contexts = cut(text, 382, (heading,))
            assert heading.start in [context.start for context in contexts]
            assert {c.headings for c in contexts if c.start < heading.start} == {()}
            assert {c.headings for c in contexts if c.start >= heading.start} == {(heading.title,)}


def test_cutting_is_deterministic() -> None:
    text = "One sentence here. Another one there.\n\nA paragraph more. " * 40
    assert cut(text, 30) == cut(text, 30)


def test_headings_begin_contexts_with_their_path() -> None:
    text = "Intro.\n# A\nBody a.\n## B\nBody b.\n# C\nBody c.\n"
    marks = tuple(Heading(text.index(f"{sign} {title}"), len(sign), title) for sign, title in (("#", "A"), ("##", "B")))
    marks += (Heading(text.index("# C"), 1, "C"),)
    assert [(context.text, context.headings) for context in cut(text, 382, marks)] == [
        ("Intro.\n", ()),
        ("# A\nBody a.\n", ("A",)),
        ("## B\nBody b.\n", ("A", "B")),
        ("# C\nBody c.\n", ("C",)),
    ]


def test_skipped_heading_levels_leave_no_gap_in_the_path() -> None:
    text = "# A\nBody.\n### D\nBody.\n## B\nBody.\n"
    marks = (Heading(0, 1, "A"), Heading(text.index("### D"), 3, "D"), Heading(text.index("## B"), 2, "B"))
    assert [context.headings for context in cut(text, 382, marks)] == [("A",), ("A", "D"), ("A", "B")]


def test_heading_directly_under_a_heading_stays_with_it() -> None:
    text = "Intro.\n# A\n\n## B\n\nBody b.\n"
    marks = (Heading(text.index("# A"), 1, "A"), Heading(text.index("## B"), 2, "B"))
    assert [(context.text, context.headings) for context in cut(text, 382, marks)] == [
        ("Intro.\n", ()),
        ("# A\n\n## B\n\nBody b.\n", ("A", "B")),
    ]


def test_last_heading_without_body_is_kept() -> None:
    text = "Body.\n# End"
    assert [(c.text, c.headings) for c in cut(text, 382, (Heading(6, 1, "End"),))] == [
        ("Body.\n", ()),
        ("# End", ("End",)),
    ]


def test_headings_out_of_order_or_outside_are_passed_over() -> None:
    text = "Intro.\n# A\nBody.\n"
    marks = (Heading(7, 1, "A"), Heading(3, 1, "before"), Heading(400, 1, "outside"), Heading(-1, 1, "negative"))
    assert [(c.text, c.headings) for c in cut(text, 382, marks)] == [("Intro.\n", ()), ("# A\nBody.\n", ("A",))]


def test_paragraph_start_is_preferred_to_a_sentence_start() -> None:
    first = "Red fox runs. Red fox runs.\n\n"  # 8 tokens
    second = "Blue cat sits. Blue cat sits. Blue cat sits."  # 12 tokens
    assert TOKENIZER.count([first, second]) == [8, 12]
    assert [c.text for c in cut(first + second, 14)] == [first, second]


def test_sentence_start_is_taken_where_no_paragraph_starts_in_the_second_half() -> None:
    text = "Hi.\n\nRed fox runs. Red fox runs. Red fox runs."
    assert [c.text for c in cut(text, 10)] == ["Hi.\n\nRed fox runs. Red fox runs. ", "Red fox runs."]


def test_new_paragraph_that_does_not_fit_begins_a_context() -> None:
    text = "Red fox runs.\n\nRed fox runs.\n\nBlue cat sits."
    assert [c.text for c in cut(text, 8)] == ["Red fox runs.\n\nRed fox runs.\n\n", "Blue cat sits."]


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Smith went home.",
        "Use a tool, e.g. a hammer, for that.",
        "The U.S. Army came.",
        "It cost 3.50 dollars.",
        "Mr. and Mrs. Jones sat down.",
    ],
)
def test_abbreviations_do_not_end_a_sentence(sentence: str) -> None:
    assert sentences(f"{sentence} Then it rained.") == [f"{sentence} ", "Then it rained."]


@pytest.mark.parametrize(
    "text",
    [
        "- one\n- two\n",
        "* one\n* two\n",
        "1. one\n2. two\n",
        "10) one\n11) two\n",
        "  - one\n  - two\n",
        "- one\r\n- two",
    ],
)
def test_list_items_are_sentences(text: str) -> None:
    assert sentences(text) == text.splitlines(keepends=True)


def test_table_rows_are_sentences() -> None:
    markdown = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert sentences(markdown) == markdown.splitlines(keepends=True)
    html = "name | age\nAnn | 7\nBob | 9"
    assert sentences(html) == html.splitlines(keepends=True)


def test_line_below_a_markdown_heading_is_a_sentence() -> None:
    assert sentences("# Title\nBody text.") == ["# Title\n", "Body text."]


def test_line_break_alone_does_not_end_a_sentence() -> None:
    assert sentences("This sentence goes\non here. Next.") == ["This sentence goes\non here. ", "Next."]


def test_stops_of_other_scripts_end_a_sentence() -> None:
    assert sentences("これは文です。次の文です。") == ["これは文です。", "次の文です。"]


def test_paragraph_start_is_marked() -> None:
    assert [opens for _, _, opens in sentence_spans("One. Two.\n\nThree. Four.")] == [True, False, True, False]


def test_white_space_belongs_to_the_sentence_before() -> None:
    assert sentences("One.\n\n  \n\nTwo.") == ["One.\n\n  \n\n", "Two."]


def test_empty_text_gives_nothing() -> None:
    assert cut("") == []
    assert sentence_spans("") == []


def test_text_without_tokens_is_one_context() -> None:
    assert [(c.text, c.tokens, c.sentences) for c in cut(" \n\t ")] == [(" \n\t ", 0, ((0, 4),))]


def test_sentence_too_long_is_cut_at_white_space() -> None:
    text = " ".join(["river"] * 100)
    contexts = cut(text, 8)
    assert "".join(c.text for c in contexts) == text
    assert {word for c in contexts for word in c.text.split()} == {"river"}
    assert [c.tokens for c in contexts if c.tokens > 8] == []
    assert sum(c.tokens for c in contexts) == 100


def test_word_too_long_is_cut_anywhere() -> None:
    text = "漢字" * 20
    contexts = cut(text, 8)
    assert "".join(c.text for c in contexts) == text
    assert max(c.tokens for c in contexts) == 8


def test_unknown_long_word_does_not_make_a_context_that_nobody_can_read() -> None:
    text = "x" * 20_000
    contexts = cut(text, 8)
    assert "".join(c.text for c in contexts) == text
    assert max(len(c.text) for c in contexts) <= 8 * MAX_CHARACTERS_PER_TOKEN


def test_special_tokens_in_text_are_counted_as_text() -> None:
    text = "[SEP] " * 50
    contexts = cut(text, 8)
    assert "".join(c.text for c in contexts) == text
    assert [n for n in TOKENIZER.count([c.text for c in contexts]) if n > 8] == []


def test_budget_below_eight_is_refused() -> None:
    with pytest.raises(ValueError, match="7 tokens is too small"):
        cut("text", 7)


@pytest.mark.parametrize(
    "text", ["\n" * 10_241, "One." + "\n" * 50_000 + "Two.", "\r\n" * 9_999, "x" * 10_240 + "\n\nNext."]
)
def test_line_ends_at_the_seams_of_sentencex_are_kept(text: str) -> None:
    assert "".join(sentences(text)) == text
