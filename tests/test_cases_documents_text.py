"""Small documents that were once read wrongly: text, pages, books, records and mails. Each says what is right.

The files are in ``tests/cases/documents``, a folder a kind of fault. Office files and PDFs have a module of their own.
"""

from __future__ import annotations

import codecs
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsearch import readers
from ctxsearch.errors import SourceError
from ctxsearch.readers.charsets import codec_of
from ctxsearch.readers.decoding import decode
from ctxsearch.records import Document
from tests.conftest import ROOT

CASES = ROOT / "tests" / "cases" / "documents"
WORKER = readers.Worker()


@pytest.fixture(scope="module", autouse=True)
def worker() -> Iterator[None]:
    """One process for the readers of all tests."""
    with WORKER:
        yield


def read(path: Path) -> tuple[list[Document], list[SourceError]]:
    """The documents of a file, and what could not be read of it."""
    (file,) = readers.find([str(path)]).files
    items = list(readers.read(file, WORKER))
    documents = [item for item in items if isinstance(item, Document)]
    failures = [item for item in items if isinstance(item, SourceError)]
    assert len(documents) + len(failures) == len(items)
    return documents, failures


def one(path: Path, data: bytes | str | None = None) -> Document:
    """The only document of a file, which is written first if its content is given."""
    if data is not None:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    documents, failures = read(path)
    assert failures == []
    (document,) = documents
    return document


# --- 02: one bad byte ---

GERMAN = "Die Rückerstattung genehmigt der Abteilungsleiter. Größere Beträge prüft die Buchhaltung.\n"


def test_a_broken_byte_in_utf_8_is_replaced_and_the_rest_is_utf_8() -> None:
    found = one(CASES / "02-text-one-bad-byte" / "mixed.txt")
    assert found.text == GERMAN * 20 + "Zusatz: caf\ufffd\n" + GERMAN * 5
    assert found.metadata["encoding_errors"] == 1


def test_a_character_cut_off_at_the_end_is_replaced() -> None:
    found = one(CASES / "02-text-one-bad-byte" / "trunc_en.txt")
    assert found.text == "The manager’s approval is needed — always.\n" * 20 + "\ufffd"
    assert found.metadata["encoding_errors"] == 1


def test_zeros_that_a_crash_left_cost_nothing_else() -> None:
    found = one(CASES / "02-text-one-bad-byte" / "nul.log")
    assert found.text == "2024-05-01 pump started\n" * 50 + "\ufffd\n2024-05-02 pump stopped with error 77\n"
    padded = one(CASES / "02-text-one-bad-byte" / "pad.md")
    assert padded.text == "# Notes\n\nThe valve is open.\n"
    assert [heading.title for heading in padded.headings] == ["Notes"]
    assert padded.metadata["encoding_errors"] == 1


WORDS = "Rückgabe naïve œuvre Ωμέγα Привет дом 東京 会議 고객 안녕 שלום مرحبا ไทย smile😀 plain words of a text".split()


@given(
    words=st.lists(st.sampled_from(WORDS), min_size=60, max_size=300),
    broken=st.integers(1, 5),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_broken_bytes_in_utf_8_cost_nothing_but_themselves(words: list[str], broken: int, seed: int) -> None:
    text = " ".join(["Größe", *words])
    data = bytearray(text.encode())
    chance = random.Random(seed)
    for place in chance.sample(range(len(data)), broken):
        data[place] = chance.choice([0, *range(0x80, 0x100)])
    found = decode(bytes(data), "a.txt")
    kept = [
        word
        for word in bytes(data).split(b" ")
        if word.decode("utf-8", "ignore").encode() == word and b"\0" not in word
    ]
    assert [word for word in found.text.split(" ") if "\ufffd" not in word] == [word.decode() for word in kept]
    assert found.errors >= found.text.count("\ufffd")


def test_utf_8_of_half_characters_is_joined() -> None:
    cesu = "fire \ud83d\udd25 drill".encode("utf-8", "surrogatepass")  # as Java and old MySQL write it
    assert decode(cesu, "a") == ("fire 🔥 drill", 0)


def test_bytes_that_are_no_text_are_refused_with_what_helps(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(1, 32)) * 9 + b"\xff")
    ((error,), (broken,)) = (read(tmp_path / "a.txt")[1], read(CASES / "02-text-one-bad-byte" / "mixed.txt")[0])
    assert "iconv -f ENCODING -t UTF-8" in error.reason
    assert "Buchhaltung" in broken.text


# --- 09 and 24: what a file says of its encoding ---


def test_a_declaration_that_is_stale_or_wrong_does_not_count() -> None:
    assert one(CASES / "09-html-charset" / "stale.html").text == "Die Gebühr für Zürich beträgt fünf Franken."
    found = one(CASES / "09-html-charset" / "wrongcharset.html")
    assert found.text == "Le café coûte 3 € à Paris, déjà."
    assert found.title == "Café"


def test_the_mark_comes_before_the_declaration() -> None:
    found = one(CASES / "24-xml-utf16" / "xmlenc.xml")
    assert found.text == "Pump\n\nThe pump leaks often."


@pytest.mark.parametrize(
    ("name", "codec", "text"),
    [
        ("windows-950", "cp950", "人人生而自由,在尊嚴和權利上一律平等。"),
        ("big5", "cp950", "人人生而自由,在尊嚴和權利上一律平等。"),
        ("windows-936", "gb18030", "人人生而自由,在尊严和权利上一律平等。"),
        ("gb2312", "gb18030", "人人生而自由,在尊严和权利上一律平等。镕"),
        ("932", "cp932", "すべての人間は、生まれながらにして自由である。"),
        ("x-sjis", "cp932", "①すべての人間は、自由である。"),
        ("windows-949", "cp949", "모든 인간은 태어날 때부터 자유롭다."),
        ("ks_c_5601-1987", "cp949", "모든 인간은 태어날 때부터 자유롭다."),
        ("macroman", "mac_roman", "Gr\u00f6\u00dfere Betr\u00e4ge pr\u00fcft sie."),
        ("x-mac-cyrillic", "mac_cyrillic", "Все люди рождаются свободными."),
        ("iso-8859-8-i", "iso8859_8", "כל בני האדם נולדו בני חורין"),
        ("iso-8859-1", "cp1252", "“Größe” – 3 €"),
        ("windows-874", "cp874", "มนุษย์ทั้งหลาย"),
        ("cp-850", "cp850", "Größe"),
        ("iso-2022-jp", "iso2022_jp", "すべての人間は自由である。"),
    ],
)
@pytest.mark.parametrize("kind", ["html", "xml"])
def test_code_pages_that_python_names_otherwise(tmp_path: Path, kind: str, name: str, codec: str, text: str) -> None:
    assert codecs.lookup(codec_of(name) or "") == codecs.lookup(codec)
    markup = {
        "html": f'<meta charset="{name}"><p>{text}</p>',
        "xml": f'<?xml version="1.0" encoding="{name}"?><p>{text}</p>',
    }[kind]
    assert one(tmp_path / f"a.{kind}", markup.encode(codec)).text == text


@pytest.mark.parametrize("name", ["hex", "rot13", "idna", "unicode_escape", "cp037", "nonsense", "\0", ""])
def test_what_names_no_encoding_of_text_is_none(name: str) -> None:
    assert codec_of(name) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_without_a_mark(tmp_path: Path, encoding: str) -> None:
    text = "<html><body><h1>Opening hours</h1><p>Nine to five.</p></body></html>"
    assert one(tmp_path / "page", text.encode(encoding)).text == "Opening hours\n\nNine to five."
    lines = '{"text": "One"}\n{"text": "Ωμέγα"}\n'.encode(encoding)
    (tmp_path / "a.jsonl").write_bytes(lines)
    assert [document.text for document in read(tmp_path / "a.jsonl")[0]] == ["One", "Ωμέγα"]


def test_an_xml_file_with_a_broken_byte_or_a_control_character_is_read(tmp_path: Path) -> None:
    assert one(tmp_path / "a.xml", b"<d><p>Gr\xc3\xbc\xc3\x9fe \xff \x0b end</p></d>").text == "Grüße \ufffd \ufffd end"


# --- 19: half characters ---


def test_half_a_character_costs_itself(tmp_path: Path) -> None:
    found = one(CASES / "19-half-surrogate" / "surrog.json")
    assert found.text == "note: bad \ufffd half | fee: twelve euros"
    assert found.metadata["encoding_errors"] == 1
    cell = {"cell_type": "markdown", "source": ["# Half \ud83d\n", "twelve euros"]}
    notebook = one(tmp_path / "a.ipynb", json.dumps({"cells": [cell], "metadata": {}}))
    assert notebook.text == "# Half \ufffd\ntwelve euros"
    assert notebook.headings[0].title == "Half \ufffd"
    matter = one(tmp_path / "a.md", '---\ntitle: "Half \\ud83d"\ntags: ["\\ud83d\\ude00"]\n---\nBody.\n')
    assert (matter.title, matter.metadata["tags"]) == ("Half \ufffd", ["😀"])
    (tmp_path / "a.jsonl").write_text(
        '{"text": "bad \\udc00 half", "title": "\\ud83d"}\n{"text": "pair \\ud83d\\ude00"}\n'
    )
    first, second = read(tmp_path / "a.jsonl")[0]
    assert (first.text, first.title, second.text) == ("bad \ufffd half", "\ufffd", "pair 😀")
    assert (first.metadata["encoding_errors"], second.metadata) == (1, {})


# --- 10: embedded pictures ---


def test_a_note_with_an_embedded_picture_is_a_note() -> None:
    found = one(CASES / "10-md-embedded-picture" / "note_with_photo.md")
    assert "The spare key is under the blue pot" in found.text
    assert len(found.text.split()) >= 1200
    assert "base64" not in found.text
    assert "data:image/" in found.text


PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 400


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("image.md", f"# Keys\n\n![pot]({PICTURE})\n\n# Where\n\nUnder the blue pot.\n"),
        ("reference.md", f"# Keys\n\n![pot][p]\n\n# Where\n\nUnder the blue pot.\n\n[p]: <{PICTURE}>\n"),
        ("html.md", f'# Keys\n\n<img alt="pot" src="{PICTURE}">\n\n# Where\n\nUnder the blue pot.\n'),
        (
            "link.md",
            f"# Keys\n\n[pot]({PICTURE.replace('image/png', 'application/pdf')})\n\n# Where\n\nUnder the blue pot.",
        ),
        ("svg.md", f"# Keys\n\n![pot](data:image/svg+xml,{'%3Csvg%20' * 90})\n\n# Where\n\nUnder the blue pot.\n"),
    ],
)
def test_embedded_data_are_dropped_and_headings_stay_where_they_are(tmp_path: Path, name: str, content: str) -> None:
    found = one(tmp_path / name, content)
    assert len(found.text) < 200
    assert found.text.count("\n") == content.count("\n")
    assert "pot" in found.text
    assert "Under the blue pot." in found.text
    assert [heading.title for heading in found.headings] == ["Keys", "Where"]
    assert all(found.text[heading.start :].startswith(f"# {heading.title}") for heading in found.headings)


def test_text_that_speaks_of_data_uris_is_kept(tmp_path: Path) -> None:
    text = "A data: URI such as data:text/plain;base64,SGVsbG8= holds its content.\n"
    assert one(tmp_path / "a.md", text).text == text


# --- 11: records ---


def test_json_lines_without_a_text_are_read_as_a_json_array_is(tmp_path: Path) -> None:
    path = CASES / "11-jsonl-other-key" / "other.jsonl"
    found = one(path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert found.text == one(tmp_path / "a.json", json.dumps(records)).text
    assert found.text.splitlines()[4] == "id: 4 | content: Ticket 4: the pump leaks."


@pytest.mark.parametrize("key", ["content", "messages", "body", "question", "prompt"])
def test_json_lines_with_any_keys_keep_all_values(tmp_path: Path, key: str) -> None:
    value = [{"role": "user", "content": "Does it leak?"}, {"role": "agent", "content": "Yes."}]
    records = [{"id": n, key: value if key == "messages" else f"Ticket {n} leaks."} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    found = one(tmp_path / "a.jsonl")
    assert found.text == one(tmp_path / "a.json", json.dumps(records)).text
    assert found.text.count("leak") == 3


def test_lines_that_are_not_json_are_said_in_one_message(tmp_path: Path) -> None:
    lines = [f'{{"content": "Ticket {n}"}}' if n % 3 else "{cut off" for n in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    (document,), (failure,) = read(tmp_path / "a.jsonl")
    assert document.text.count("Ticket") == 40
    assert failure.source.endswith("a.jsonl:1")
    named = "4, 7, 10, 13, 16, 19, 22, 25, 28, 31, …"
    assert failure.reason == f"is not a line of JSON; 19 more lines cannot be read: {named}"


def test_empty_cells_of_a_text_column_are_no_failures() -> None:
    documents, failures = read(CASES / "11-jsonl-other-key" / "partial.csv")
    assert failures == []
    assert [document.text for document in documents] == [f"Comment {n} is fine" for n in range(0, 40, 2)]
    assert documents[1].metadata == {"id": 2}


def test_rows_longer_than_the_header_are_said_in_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,one,,\n2,two,cut\n3,three\n4,four,cut\n")
    documents, (failure,) = read(tmp_path / "a.csv")
    assert [document.text for document in documents] == ["one", "three"]
    assert failure.source.endswith("a.csv:3")
    assert failure.reason.endswith("So has line 5")


def test_a_column_without_any_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,\n2,\n")
    assert [failure.reason for failure in read(tmp_path / "a.csv")[1]] == [
        "has no text: its column text is empty in every row"
    ]


# --- 04: what of a page is content ---


def page(tmp_path: Path, body: str, head: str = "") -> str:
    """The text of a page."""
    return one(tmp_path / "a.html", f"<!doctype html><html><head>{head}</head><body>{body}</body></html>").text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "accordion.html",
            "Help\n\nHow do I return a parcel?\n\nPrint the label and drop it at the counter.\n\n"
            "Which refund deadline applies?\n\nThirty days after delivery.",
        ),
        ("aspnet.html", "City of Exampleton\n\nParking permits\n\nA permit costs 42 euros a year."),
        ("contentinfo.html", "1. Result one\n\nThe mill was founded in 1801.\n\nTips: quote words."),
        ("footerin.html", "Ode\n\nVerse.\n\nPublished 3 May 2024 by Ann Lee"),
    ],
)
def test_boilerplate_is_taken_off_only_outside_of_the_content(name: str, text: str) -> None:
    assert one(CASES / "04-html-left-out" / name).text == text


@pytest.mark.parametrize(
    "body",
    [
        '<button class="accordion">Fees</button><div class="panel" style="display:none"><p>CONTENT</p></div>',
        '<h3><button aria-controls="x">Fees</button></h3><div id="x" hidden><p>CONTENT</p></div>',
        '<a onclick="toggle(\'more\')">More</a><div id="more" style="display: none">CONTENT</div>',
        '<button data-bs-target="#c1">Fees</button><div class="collapse" id="c1" hidden>CONTENT</div>',
        '<dl><dt><button>Fees?</button></dt><dd hidden="until-found">CONTENT</dd></dl>',
        '<button role="tab" aria-controls="t">Fees</button><div role="tabpanel" id="t" hidden>CONTENT</div>',
        "<details><summary>Fees</summary>CONTENT</details>",
        '<main><button popovertarget="p">Fees</button><dialog id="p">CONTENT</dialog></main>',
        "<blockquote><p>Quote.</p><footer>CONTENT</footer></blockquote>",
        "<article><header><ul><li>CONTENT</li></ul></header>Text.</article>",
        "<article><p>Text.</p><aside><p>CONTENT</p></aside></article>",
        "<p>Text.</p><aside><p>CONTENT is a note in the margin that says more than a link does.</p></aside>",
        "<main><form><label>CONTENT</label><input></form></main>",
        "<main><noscript><p>CONTENT of the page as it is without scripts.</p></noscript></main>",
        "<noscript><h1>Prices</h1><p>CONTENT</p></noscript>",
        "<main></main><p>CONTENT</p>",
        "<nav>CONTENT</nav>",
        "<main><p>x</p></main><h1>Report</h1><p>CONTENT of a report far longer than what is in main.</p>",
        "<main><select><option>CONTENT</option><option>other</option></select></main>",
        "<form><p>Intro.</p><h2>Fees</h2><p>CONTENT</p></form>",
        "<main><div role='complementary'><p>CONTENT</p></div></main>",
    ],
)
def test_what_a_reader_sees_or_opens_is_kept(tmp_path: Path, body: str) -> None:
    assert "CONTENT" in page(tmp_path, body)


@pytest.mark.parametrize(
    "left_out",
    [
        "<nav>OUT</nav>",
        "<main><nav><a href='#a'>OUT</a></nav>Text.</main>",
        "<footer>OUT</footer>",
        "<aside><a href='/a'>OUT and some other places that links in a sidebar lead to</a></aside>",
        "<button>OUT</button>",
        "<form><input><button>OUT</button></form>",
        "<form><label>OUT</label><select><option>OUT</option></select></form>",
        "<p hidden>OUT</p>",
        '<p style="display:none">OUT</p>',
        '<div id="cookie-consent-banner"><button aria-controls="x">OUT</button><p>OUT</p></div>',
        '<div class="cookie-notice" role="dialog">OUT</div>',
        "<dialog>OUT</dialog>",
        "<template><p>OUT</p></template>",
        '<script type="text/template"><p>OUT</p></script>',
        '<div role="navigation">OUT</div><div role="contentinfo">OUT</div><ul role="menu"><li>OUT</li></ul>',
        "<noscript>You need to enable JavaScript to run this app. OUT</noscript>",
        "<video>Your browser does not support video. OUT</video>",
        '<button aria-controls="m">Menu</button><ul id="m" hidden><li><a href="/">OUT</a></li></ul>',
        "<pre>x</pre><main><button class='copy-button'>OUT</button></main>",
    ],
)
def test_what_is_not_the_page_is_left_out(tmp_path: Path, left_out: str) -> None:
    text = page(tmp_path, f"<p>A page of some words, as pages have them, about the opening hours.</p>{left_out}")
    assert "OUT" not in text


# --- 05: words that stand apart ---


def test_tags_that_end_a_word() -> None:
    assert one(CASES / "05-html-glued" / "details.html").text == (
        "FAQ\n\nMay I cancel?\n\nYes, within a week.\n\nIs there a fee?\n\nNo."
    )


@pytest.mark.parametrize(
    "markup",
    [
        "<summary>One</summary>Two",
        "<center>One</center>Two",
        "<fieldset><legend>One</legend>Two</fieldset>",
        "<label>One</label><span>Two</span>",
        "One<br>Two",
        "One<hr>Two",
        "<dl><dt>One</dt><dd>Two</dd></dl>",
        "<select><option>One</option><option>Two</option></select>",
        "<ul><li>One</li><li>Two</li></ul>",
        "<address>One</address>Two",
        "<figure>One<figcaption>Two</figcaption></figure>",
        "<my-card>One</my-card><my-card>Two</my-card>",
        "<button>One</button><button>Two</button>",
        "<a href='/1'>One</a><a href='/2'>Two</a>",
        "One<input>Two",
        "<table><tr><td>One</td><td>Two</td></tr></table>",
        "<span style='display:block'>One</span><span style='display: block'>Two</span>",
        "One<sup><a href='#n'>Two</a></sup>",
        "<svg><text>One</text><text>Two</text></svg>",
        "One<img alt='Two'>",
        "<menu><li>One</li></menu>Two",
        "<hgroup>One</hgroup>Two",
        "<textarea>One</textarea>Two",
    ],
)
def test_words_in_elements_that_stand_apart_are_not_glued(tmp_path: Path, markup: str) -> None:
    words = page(tmp_path, f"<main>{markup}</main>").replace("-", " ").replace("|", " ").split()
    assert words == ["One", "Two"]


@pytest.mark.parametrize("markup", ["On<b>e</b>", "On<wbr>e", "<span>On</span><span>e</span>", "O<sub>n</sub>e"])
def test_tags_inside_a_word_do_not_cut_it(tmp_path: Path, markup: str) -> None:
    assert page(tmp_path, markup) == "One"


# --- 07: XHTML and books ---


def test_elements_closed_as_in_xml_hold_nothing() -> None:
    found = one(CASES / "07-epub-self-closing" / "selfclose.xhtml")
    assert found.text == "Tide tables\n\nHigh water is at noon.\n\nLow water is at six."
    book = one(CASES / "07-epub-self-closing" / "selfclose.epub")
    assert [heading.title for heading in book.headings] == ["One", "Two", "Three"]


@pytest.mark.parametrize("element", ["title", "script", "style", "iframe", "textarea"])
@pytest.mark.parametrize("root", ['<html xmlns="http://www.w3.org/1999/xhtml">', "<html>"])
def test_an_element_closed_as_in_xml_does_not_swallow_the_page(tmp_path: Path, element: str, root: str) -> None:
    markup = f"{root}<head><title>T</title></head><body><{element} id='a' /><p>High water.</p></body></html>"
    assert one(tmp_path / "a.xhtml", markup).text == "High water."


def test_what_looks_like_an_empty_element_in_a_script_stays_in_it(tmp_path: Path) -> None:
    script = "<script>document.write('<script/><title/>'); var a = 'OUT';</script>"
    assert page(tmp_path, f"{script}<!-- <script/> --><p>High water.</p>") == "High water."


def test_notes_asides_and_pictures_of_a_book_are_text(tmp_path: Path) -> None:
    body = (
        '<h1>Tides</h1><p>High water<a epub:type="noteref" href="#n1">1</a>.</p><img src="t.png" alt="A tide table"/>'
        '<aside epub:type="footnote" id="n1" hidden="hidden"><p>At noon.</p></aside><aside><p>Beware.</p></aside>'
        "<footer><p>Printed in Ulm.</p></footer><svg><title>Map of the bay</title></svg>"
    )
    chapter = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{body}</body></html>'
    package = (
        '<package><manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c"/></spine></package>'
    )
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", '<container><rootfile full-path="p.opf"/></container>')
        book.writestr("p.opf", package)
        book.writestr("c.xhtml", chapter)
    found = one(tmp_path / "a.epub").text
    for words in ("High water", "A tide table", "At noon.", "Beware.", "Printed in Ulm.", "Map of the bay"):
        assert words in found


# --- 13: ruby ---


def test_readings_do_not_cut_words(tmp_path: Path) -> None:
    assert one(CASES / "13-ruby" / "ruby.html").text == "東京に住む。"
    old = "<ruby><rb>東</rb><rb>京</rb><rp>(</rp><rtc><rt>とう</rt><rt>きょう</rt></rtc><rp>)</rp></ruby>に住む。"
    assert page(tmp_path, old) == "東京に住む。"
    assert one(tmp_path / "a.xml", f"<p>{old}</p>").text == "東京に住む。"


def test_annotations_that_are_words_come_after(tmp_path: Path) -> None:
    assert page(tmp_path, "<p>The <ruby>WWW<rp>(</rp><rt>World Wide Web</rt><rp>)</rp></ruby> grew.</p>") == (
        "The WWW (World Wide Web) grew."
    )


# --- 23: alternative texts ---


def test_alternative_texts_are_text() -> None:
    assert one(CASES / "23-alt-text" / "imgalt.html").text == (
        "See the plan.\n\nFloor plan of the second storey with two fire exits\n\nChart of sales\n\nSales 2020"
    )


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<img alt='Two exits'>", "Two exits"),
        ("<map><area alt='North wing'><area alt='South wing'></map>", "North wing South wing"),
        ("<input type='image' alt='Order now'>", "Order now"),
        ("<a href='/p' aria-label='Price list'><svg><path/></svg></a>", "Price list"),
        ("<span role='img' aria-label='4 of 5 stars'></span>", "4 of 5 stars"),
        (
            "<svg><title>Pump</title><desc>Seen from above</desc><path/><text>Inlet</text></svg>",
            "Pump Seen from above Inlet",
        ),
        ("Ship it <img class='emoji' alt='🚀'>", "Ship it 🚀"),
        ("<figure><img alt='Sales 2020'><figcaption>Sales 2020</figcaption></figure>", "Sales 2020"),
        ("<a href='/'><img alt='Prices'>Prices</a>", "Prices"),
        ("Text<img alt='IMG_2041.jpg'><img alt='logo'><img alt=''>", "Text"),
        ("<math><mi>x</mi><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "x=1/2"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><annotation>x^2</annotation></math>", "x^2"),
        ("<math alttext='a+b'></math>", "a+b"),
    ],
)
def test_what_stands_for_a_picture_is_read(tmp_path: Path, markup: str, text: str) -> None:
    assert page(tmp_path, markup) == text


# --- 18: mails ---

MAIL = CASES / "18-mail"


def test_a_stub_gives_way_to_the_body_in_html() -> None:
    found = one(MAIL / "stub.eml")
    assert found.text == "Offer\n\nFrom: a@example.org\n\nOur price for 40 pumps is 12,300 euros until June."


def test_from_in_a_body_begins_no_message() -> None:
    found = one(MAIL / "fwd.mbox")
    assert [p.number for p in found.pages] == [1, 2]
    assert "Body one.\nFrom here on we walk." in found.text


def test_a_mail_in_utf_16() -> None:
    found = one(MAIL / "utf16.eml")
    assert found.text == "Sixteen\n\nFrom: a@example.org\n\nBody in sixteen bits."


def test_a_mail_of_a_maildir_with_long_headers() -> None:
    found = one(MAIL / "1714982400.M1P1.host:2,S")
    assert found.metadata["mime_type"] == "message/rfc822"
    assert found.text.count("The boiler is serviced on Tuesday at nine.") == 5
    assert "Received" not in found.text


def alternative(plain: str, markup: str) -> str:
    parts = "".join(
        f"--x\nContent-Type: text/{kind}; charset=utf-8\n\n{text}\n"
        for kind, text in (("plain", plain), ("html", markup))
    )
    return (
        f"From: a@b\nSubject: S\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n\n{parts}--x--\n"
    )


PRICES = "Our price for forty pumps is 12,300 euros until June, carriage paid, with two years of warranty on all parts."


@pytest.mark.parametrize(
    ("plain", "markup", "expected"),
    [
        (PRICES, f"<p>{PRICES}</p>", [PRICES]),
        ("Your mail client shows no HTML.", f"<p>{PRICES}</p>", [PRICES]),
        ("", f"<p>{PRICES}</p>", [PRICES]),
        ("See the other part.", f"<p>{PRICES}</p>", [PRICES]),
        (PRICES, "<p>Hello</p>", [PRICES]),
        (
            PRICES,
            f"<p>{' '.join(reversed('Nothing here says the same as there does at all today'.split() * 3))}</p>",
            [PRICES],
        ),
    ],
)
def test_a_body_is_chosen_by_what_it_says(tmp_path: Path, plain: str, markup: str, expected: list[str]) -> None:
    text = one(tmp_path / "a.eml", alternative(plain, markup)).text
    assert all(text.count(words) == 1 for words in expected)
    assert "HTML" not in text
    assert "See the other part" not in text


HEAD = "From: Ann <a@b>\nSubject: S\nMIME-Version: 1.0\n"


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        (HEAD + "Content-Transfer-Encoding: base64\n\nVGhlIGJvaWxl*ciBpcyBvbi!4=\n", "The boiler is on."),
        (HEAD + "Content-Transfer-Encoding: base64\n\nVGhlIGJvaWxlciBpcyBvbi4\n", "The boiler is on."),
        (
            HEAD + "Content-Transfer-Encoding: quoted-printable\n\nThe =C3=BCber boiler=\n is =ZZ on.\n",
            "über boiler is =ZZ on.",
        ),
        (
            HEAD + "Content-Type: text/plain; format=flowed\n\nThe boiler \nis on.\nNext line.\n",
            "The boiler is on.\nNext",
        ),
        (HEAD + "Content-Type: text/plain; format=flowed; delsp=yes\n\n東京 \nに住む。\n", "東京に住む。"),
        (
            HEAD + "Content-Type: text/plain; format=flowed\n\n> The boiler \n> is on.\nYes.\n",
            "> The boiler is on.\nYes.",
        ),
        (HEAD + "Content-Type: multipart/mixed\n\nThe boiler is on.\n", "The boiler is on."),
        (HEAD + "Content-Type: text/plain; charset=nonsense\n\nThe über boiler.\n", "The über boiler."),
        ("From: a@b\nSubject: Größe\n\nBody.\n", "Größe"),
        ("From: a@b\nSubject: =?windows-950?B?pO+kdQ==?=\n\nBody.\n", "父工"),
    ],
)
def test_mails_that_are_not_quite_right(tmp_path: Path, mail: str, words: str) -> None:
    if "windows-950" in mail:
        words = b"\xa4\xef\xa4\x75".decode("cp950")
    assert words in one(tmp_path / "a.eml", mail).text


def test_a_body_in_a_code_page(tmp_path: Path) -> None:
    for charset, codec, text in (
        ("windows-950", "cp950", "人人生而自由。"),
        ("x-sjis", "cp932", "すべての人間は自由である。"),
        ("iso-8859-1", "cp1252", "Größe – 3 €"),
    ):
        mail = f"{HEAD}Content-Type: text/plain; charset={charset}\n\n".encode() + text.encode(codec)
        assert text in one(tmp_path / "a.eml", mail).text


def test_mails_and_texts_attached_to_a_mail_are_read(tmp_path: Path) -> None:
    inner = "From: Bob <b@b>\nSubject: Inner matter\nDate: Mon, 05 Jan 2026 10:00:00 +0100\n\nInner body."
    parts = [
        "Content-Type: text/plain\n\nOuter body.",
        f"Content-Type: message/rfc822\n\n{inner}",
        'Content-Type: application/octet-stream; name="notes.md"\n\n# Notes\nOf the meeting.',
        'Content-Type: application/octet-stream; name="data.bin"\n\nBINARY',
        'Content-Type: application/octet-stream; name="a.txt"\nContent-Transfer-Encoding: base64\n\niVBORw0KGgoAAA==',
    ]
    mail = (
        HEAD + "Content-Type: multipart/mixed; boundary=x\n\n" + "".join(f"--x\n{part}\n" for part in parts) + "--x--\n"
    )
    found = one(tmp_path / "a.eml", mail)
    titles = [heading.title for heading in found.headings]
    assert titles == ["S", "Inner matter", "notes.md"]
    for words in ("Outer body.", "From: Bob <b@b>", "Inner body.", "Of the meeting."):
        assert words in found.text
    assert "BINARY" not in found.text


def test_a_mailbox_and_a_mail_are_known_without_a_suffix(tmp_path: Path) -> None:
    box = "From a@b Mon May  6 10:00:00 2024\nFrom: a@b\nSubject: One\n\nBody.\n"
    assert one(tmp_path / "Inbox", box).metadata["mime_type"] == "application/mbox"
    mail = "Return-Path: <a@b>\nFrom: a@b\nDate: Mon, 6 May 2024 10:00:00 +0200\nSubject: One\n\nBody.\n"
    assert one(tmp_path / "cur", mail).metadata["mime_type"] == "message/rfc822"
    memo = "From: the manager\nTo: all\nSubject: tea\n\nNo tea.\n"
    assert one(tmp_path / "memo.txt", memo).metadata["mime_type"] == "text/plain"
    assert one(tmp_path / "head.txt", "From here on we walk.\nNote: slowly.\n").metadata["mime_type"] == "text/plain"
