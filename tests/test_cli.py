"""The command line as a user meets it: real processes, exit statuses, one clear line for a mistake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch.passport import find_model
from tests.conftest import DATA, ROOT

Done = subprocess.CompletedProcess[str]


def run(
    *arguments: object, stdin: str = "", cwd: Path | None = None, program: tuple[str, ...] = ("-m", "ctxsearch.cli")
) -> Done:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    environment.pop("CTXSEARCH_INDEX", None)
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd or ROOT,
        env=environment,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def complaint(done: Done) -> str:
    """The one line on standard error."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good file."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.txt").write_text("Penguins live in Antarctica and eat krill.")
    return docs


def test_ingest_query_show_delete(tmp_path: Path, folder: Path) -> None:
    ingested = json.loads(run("ingest", folder, "--index", tmp_path / "i", "--metadata", "team=zoo", "--json").stdout)
    assert ingested["documents"] == {"added": 1, "updated": 0, "unchanged": 0, "deleted": 0, "failed": 0}
    assert set(ingested) >= {
        *(
            "index",
            "generation",
            "documents",
            "contexts",
            "sentences",
            "tokens",
            "seconds",
            "contexts_per_second",
            "encoder_busy",
            "failures",
        )
    }
    assert 0 < ingested["encoder_busy"] <= 1
    done = run("query", "where do penguins live?", "--index", tmp_path / "i", "--json", "--where", "team=zoo")
    answer = json.loads(done.stdout)
    assert done.stderr == ""
    assert set(answer) == {"question", "index", "generation", "mode", "truncated", "hits", "milliseconds"}
    (hit,) = answer["hits"]
    assert set(hit) >= {
        *("rank", "score", "scores", "document_id", "context_id", "source", "title", "metadata", "page"),
        *("start", "end", "text", "sentence"),
    }
    assert hit["source"] == (folder / "good.txt").as_posix()
    assert hit["metadata"].items() >= {"team": "zoo", "mime_type": "text/plain"}.items()
    shown = run("show", hit["source"], "--index", tmp_path / "i").stdout
    assert shown == "Penguins live in Antarctica and eat krill."
    assert shown[hit["start"] : hit["end"]] == hit["text"]
    listed = json.loads(run("list", "--index", tmp_path / "i", "--json").stdout)["documents"]
    assert [document["source"] for document in listed] == [hit["source"]]
    status = json.loads(run("status", "--index", tmp_path / "i", "--json").stdout)
    assert (status["documents"], status["contexts"], status["healthy"], status["format"]) == (1, 1, True, 2)
    assert run("verify", "--index", tmp_path / "i").returncode == 0
    assert run("delete", hit["source"], "--index", tmp_path / "i").returncode == 0
    assert json.loads(run("query", "penguins", "--index", tmp_path / "i", "--json").stdout)["hits"] == []


def test_cli_py_in_the_checkout_does_the_same(sample: ctxsearch.Index) -> None:
    question = ("query", "who may approve a refund?", "--index", sample.path)
    one, other = run(*question), run(*question, program=("cli.py",))
    assert one.returncode == other.returncode == 0
    assert one.stdout == other.stdout
    assert "handbook/refunds.md" in one.stdout.splitlines()[0]


def test_questions_from_standard_input(sample: ctxsearch.Index) -> None:
    done = run("query", "-", "--index", sample.path, "--json", stdin="what do toads eat?\n\nhotel limit abroad\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["question"] for answer in answers] == ["what do toads eat?", "hotel limit abroad"]


def test_a_document_from_standard_input(tmp_path: Path) -> None:
    for text in ("Otters swim.", "Herons wait."):
        assert run("ingest", "-", "--index", tmp_path / "i", stdin=text).returncode == 0
    assert ctxsearch.open(tmp_path / "i").status().documents == 2


def test_some_failed_and_the_rest_is_in(tmp_path: Path, folder: Path) -> None:
    (folder / "empty.txt").touch()
    (folder / "zeros.txt").write_bytes(bytes(1000))
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "page.html").write_text("<html><body><script>home()</script></body></html>")
    (folder / "records.jsonl").write_text('{"text": "fine", "source": "r"}\nnot json\n{"title": "no text"}\n')
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "link.txt").symlink_to("/etc/hostname")
    (folder / "loop").symlink_to("loop")
    done = run("ingest", folder, "--index", tmp_path / "i", "--json")
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert report["documents"]["added"] == 4
    reasons = {Path(failure["source"]).name: failure["error"] for failure in report["failures"]}
    assert reasons == {
        "empty.txt": "is empty",
        "zeros.txt": "is not text: a NUL byte at offset 0",
        "page.html": "the page has no text of its own; perhaps scripts write it: save it from a browser",
        "records.jsonl:2": "is not a line of JSON",
    }
    assert {Path(skip["source"]).name for skip in report["skipped"]} == {"picture.png", "link.txt", "loop"}


def test_fifty_megabytes_without_a_space(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("abcdefghij" * 5_000_000)
    done = run("ingest", tmp_path / "big.txt", "--index", tmp_path / "i")
    assert done.returncode == 1
    assert "has no words" in complaint(done)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.symlink_to(path), "cannot be read: "),
        (lambda path: path.mkdir(), "nothing to read in"),
        (lambda path: path.touch(), "is empty"),
    ],
)
def test_nothing_to_ingest(tmp_path: Path, make: object, said: str) -> None:
    make(tmp_path / "it")  # type: ignore[operator]
    done = run("ingest", tmp_path / "it", "--index", tmp_path / "i")
    assert done.returncode == 1
    assert said in complaint(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", ""),
        ("query", "  "),
        ("query", "x", "-k", "0"),
        ("query", "x", "-k", "-1"),
        ("query", "x", "-k", "many"),
        ("query", "x", "--mode", "fancy"),
        ("query", "x", "--where", "team"),
        ("query",),
        ("nonsense",),
        ("ingest",),
    ],
)
def test_wrong_usage(sample: ctxsearch.Index, arguments: tuple[str, ...]) -> None:
    extra = ("--index", sample.path) if len(arguments) > 1 else ()
    done = run(*arguments, *extra)
    assert done.returncode == 2
    assert complaint(done).startswith("ctxsearch: ")
    assert done.stdout == ""


def test_what_is_no_index(tmp_path: Path, folder: Path) -> None:
    for path, said in (
        (tmp_path / "none", "no index at"),
        (folder, "folder of something else"),
        (folder / "good.txt", "is a file"),
    ):
        done = run("query", "penguins", "--index", path)
        assert (done.returncode, said in complaint(done)) == (1, True)
    assert "folder of something else" in complaint(run("ingest", folder, "--index", folder))
    assert sorted(path.name for path in folder.iterdir()) == ["good.txt"]


def test_a_damaged_catalog_is_one_line(tmp_path: Path, folder: Path) -> None:
    run("ingest", folder, "--index", tmp_path / "i")
    (tmp_path / "i" / "catalog-1.sqlite3").write_bytes(b"no database" * 100)
    done = run("query", "penguins", "--index", tmp_path / "i")
    assert done.returncode == 1
    assert "is damaged" in complaint(done)


@pytest.mark.parametrize(("file", "said"), [("model.bin", "model.bin"), ("tokenizer.json", "tokenizer.json")])
def test_a_damaged_model_folder_is_named(tmp_path: Path, folder: Path, file: str, said: str) -> None:
    for damage in ("missing", "changed"):
        model = tmp_path / damage
        shutil.copytree(find_model().path, model)
        if damage == "missing":
            (model / file).unlink()
        else:
            content = bytearray((model / file).read_bytes())
            content[len(content) // 2] ^= 1
            (model / file).write_bytes(content)
        done = run("ingest", folder, "--index", tmp_path / "i", "--model", model)
        assert done.returncode == 1
        assert said in complaint(done)
        assert not (tmp_path / "i").exists()


def test_models_are_listed_and_shown() -> None:
    listed = json.loads(run("model", "list", "--json").stdout)["models"]
    assert "ctxsearch-l6-int8" in [model["name"] for model in listed]
    shown = json.loads(run("model", "show", "ctxsearch-l6-int8", "--json").stdout)
    assert (shown["dim"], shown["context_window"], shown["question_window"]) == (512, 384, 32)
    assert shown["licence"] == "Apache-2.0"


def test_terminal_codes_in_a_document_do_not_reach_the_terminal(tmp_path: Path, folder: Path) -> None:
    (folder / "good.txt").write_text("Penguins \x1b[31mred\x1b[0m \x07 live in Antarctica.")
    run("ingest", folder, "--index", tmp_path / "i")
    assert "\x1b" not in run("query", "penguins", "--index", tmp_path / "i").stdout


def no_network() -> bool:
    return shutil.which("unshare") is not None and (
        subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not no_network(), reason="unshare -rn is not allowed here")
def test_works_without_a_network(tmp_path: Path) -> None:
    home = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for arguments in (["ingest", str(DATA)], ["query", "who may approve a refund?"]):
        command = ["unshare", "-rn", sys.executable, "-m", "ctxsearch.cli", *arguments, "--index", str(tmp_path / "i")]
        done = subprocess.run(
            command, cwd=ROOT, env=home, capture_output=True, encoding="utf-8", timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "handbook/refunds.md" in done.stdout.splitlines()[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["status", "--json"]])
def test_output_that_cannot_be_written_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A hen.", encoding="utf-8")
    command = [sys.executable, "-m", "ctxsearch.cli"]
    subprocess.run([*command, "ingest", "a.txt"], cwd=tmp_path, check=True, capture_output=True)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*command, *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == "ctxsearch: the output cannot be written: No space left on device\n"
