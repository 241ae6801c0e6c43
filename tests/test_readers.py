"""Readers: files to documents, folders to files, and a plain word about what cannot be read."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ctxsearch import readers
from ctxsearch.errors import SourceError
from ctxsearch.readers import Skipped, find
from ctxsearch.readers.markdown import headings
from ctxsearch.records import Document

WORKER = readers.Worker()


@pytest.fixture(scope="module", autouse=True)
def worker() -> Iterator[None]:
    """One process for the readers of all tests."""
    with WORKER:
        yield


def read_all(path: Path) -> list[Document | SourceError | Skipped]:
    (file,) = find([str(path)]).files
    return list(readers.read(file, WORKER))


def document(path: Path, data: bytes) -> Document:
    path.write_bytes(data)
    (found,) = read_all(path)
    assert isinstance(found, Document), found
    return found


def failure(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    (found,) = read_all(path)
    assert isinstance(found, SourceError), found
    assert found.source == path.as_posix()
    return found.reason


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text", encoding="utf-8")


def below(root: Path, glob: str | None = None) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in find([str(root)], glob).files]


# --- plain text ---


@pytest.mark.parametrize(
    "text", ["One.\r\nTwo.\r\n", "a\rb\n\n\n  c \t", "naïve 漢字 😀", "e\u0301 \u00e9", " ", "\u2028x\x0c"]
)
def test_text_is_letter_for_letter(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    found = document(path, text.encode())
    assert replace(found, metadata={}) == Document(text, path.as_posix(), "a", origin=str(path.resolve()))


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + "Grüße\r\n漢".encode(),
        codecs.BOM_UTF16_LE + "Grüße\r\n漢".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Grüße\r\n漢".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "Grüße\r\n漢".encode("utf-32-le"),
        codecs.BOM_UTF32_BE + "Grüße\r\n漢".encode("utf-32-be"),
    ],
    ids=["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.unknown", "README"])
def test_byte_order_mark_names_the_encoding_and_goes(tmp_path: Path, data: bytes, name: str) -> None:
    assert document(tmp_path / name, data).text == "Grüße\r\n漢"


def test_title_is_a_first_line_that_stands_apart(tmp_path: Path) -> None:
    assert document(tmp_path / "a.txt", b"A Title \n\nBody.").title == "A Title"
    assert document(tmp_path / "a.txt", b"First line\nsecond line").title == "a"
    assert document(tmp_path / "a.txt", b"x" * 101 + b"\n\nBody.").title == "a"


def test_text_of_another_suffix_is_read(tmp_path: Path) -> None:
    assert document(tmp_path / "a.rst", b"plain").text == "plain"
    assert document(tmp_path / "Makefile", b"all:\n\techo").text == "all:\n\techo"


def test_packed_text_is_unpacked(tmp_path: Path) -> None:
    assert document(tmp_path / "a.txt.gz", gzip.compress(b"One.\r\n")).text == "One.\r\n"
    assert document(tmp_path / "a.md.gz", gzip.compress(b"# A\n")).headings[0].title == "A"


def test_standard_input_is_named_by_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(data: bytes) -> Document:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return readers.read_standard_input()

    first, again, other = given(b"one\r\n"), given(b"one\r\n"), given(b"two")
    assert (first.text, first.title) == ("one\r\n", "stdin")
    assert first.source.startswith("stdin:")
    assert first.key == again.key != other.key
    with pytest.raises(SourceError, match="standard input: is not UTF-8 text"):
        given(b"\xff")


# --- failures ---


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.jsonl", "a.other", "a"])
def test_empty_file_is_a_failure(tmp_path: Path, name: str) -> None:
    assert failure(tmp_path / name, b"") == "is empty"


def test_zeros_are_not_text(tmp_path: Path) -> None:
    assert failure(tmp_path / "a.txt", b"ab" + b"\0" * 100) == "is not text: a NUL byte at offset 2"
    assert failure(tmp_path / "a.dat", b"\0" * 100) == "no reader for .dat files"
    assert failure(tmp_path / "a", b"\0" * 100) == "binary, and without a suffix that names its kind"


def test_bytes_of_no_encoding_are_said_with_their_offset(tmp_path: Path) -> None:
    noise = bytes(range(1, 32)) * 3 + b"\xff"
    assert failure(tmp_path / "a.md", noise).startswith("is not UTF-8 text: byte 0xFF at offset 93;")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"ab\xe9", "ab\ufffd"),
        (codecs.BOM_UTF8 + b"abc\xff", "abc\ufffd"),
        (codecs.BOM_UTF16_LE + b"a\0b", "a\ufffd"),
        (codecs.BOM_UTF16_BE + b"\xd8\x00\0a", "\ufffda"),
    ],
    ids=["utf-8", "utf-8 with a mark", "half a unit of utf-16", "half a pair of utf-16"],
)
def test_a_broken_byte_costs_itself(tmp_path: Path, data: bytes, text: str) -> None:
    found = document(tmp_path / "a.txt", data)
    assert (found.text, found.metadata["encoding_errors"]) == (text, 1)


def test_binary_file_is_skipped_in_a_folder_and_a_failure_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\0")
    (file,) = find([str(tmp_path)]).files
    assert list(readers.read(file)) == [Skipped(path.as_posix(), "no reader for .png files")]
    assert failure(path, b"\x89PNG\0") == "no reader for .png files"


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz", "a.html.gz"])
def test_file_that_is_not_packed_is_a_failure(tmp_path: Path, name: str) -> None:
    assert "gzip" in failure(tmp_path / name, b"plain text")


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz", "a.html.gz"])
def test_packed_file_cut_short_is_a_failure(tmp_path: Path, name: str) -> None:
    assert "gzip" in failure(tmp_path / name, gzip.compress(b'{"text": "a"}\n' * 20)[:-10])


def test_long_packed_file_cut_short_is_a_failure(tmp_path: Path) -> None:
    data = gzip.compress(os.urandom(50_000).hex().encode())
    assert failure(tmp_path / "a.txt.gz", data[:-10]).startswith("not a whole gzip file")


def test_file_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    (file,) = find([str(path)]).files
    path.unlink()
    (found,) = readers.read(file)
    assert str(found) == f"{path.as_posix()}: cannot be read: No such file or directory"


# --- Markdown ---


def test_markdown_text_is_letter_for_letter_with_its_headings(tmp_path: Path) -> None:
    text = "Intro *x*.\r\n\r\n# One #\r\nBody.\r\n\r\nTwo\r\n---\r\n\r\n   ### Three\r\n"
    found = document(tmp_path / "a.md", text.encode())
    assert found.text == text
    assert found.title == "One"
    assert [(h.level, h.title) for h in found.headings] == [(1, "One"), (2, "Two"), (3, "Three")]
    lines = ["# One #\r\n", "Two\r\n", "   ### Three\r\n"]
    assert [text[h.start :].splitlines(keepends=True)[0] for h in found.headings] == lines


def test_markdown_without_headings_is_titled_by_its_file(tmp_path: Path) -> None:
    assert document(tmp_path / "notes.md", b"Just text.").title == "notes"


@pytest.mark.parametrize(
    "text", ["```\n# a\n```\n", "~~~\n# a\n~~~\n", "    # a\n", "#a\n", "> # a\n", "- # a\n", "<!--\n# a\n-->\n", "#\n"]
)
def test_what_only_looks_like_a_markdown_heading_is_none(text: str) -> None:
    assert headings(text) == ()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_markdown_offsets_hold_for_every_line_end(end: str) -> None:
    text = end.join(["😀 intro", "", "# A", "```", "# no", "```", "B", "===", "x\u2028y\x0cz", "## C", ""])
    found = headings(text)
    assert [(h.level, h.title) for h in found] == [(1, "A"), (1, "B"), (2, "C")]
    assert [text[h.start :].split(end)[0] for h in found] == ["# A", "B", "## C"]


def test_front_matter_is_no_heading(tmp_path: Path) -> None:
    assert [h.title for h in document(tmp_path / "a.md", b"---\ntitle: x\n---\n\n# A\n").headings] == ["A"]


# --- HTML ---


def html(tmp_path: Path, body: str, head: str = "") -> Document:
    return document(tmp_path / "a.html", f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode())


def test_html_leaves_out_what_is_not_the_page(tmp_path: Path) -> None:
    body = (
        "<nav>NAV</nav><script>SCRIPT</script><style>STYLE</style><aside>ASIDE</aside><p>One &amp; <b>two</b>.</p>"
        "<!-- COMMENT --><p hidden>HIDDEN</p><button>BUTTON</button><footer>FOOTER</footer>"
    )
    assert html(tmp_path, body).text == "One & two."


def test_html_takes_main_where_there_is_one(tmp_path: Path) -> None:
    assert html(tmp_path, "<div>Before</div><main><p>Main.</p></main><div>After</div>").text == "Main."


def test_html_takes_all_articles(tmp_path: Path) -> None:
    assert html(tmp_path, "<article>One.</article><article>Two.</article>").text == "One.\n\nTwo."


def test_html_headings_have_their_offsets(tmp_path: Path) -> None:
    found = html(tmp_path, "<p>Intro.</p><h1>One <i>and</i> all</h1><p>a</p><div><h3>Three</h3>b</div><h2></h2>")
    assert [(h.level, h.title) for h in found.headings] == [(1, "One and all"), (3, "Three")]
    assert found.text.rstrip() == "Intro.\n\nOne and all\n\na\n\nThree\n\nb"
    for heading in found.headings:
        assert found.text[heading.start :].startswith(heading.title)


def test_html_heading_with_white_space_inside_has_its_offset(tmp_path: Path) -> None:
    found = html(tmp_path, "<p>a</p><h2>\n  Title\n</h2><p>b</p>")
    assert found.text == "a\n\nTitle\n\nb"
    assert found.text[found.headings[0].start :].startswith("Title")


def test_html_title_is_that_of_the_page_else_a_heading_else_the_file(tmp_path: Path) -> None:
    assert html(tmp_path, "<h1>H</h1>x", "<title> A\n page </title>").title == "A page"
    assert html(tmp_path, "<h1>H</h1>x").title == "H"
    assert html(tmp_path, "x").title == "a"


def test_html_white_space_is_as_a_browser_shows_it(tmp_path: Path) -> None:
    assert html(tmp_path, "<p>a\n   b<b> c</b> <i>d</i>e<br>f</p>\n\n<p>g</p>").text == "a b c de\nf\n\ng"


def test_html_list_items_begin_with_a_dash(tmp_path: Path) -> None:
    assert html(tmp_path, "<p>x</p><ul><li>one</li><li>two <b>b</b></li></ul>").text == "x\n\n- one\n- two b"


@pytest.mark.parametrize("item", [" one", "<p>one</p>", "\n  one\n"])
def test_html_list_item_stands_behind_its_dash(tmp_path: Path, item: str) -> None:
    assert html(tmp_path, f"<ul><li>{item}</li></ul>").text == "- one"


def test_html_table_rows_are_lines(tmp_path: Path) -> None:
    table = "<table>\n<tr> <th>a</th> <th>b</th> </tr>\n<tr><td>1</td><td>2</td></tr></table>"
    assert html(tmp_path, table).text == "a: 1 | b: 2"
    assert html(tmp_path, table.replace("th>", "td>")).text == "a | b\n1 | 2"


def test_html_cell_with_a_paragraph_stays_in_its_row(tmp_path: Path) -> None:
    assert html(tmp_path, "<table><tr><td><p>1</p></td><td>2</td></tr></table>").text == "1 | 2"


def test_html_pre_keeps_its_lines(tmp_path: Path) -> None:
    assert html(tmp_path, "<p>x</p><pre>\ndef f():\n    return 1\n</pre><p>y</p>").text == (
        "x\n\ndef f():\n    return 1\n\ny"
    )


def test_html_pre_with_spans_keeps_its_lines(tmp_path: Path) -> None:
    assert html(tmp_path, "<pre><b>def</b> f():\n    <b>return</b>\n<b>x</b></pre>").text == ("def f():\n    return\nx")


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin-1", "windows-1252", "us-ascii"])
def test_html_charset_is_taken_from_meta_as_browsers_do(tmp_path: Path, charset: str) -> None:
    data = f'<meta charset="{charset}"><p>caf\u00e9 '.encode("latin-1") + b"\x80</p>"
    assert document(tmp_path / "a.html", data).text == "caf\u00e9 €"


def test_html_charset_is_taken_from_http_equiv(tmp_path: Path) -> None:
    data = '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>мир</p>'.encode("koi8-r")
    assert document(tmp_path / "a.html", data).text == "мир"


def test_html_charset_that_is_unknown_is_utf_8(tmp_path: Path) -> None:
    assert document(tmp_path / "a.html", '<meta charset="nonsense"><p>é</p>'.encode()).text == "é"


@pytest.mark.parametrize("charset", ["hex", "base64", "rot13", "undefined", "punycode"])
def test_html_charset_that_is_a_codec_of_python_alone_does_not_raise(tmp_path: Path, charset: str) -> None:
    assert document(tmp_path / "a.html", f"<meta charset={charset}><p>abc</p>".encode()).text == "abc"


def test_html_charset_utf_16_in_meta_is_utf_8(tmp_path: Path) -> None:
    assert document(tmp_path / "a.html", b"<meta charset=utf-16><p>abcd</p>").text == "abcd"


def test_html_is_known_by_its_start(tmp_path: Path) -> None:
    assert document(tmp_path / "page", b"\n<!doctype HTML><p>a</p>").text == "a"
    assert document(tmp_path / "a.txt", b"<html><p>a</p>").text == "a"


def test_html_without_text_is_a_failure(tmp_path: Path) -> None:
    reason = "the page has no text of its own; perhaps scripts write it: save it from a browser"
    assert failure(tmp_path / "a.html", b"<html><script>x</script></html>") == reason


def test_html_nested_deeply_is_read(tmp_path: Path) -> None:
    assert html(tmp_path, "<div>" * 100_000 + "deep" + "</div>" * 100_000 + "<p>after").text == "deep\n\nafter"


def test_nothing_of_html_nested_deeply_is_lost(tmp_path: Path) -> None:
    numbers = [str(number) for number in range(20_000)]
    divisions = "".join(f"<div title=a>{number}" for number in numbers)
    script = "<script>no <b>word</b> of a script</script>"
    page = html(tmp_path, f"{divisions}{script}{'</div>' * 20_000}<h2>after</h2>end")
    assert page.text.split() == [*numbers, "after", "end"]
    assert page.text.endswith("\n\nafter\n\nend")


# --- JSON Lines ---


def test_jsonl_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    full = {"text": "One\r\n", "source": "s://1", "title": "T", "metadata": {"n": 1, "deep": {"x": [None]}}, "id": 7}
    path.write_text(json.dumps(full) + '\n\n{"text": "Two"}\n{"text": "Three", "source": "s3"}', encoding="utf-8")
    origin = str(path.resolve())
    assert read_all(path) == [
        Document("One\r\n", "s://1", "T", {"id": 7, "n": 1, "deep": {"x": [None]}}, (), origin, True),
        Document("Two", f"{path.as_posix()}:3", "", {}, (), origin, True),
        Document("Three", "s3", "s3", {}, (), origin, True),
    ]
    assert [found.key for found in read_all(path)] == ["s://1", f"{path.as_posix()}:3", "s3"]


def test_jsonl_bad_lines_are_said_and_good_ones_go_in(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [
        b'{"text": "good"}',
        b"{nonsense",
        b'{"title": "no text"}',
        b"[1]",
        b'{"text": "a", "metadata": 3}',
        b'{"text": "a", "source": 3}',
        b'{"text": "\xff"}',
        b"[" * 100_000,
        b'{"text": "also good"}',
    ]
    path.write_bytes(b"\n".join(lines))
    *good, bad = read_all(path)
    texts = [(item.text, item.source.removeprefix(path.as_posix())) for item in good if isinstance(item, Document)]
    assert texts == [("good", ":1"), ("title: no text", ":3"), ("1", ":4"), ("\ufffd", ":7"), ("also good", ":9")]
    assert isinstance(bad, SourceError)
    assert bad.source == f"{path.as_posix()}:2"
    assert bad.reason == "is not a line of JSON; 3 more lines cannot be read: 5, 6, 8"


def test_jsonl_of_no_records_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"nonsense\n" * 1500)
    (found,) = read_all(path)
    assert str(found) == f"{path.as_posix()}: is not JSON Lines: none of its first 1,000 lines is JSON"


def test_jsonl_with_a_mark_and_crlf_is_read(tmp_path: Path) -> None:
    assert document(tmp_path / "a.ndjson", codecs.BOM_UTF8 + b'{"text": "a"}\r\n').text == "a"


def test_jsonl_packed_is_read(tmp_path: Path) -> None:
    assert document(tmp_path / "a.jsonl.gz", gzip.compress(b'{"text": "packed"}\n')).text == "packed"


def test_jsonl_of_blank_lines_is_empty(tmp_path: Path) -> None:
    assert failure(tmp_path / "a.jsonl", b"\n  \n") == "is empty"


# --- folders ---


def test_folder_is_walked_in_a_fixed_order(tmp_path: Path) -> None:
    tree(tmp_path, "b.txt", "a.txt", "d/z.txt", "c/y.txt", "c/x/w.txt")
    assert below(tmp_path) == ["a.txt", "b.txt", "c/y.txt", "c/x/w.txt", "d/z.txt"]


def test_file_is_known_by_its_source_and_origin(tmp_path: Path) -> None:
    tree(tmp_path, "d/a.txt")
    (named,) = find([str(tmp_path / "d" / "a.txt")]).files
    (met,) = find([str(tmp_path)]).files
    assert (named.named, met.named) == (True, False)
    assert named.origin == met.origin == (tmp_path / "d" / "a.txt").resolve()
    assert (met.source, met.size) == ((tmp_path / "d" / "a.txt").as_posix(), 4)


def test_source_is_the_path_as_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "d/a.txt")
    monkeypatch.chdir(tmp_path)
    assert [file.source for file in find(["d"]).files] == ["d/a.txt"]
    assert [file.source for file in find(["."]).files] == ["d/a.txt"]
    assert [file.source for file in find(["d/../d/a.txt"]).files] == ["d/../d/a.txt"]


def test_links_in_a_folder_are_said_and_not_followed(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.txt", "out/b.txt")
    (tmp_path / "in" / "file").symlink_to(tmp_path / "out" / "b.txt")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "broken").symlink_to(tmp_path / "nowhere")
    found = find([str(tmp_path / "in")])
    reason = "a link; links inside a folder are not followed"
    assert below(tmp_path / "in") == ["a.txt"]
    assert found.skipped == tuple(
        Skipped((tmp_path / "in" / name).as_posix(), reason) for name in ("broken", "file", "folder")
    )
    assert found.missing == ()


def test_link_that_is_named_is_followed(tmp_path: Path) -> None:
    tree(tmp_path, "out/b.txt")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    (file,) = find([str(tmp_path / "link")]).files
    assert (file.source, file.origin) == ((tmp_path / "link/b.txt").as_posix(), (tmp_path / "out/b.txt").resolve())


def test_link_that_leads_to_itself_is_a_failure(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    found = find([str(loop)])
    assert found.files == ()
    assert [(e.source, e.reason.startswith("cannot be read: ")) for e in found.missing] == [(loop.as_posix(), True)]


def test_missing_path_is_a_failure_and_others_go_in(tmp_path: Path) -> None:
    tree(tmp_path, "a.txt")
    found = find([str(tmp_path / "no"), str(tmp_path / "a.txt"), "x\0y"])
    assert [file.path.name for file in found.files] == ["a.txt"]
    assert [str(error) for error in found.missing] == [
        f"{(tmp_path / 'no').as_posix()}: cannot be read: No such file or directory",
        "x\0y: not a path",
    ]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.txt", ".hidden", ".git/config", "d/.x/y.txt")
    assert below(tmp_path) == ["a.txt"]
    assert find([str(tmp_path)]).skipped == ()
    assert [file.path.name for file in find([str(tmp_path / ".hidden")]).files] == [".hidden"]


@pytest.mark.parametrize("name", [".gitignore", ".ctxignore"])
def test_ignored_files_are_left_out(tmp_path: Path, name: str) -> None:
    tree(tmp_path, "a.txt", "a.log", "keep.log", "d/b.log", "d/build/x.txt", "e/build", "top.txt", "d/top.txt")
    (tmp_path / name).write_text("# comment\n*.log\n!keep.log\nbuild/\n/top.txt\n", encoding="utf-8")
    assert below(tmp_path) == ["a.txt", "keep.log", "d/top.txt", "e/build"]


def test_ignore_files_can_be_turned_off(tmp_path: Path) -> None:
    tree(tmp_path, "a.txt", "a.log", ".hidden")
    (tmp_path / ".gitignore").write_text("*.log\n", encoding="utf-8")
    found = find([str(tmp_path)], ignore=False).files
    assert [file.path.name for file in found] == ["a.log", "a.txt"]


def test_deeper_ignore_file_decides(tmp_path: Path) -> None:
    tree(tmp_path, "a.log", "d/a.log", "d/b.txt")
    (tmp_path / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (tmp_path / "d" / ".gitignore").write_text("!a.log\nb.txt\n", encoding="utf-8")
    assert below(tmp_path) == ["d/a.log"]


def test_ctxignore_decides_over_gitignore(tmp_path: Path) -> None:
    tree(tmp_path, "a.log", "b.log")
    (tmp_path / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (tmp_path / ".ctxignore").write_text("!b.log\n", encoding="utf-8")
    assert below(tmp_path) == ["b.log"]


@pytest.mark.parametrize("pattern", ["!", "\\", "a\\", "[z-a]"])
def test_pattern_that_means_nothing_is_passed_over(tmp_path: Path, pattern: str) -> None:
    tree(tmp_path, "b.txt", "c.log")
    (tmp_path / ".gitignore").write_text(f"{pattern}\n*.log\n", encoding="utf-8")
    assert below(tmp_path) == ["b.txt"]


def test_index_folders_are_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.txt", "index/catalog.sqlite3", "index/b.txt", "index/deep/c.txt")
    assert below(tmp_path) == ["a.txt"]


def test_pipe_is_skipped_and_a_failure_by_name(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert find([str(tmp_path)]).skipped == (Skipped(pipe.as_posix(), "not a regular file"),)
    assert [str(e) for e in find([str(pipe)]).missing] == [f"{pipe.as_posix()}: not a regular file"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [("*.md", ["a.md", "d/c.md"]), ("d/*", ["d/b.txt", "d/c.md"]), ("a.*", ["a.md", "a.txt"]), ("*.pdf", [])],
)
def test_glob_keeps_what_fits_by_name_or_path(tmp_path: Path, glob: str, expected: list[str]) -> None:
    tree(tmp_path, "a.txt", "a.md", "d/b.txt", "d/c.md")
    assert below(tmp_path, glob) == expected


def test_each_file_comes_once(tmp_path: Path) -> None:
    tree(tmp_path, "a.txt", "d/b.txt")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    paths = [tmp_path / "a.txt", tmp_path, tmp_path / "d", tmp_path / "d" / ".." / "a.txt", tmp_path / "link.txt"]
    found = find([str(path) for path in paths])
    assert [file.path.name for file in found.files] == ["a.txt", "b.txt"]
    assert found.files[0].named
    assert found.bytes == 8
