"""Commands that turn a file into one that is read: for which files they run, with which limits, what becomes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import readers
from ctxsearch.errors import ArgumentError, SourceError
from ctxsearch.records import Document
from tests.conftest import ROOT
from tests.pdfs import pdf

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")

OLD_WORD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016) + "WordDocument".encode("utf-16-le").ljust(128, b"\0")
DOCUMENTS = next((f for f in (ROOT / "shared", ROOT.parent / "shared") if f.is_dir()), ROOT) / "data" / "documents"


def script(tmp_path: Path, code: str) -> list[str]:
    """A command that runs this code with the file as its first argument."""
    (tmp_path / "script.py").write_text(f"import sys\n{code}\n")
    return [sys.executable, str(tmp_path / "script.py"), "{}"]


def read(path: Path, command: list[str], limits: readers.Limits | None = None) -> list[object]:
    (file,) = readers.find([str(path)], convert=readers.commands({path.suffix: command})).files
    with readers.Worker(limits) as worker:
        return list(readers.read(file, worker))


def reason(found: list[object]) -> str:
    (error,) = found
    assert isinstance(error, SourceError), error
    return error.reason


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "a letter.doc"
    path.write_bytes(OLD_WORD)
    return path


def test_what_a_command_prints_is_read_under_the_name_of_the_original(tmp_path: Path, old: Path) -> None:
    (found,) = read(old, script(tmp_path, "print('From', sys.argv[1].rpartition('/')[2])"))
    assert isinstance(found, Document)
    assert (found.text, found.source, found.title) == ("From a letter.doc\n", old.as_posix(), "a letter")
    assert found.origin == str(old)
    assert found.metadata.items() >= {"mime_type": "application/msword", "size": len(OLD_WORD)}.items()


def test_file_that_a_command_writes_is_read_by_its_reader(tmp_path: Path, old: Path) -> None:
    code = "open(sys.argv[2] + '/a.html', 'w').write('<html><title>T</title><p>one<p>two')"
    (found,) = read(old, [*script(tmp_path, code), "{folder}"])
    assert isinstance(found, Document)
    assert (found.text, found.title, found.source) == ("one\n\ntwo", "T", old.as_posix())


def test_file_that_has_text_is_read_as_it_is(tmp_path: Path) -> None:
    command = script(tmp_path, "print('by the command')")
    written = pdf(tmp_path / "a.pdf", [[(60, 700, 10, "words of the page")]])
    assert [item.text for item in read(written, command) if isinstance(item, Document)] == ["words of the page"]
    scan = pdf(tmp_path / "b.pdf", [[]])
    assert [item.text for item in read(scan, command) if isinstance(item, Document)] == ["by the command\n"]


def test_format_that_nobody_knows_is_converted_in_folders_too(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.xyz").write_bytes(b"\0\1\2\xff")
    (folder / "b.txt").write_text("plain")
    commands = readers.commands({"XYZ": script(tmp_path, "print('known')")})
    files = readers.find([str(folder)], convert=commands).files
    with readers.Worker() as worker:
        found = {file.path.name: list(items) for file, items in readers.read_each(files, worker)}
    assert {name: item.text for name, (item,) in found.items()} == {"a.xyz": "known\n", "b.txt": "plain"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit('no such\\nformat')", "failed (status 1): no such format"),
        ("pass", "wrote nothing; it has to write one file"),
        ("import os; os.kill(os.getpid(), 9)", "failed (status -9)"),
        ("x = bytearray(3 * 2**30)", "failed (status 1): Traceback"),
    ],
)
def test_command_that_fails_says_why(tmp_path: Path, old: Path, code: str, expected: str) -> None:
    assert expected in reason(read(old, script(tmp_path, code)))


def test_command_that_writes_several_files_is_a_failure(tmp_path: Path, old: Path) -> None:
    code = "[open(f'{sys.argv[2]}/{n}', 'w').write('x') for n in range(2)]"
    assert "wrote 2 files" in reason(read(old, [*script(tmp_path, code), "{folder}"]))


def test_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, old: Path) -> None:
    late = tmp_path / "late"
    code = (
        "import subprocess, time\n"
        "child = 'import sys, time; time.sleep(3); open(sys.argv[1], \"w\")'\n"
        f"subprocess.Popen([sys.executable, '-c', child, {str(late)!r}])\n"
        "time.sleep(60)"
    )
    started = time.monotonic()
    assert reason(read(old, script(tmp_path, code), readers.Limits(seconds=1.0))).endswith("takes longer than 1 s")
    assert time.monotonic() - started < 15
    time.sleep(3)
    assert not late.exists()


def test_command_runs_without_a_shell_and_in_a_folder_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "$(touch pwned); a.doc"
    path.write_bytes(OLD_WORD)
    code = "import os; print(len(sys.argv), os.listdir('.'), os.environ['HOME'] != os.path.expanduser('~root'))"
    (found,) = read(path, script(tmp_path, code))
    assert isinstance(found, Document)
    assert found.text.startswith("2 []")
    assert not list(tmp_path.glob("pwned"))


@pytest.mark.parametrize(
    ("convert", "expected"),
    [
        ({"doc": "no-such-program {}"}, "there is no program no-such-program"),
        ({"doc": "cat"}, "does not say where the file goes: put {} there"),
        ({"doc": ""}, "needs a suffix and a command"),
        ({"": "cat {}"}, "needs a suffix and a command"),
        ({"doc": "cat '{}"}, "cannot be cut into arguments"),
    ],
)
def test_command_that_cannot_be_run_is_refused(tmp_path: Path, convert: dict[str, str], expected: str) -> None:
    with ctxsearch.open(tmp_path / "index") as index, pytest.raises(ArgumentError, match=r".*") as error:
        index.ingest([tmp_path], convert=convert)
    assert expected in str(error.value)


def test_file_that_failed_before_is_read_once_there_is_a_command(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.doc").write_bytes(OLD_WORD)
    command = script(tmp_path, "print('the text of the letter')")
    with ctxsearch.open(tmp_path / "index") as index:
        assert len(index.ingest([folder]).failures) == 1
        report = index.ingest([folder], convert={".doc": command})
        assert (report.documents.added, report.failures) == (1, ())
        assert index.ingest([folder], convert={".doc": command}).documents.unchanged == 1
        assert index.query("letter", k=1)[0].source.endswith("a.doc")


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="shared/data/documents is not here")
@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        ("antiword {}", "doc"),
        ("soffice --headless --convert-to docx --outdir {folder} {}", "doc"),
        ("soffice --headless --convert-to pptx --outdir {folder} {}", "ppt"),
    ],
)
def test_programs_for_old_formats(command: str, suffix: str) -> None:
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    files = readers.find([str(DOCUMENTS)], glob=f"*.{suffix}", convert=readers.commands({suffix: command})).files
    assert files
    with readers.Worker() as worker:
        for file, items in readers.read_each(files, worker):
            found = list(items)
            assert any(isinstance(item, Document) and len(item.text.split()) > 20 for item in found), (file, found)


@pytest.mark.skipif(not (shutil.which("tesseract") and shutil.which("pdftoppm")), reason="tesseract is not installed")
def test_pictures_are_read_by_a_program_for_text_recognition(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", [[(60, 700, 24, "The bridge is closed until May")]])
    subprocess.run(["pdftoppm", "-r", "150", "-png", "-singlefile", tmp_path / "a.pdf", tmp_path / "a"], check=True)
    (found,) = read(tmp_path / "a.png", ["tesseract", "{}", "-"])
    assert isinstance(found, Document), found
    assert found.text.strip() == "The bridge is closed until May"
    assert found.metadata["mime_type"] == "image/png"
