"""``ctxsearch model pull`` against a server on loopback that serves, cuts, stalls, corrupts and forgets."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

import ctxsearch
from ctxsearch import cli
from ctxsearch.encoder import Encoder
from ctxsearch.errors import ArgumentError, ModelError, ModelNotFoundError
from ctxsearch.passport import CARD, GRAPH, VOCABULARY, WEIGHTS, ModelFolder, find_model, list_models
from ctxsearch.pull import pull
from ctxsearch.pull.download import Patience
from ctxsearch.pull.zoo import BASE_URL, MODELS, RemoteFile, RemoteModel
from tests.conftest import DATA, ROOT
from tests.loopback import Server, Trouble, serving
from tests.small_models import small_model, vocabulary_txt

NAME = "small-one"
SMALL = "bert-small-uncased-whole-word-masking-squad-emb-int8-0001"
LARGE = "bert-large-uncased-whole-word-masking-squad-emb-0001"
HASTY = Patience(silence=20, pauses=(0.0, 0.0))
QUICK_TO_LEAVE = Patience(silence=0.5, trickle=100, pauses=(0.0, 0.0))
"""For lines that stall; a busy machine may stall for a moment too, so the others have patience."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """What the server has: a small model of the seed's signature."""
    return small_model(tmp_path_factory.mktemp("source") / "model")[0]


@pytest.fixture
def server(source: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, a catalogue whose one further model it has, and an empty folder of models."""
    found = Server({f"1/{name}": (source.path / name).read_bytes() for name in (VOCABULARY, GRAPH, WEIGHTS)})
    files = tuple(
        RemoteFile(path, path[2:], len(content), "sha384", hashlib.sha384(content).hexdigest())
        for path, content in found.files.items()
    )
    monkeypatch.setitem(MODELS, NAME, replace(MODELS[SMALL], name=NAME, files=files))
    monkeypatch.setenv("CTXSEARCH_MODELS", str(tmp_path / "models"))
    with serving(found):
        monkeypatch.setenv("CTXSEARCH_MODELS_URL", found.url + "/")
        yield found


@pytest.fixture
def home(server: Server, tmp_path: Path) -> Path:
    return tmp_path / "models"


def model() -> RemoteModel:
    return MODELS[NAME]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, locks left out."""
    paths = sorted(folder.rglob("*")) if folder.exists() else []
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths
        if path.is_file() and path.suffix != ".lock"
    }


def command(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["ctxsearch", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


# It arrives


def test_model_is_fetched_checked_and_installed(server: Server, home: Path, source: ModelFolder) -> None:
    folder, new = pull(NAME)
    assert new
    assert folder.path == home / NAME
    assert sorted(path.name for path in folder.path.iterdir()) == sorted([CARD, GRAPH, WEIGHTS, VOCABULARY])
    for name in (GRAPH, WEIGHTS, VOCABULARY):
        assert (folder.path / name).read_bytes() == (source.path / name).read_bytes()
    assert [path.name for path in home.iterdir() if path.suffix != ".lock"] == [NAME]
    assert server.requests == [(f"1/{name}", None) for name in (VOCABULARY, GRAPH, WEIGHTS)]
    passport = folder.passport
    assert (passport.name, passport.dim, passport.shapes, passport.precision) == (NAME, 1024, "static", "int8")
    assert folder.card["files"][WEIGHTS] == {
        "path": "1/model.bin",
        "size": len(server.files["1/model.bin"]),
        "sha384": hashlib.sha384(server.files["1/model.bin"]).hexdigest(),
    }
    assert NAME in [found.passport.name for found in list_models()]


def test_pulled_model_is_found_by_its_name_and_answers(server: Server, tmp_path: Path) -> None:
    pull(NAME)
    with ctxsearch.open(tmp_path / "index", model=NAME) as index:
        index.ingest([DATA / "field-guide"])
        assert index.query("what does a kestrel eat?")[0].source.endswith("kestrel.txt")
    with ctxsearch.open(tmp_path / "index") as index:
        assert len(index.query("what does a kestrel eat?", mode="dense")) > 0


def test_model_that_is_there_is_not_fetched_again(server: Server, home: Path) -> None:
    pull(NAME)
    before, asked = tree(home), len(server.requests)
    folder, new = pull(NAME)
    assert not new
    assert folder.path == home / NAME
    assert len(server.requests) == asked
    assert tree(home) == before


def test_progress_counts_all_files(server: Server) -> None:
    seen: list[tuple[str, int, int]] = []
    pull(NAME, on_progress=lambda name, have, whole: seen.append((name, have, whole)))
    haves = [have for _, have, _ in seen]
    assert {whole for _, _, whole in seen} == {model().bytes}
    assert haves == sorted(haves)
    assert (haves[0], haves[-1]) == (0, model().bytes)
    assert list(dict.fromkeys(name for name, _, _ in seen)) == [VOCABULARY, GRAPH, WEIGHTS]


def test_sha256_serves_where_a_release_has_that(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tuple(
        replace(file, algorithm="sha256", digest=hashlib.sha256(server.files[file.path]).hexdigest())
        for file in model().files
    )
    monkeypatch.setitem(MODELS, NAME, replace(model(), files=files))
    assert pull(NAME)[1]


def test_server_that_does_not_say_how_long_a_file_is(server: Server) -> None:
    server.troubles["1/model.bin"] = [Trouble(no_length=True)]
    assert pull(NAME)[1]


# The line is cut


def test_cut_line_is_taken_up_where_it_was_cut(server: Server) -> None:
    whole = len(server.files["1/model.bin"])
    server.troubles["1/model.bin"] = [Trouble(cut_after=100_000), Trouble(cut_after=50_000)]
    assert pull(NAME, patience=HASTY)[1]
    assert server.asked("1/model.bin") == [None, "bytes=100000-", "bytes=150000-"]
    assert server.served["1/model.bin"] == whole


def test_later_call_goes_on_where_an_earlier_one_gave_up(server: Server, home: Path) -> None:
    """Not a byte is sent twice, and what arrived in whole is not asked for."""
    whole = len(server.files["1/model.bin"])
    server.troubles["1/model.bin"] = [Trouble(cut_after=300_000), *[Trouble(status=503)] * 3]
    with pytest.raises(ModelError, match=rf"503 .*300,000 of {whole:,} bytes are kept"):
        pull(NAME, patience=HASTY)
    assert not (home / NAME).exists()
    assert list_models() != []
    assert NAME not in [found.passport.name for found in list_models()]
    assert len((home / f".{NAME}.partial" / WEIGHTS).read_bytes()) == 300_000
    server.requests.clear()
    assert pull(NAME, patience=HASTY)[1]
    assert server.requests == [("1/model.bin", "bytes=300000-")]
    assert server.served["1/model.bin"] == whole
    assert Encoder(find_model(NAME)).dim == 1024


def test_killed_process_leaves_what_the_next_one_uses(server: Server, home: Path, tmp_path: Path) -> None:
    server.troubles["1/model.bin"] = [Trouble(stall_after=200_000)]
    script = tmp_path / "pull.py"
    script.write_text(
        "from ctxsearch.pull import pull\n"
        "from ctxsearch.pull.zoo import MODELS, RemoteFile\n"
        "from dataclasses import replace\n"
        f"files = [{', '.join(map(repr, model().files))}]\n"
        f"MODELS[{NAME!r}] = replace(MODELS[{SMALL!r}], name={NAME!r}, files=tuple(files))\n"
        f"pull({NAME!r})\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([sys.executable, str(script)])
    partial = home / f".{NAME}.partial" / WEIGHTS
    wait_for(lambda: partial.is_file() and partial.stat().st_size == 200_000)
    with pytest.raises(ModelError, match="another process is pulling small-one"):
        pull(NAME)
    process.kill()
    process.wait()
    assert not (home / NAME).exists()
    assert pull(NAME, patience=HASTY)[1]
    assert server.asked("1/model.bin") == [None, "bytes=200000-"]


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("trouble", [Trouble(stall_after=5000), Trouble(stall_after=0), Trouble(drip=0.05)])
def test_stalled_line_is_left_and_tried_again(server: Server, trouble: Trouble) -> None:
    server.troubles["1/model.xml"] = [trouble]
    started = time.monotonic()
    assert pull(NAME, patience=QUICK_TO_LEAVE)[1]
    assert time.monotonic() - started < 30
    assert len(server.asked("1/model.xml")) == 2


def test_line_that_always_stalls_is_given_up(server: Server, home: Path) -> None:
    server.troubles["1/model.xml"] = [Trouble(stall_after=0) for _ in range(9)]
    with pytest.raises(ModelError, match=r"nothing came for 0\.5 seconds; gave up after 3 tries"):
        pull(NAME, patience=QUICK_TO_LEAVE)
    assert len(server.asked("1/model.xml")) == 3
    assert not (home / NAME).exists()


def test_server_without_ranges_sends_the_file_anew(server: Server) -> None:
    server.troubles["1/model.bin"] = [Trouble(cut_after=100_000), Trouble(ignore_range=True)]
    assert pull(NAME, patience=HASTY)[1]
    assert server.served["1/model.bin"] == 100_000 + len(server.files["1/model.bin"])


def test_server_without_ranges_that_always_cuts_is_given_up(server: Server) -> None:
    server.troubles["1/model.bin"] = [Trouble(cut_after=1000 - i, ignore_range=True) for i in range(20)]
    with pytest.raises(ModelError, match="gave up after 3 tries"):
        pull(NAME, patience=HASTY)


def test_server_that_goes_on_from_elsewhere_is_not_believed(server: Server, home: Path) -> None:
    server.troubles["1/model.bin"] = [Trouble(cut_after=1000), Trouble(wrong_start=True)]
    assert pull(NAME, patience=HASTY)[1]
    assert server.asked("1/model.bin") == [None, "bytes=1000-", None]


def test_server_without_etag_is_resumed_too(server: Server) -> None:
    server.etag = False
    server.troubles["1/model.bin"] = [Trouble(cut_after=100_000)]
    assert pull(NAME, patience=HASTY)[1]
    assert server.served["1/model.bin"] == len(server.files["1/model.bin"])


def test_file_that_changed_on_the_server_is_not_joined_with_its_old_part(server: Server) -> None:
    """The old part came from another file; If-Range makes the server send the whole of the new one."""
    right = server.files["1/model.bin"]
    server.files["1/model.bin"] = bytes(len(right))
    server.troubles["1/model.bin"] = [Trouble(cut_after=5000), *[Trouble(status=503)] * 3]
    with pytest.raises(ModelError):
        pull(NAME, patience=HASTY)
    server.files["1/model.bin"] = right
    server.requests.clear()
    assert pull(NAME, patience=HASTY)[1]
    assert server.requests == [("1/model.bin", "bytes=5000-")]


def test_wrong_old_part_is_dropped_once_its_checksum_says_so(server: Server, home: Path) -> None:
    server.etag = False
    partial = home / f".{NAME}.partial"
    partial.mkdir(parents=True)
    (partial / WEIGHTS).write_bytes(b"x" * 1000)
    assert pull(NAME, patience=HASTY)[1]
    assert server.asked("1/model.bin") == ["bytes=1000-", None]


def test_old_part_longer_than_the_file_is_dropped(server: Server, home: Path) -> None:
    partial = home / f".{NAME}.partial"
    partial.mkdir(parents=True)
    (partial / WEIGHTS).write_bytes(bytes(len(server.files["1/model.bin"]) + 1))
    assert pull(NAME, patience=HASTY)[1]
    assert server.asked("1/model.bin") == [f"bytes={len(server.files['1/model.bin']) + 1}-", None]


# It is refused


def corrupt(server: Server, path: str) -> None:
    content = bytearray(server.files[path])
    content[len(content) // 2] ^= 1
    server.files[path] = bytes(content)


@pytest.mark.parametrize("name", [VOCABULARY, GRAPH, WEIGHTS])
def test_wrong_checksum_is_refused_and_nothing_is_installed(server: Server, home: Path, name: str) -> None:
    corrupt(server, f"1/{name}")
    with pytest.raises(ModelError, match=rf"{name}: .*another SHA384 than it should have; nothing was installed"):
        pull(NAME, patience=HASTY)
    assert len(server.asked(f"1/{name}")) == 1
    assert not (home / NAME).exists()
    assert f".{NAME}.partial/{name}" not in tree(home)
    with pytest.raises(ModelNotFoundError):
        find_model(NAME)


def test_refused_file_leaves_the_model_of_before_untouched(server: Server, home: Path) -> None:
    """Even a damaged one: it is replaced only by what was verified."""
    pull(NAME)
    (home / NAME / WEIGHTS).write_bytes(b"damaged")
    before = tree(home)
    right = server.files["1/model.bin"]
    corrupt(server, "1/model.bin")
    with pytest.raises(ModelError, match="another SHA384"):
        pull(NAME, patience=HASTY)
    assert {path: data for path, data in tree(home).items() if path.startswith(NAME)} == before
    server.files["1/model.bin"] = right
    folder, new = pull(NAME, patience=HASTY)
    assert new
    folder.verify()
    assert [path.name for path in home.iterdir() if path.suffix != ".lock"] == [NAME]


@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_size_is_refused_before_it_is_fetched(server: Server, home: Path, change: int) -> None:
    right = server.files["1/model.bin"]
    server.files["1/model.bin"] = right[:change] if change < 0 else right + b"x"
    server.troubles["1/model.bin"] = [Trouble(stall_after=0)]
    with pytest.raises(ModelError, match=f"has {len(right) + change:,} bytes, and it should have {len(right):,}"):
        pull(NAME, patience=HASTY)
    assert not (home / NAME).exists()


def test_wrong_size_costs_nothing_of_what_has_arrived(server: Server) -> None:
    """A line that wants a login first answers everything with a page of its own."""
    right = server.files["1/model.bin"]
    server.troubles["1/model.bin"] = [Trouble(cut_after=100_000), *[Trouble(status=503)] * 3]
    with pytest.raises(ModelError, match="503"):
        pull(NAME, patience=HASTY)
    server.files["1/model.bin"] = b"<html>Welcome to our hotel</html>"
    server.troubles["1/model.bin"] = [Trouble(ignore_range=True)]
    with pytest.raises(ModelError, match="the server has 33 bytes"):
        pull(NAME, patience=HASTY)
    server.files["1/model.bin"] = right
    assert pull(NAME, patience=HASTY)[1]
    assert server.asked("1/model.bin")[-1] == "bytes=100000-"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_the_server_does_not_have_is_not_asked_for_again(server: Server, home: Path, status: int) -> None:
    server.troubles["1/vocab.txt"] = [Trouble(status=status)]
    with pytest.raises(ModelError, match=f"the server answers {status}"):
        pull(NAME, patience=HASTY)
    assert len(server.requests) == 1
    assert tree(home) == {}
    assert not (home / f".{NAME}.partial").exists()


def test_passing_trouble_of_the_server_is_waited_out(server: Server) -> None:
    server.troubles["1/vocab.txt"] = [Trouble(status=503), Trouble(status=429)]
    assert pull(NAME, patience=HASTY)[1]


def test_no_server_at_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTXSEARCH_MODELS_URL", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"no connection: .+; gave up after 3 tries"):
        pull(NAME, patience=HASTY)


def test_address_of_another_kind_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTXSEARCH_MODELS_URL", (ROOT / "data").as_uri())
    with pytest.raises(ArgumentError, match="must begin with https:// or http://"):
        pull(NAME)


def test_folder_of_somebody_else_is_left_alone(server: Server, home: Path) -> None:
    (home / NAME).mkdir(parents=True)
    (home / NAME / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ModelError, match="is there and is not what would be pulled; move it away"):
        pull(NAME)
    assert tree(home) == {f"{NAME}/notes.txt": b"mine"}
    assert server.requests == []


def test_home_that_cannot_be_made(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CTXSEARCH_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(ModelError, match=r"cannot be written: .*CTXSEARCH_MODELS may name another folder"):
        pull(NAME)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_full_disk_is_said_and_what_arrived_is_kept(server: Server, home: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(ModelError, match="cannot be written: File too large; what has arrived is kept"):
            pull(NAME, patience=HASTY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (home / f".{NAME}.partial" / WEIGHTS).stat().st_size == 300_000
    assert len(server.asked("1/model.bin")) == 1
    assert pull(NAME)[1]
    assert server.asked("1/model.bin") == [None, "bytes=300000-"]


def test_lock_is_let_go(server: Server, home: Path) -> None:
    server.troubles["1/vocab.txt"] = [Trouble(status=404)]
    with pytest.raises(ModelError):
        pull(NAME)
    with filelock.FileLock(home / f".{NAME}.lock", timeout=0):
        pass
    assert pull(NAME)[1]


# On the command line


def test_command_says_where_the_model_is_and_when_it_was_there(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("model", "pull", NAME, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr()
    label = find_model(NAME).passport.label
    assert (said.out, said.err) == (f"{home / NAME}: {label}\n", "")
    assert command("model", "pull", NAME, monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == f"{home / NAME}: {label}, already installed\n"
    assert command("model", "show", NAME, "--json", monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["licence"] == "Apache-2.0"


def test_bar_on_a_terminal(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert command("model", "pull", NAME, monkeypatch=monkeypatch) == 0
    drawn = capsys.readouterr().err
    assert "100%" in drawn
    assert f"{model().bytes / 1e6:,.1f} of {model().bytes / 1e6:,.1f} MB" in drawn
    assert WEIGHTS in drawn


def test_seed_from_a_server_that_has_another_file(server: Server, home: Path) -> None:
    """The real command and the real catalogue: the true vocabulary is taken, the graph is refused, in one line."""
    vocabulary, graph, _ = MODELS[SMALL].files
    server.files[vocabulary.path] = vocabulary_txt()
    server.files[graph.path] = bytes(graph.size)
    environment = {**os.environ, "CTXSEARCH_MODELS_URL": server.url, "CTXSEARCH_MODELS": str(home)}
    for asked in ([vocabulary.path, graph.path], [graph.path]):
        server.requests.clear()
        done = subprocess.run(
            [sys.executable, "-m", "ctxsearch.cli", "model", "pull", SMALL],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"ctxsearch: {server.url}/{graph.path}: what the server sent has another SHA384")
        assert done.stderr.count("\n") == 1
        assert [path for path, _ in server.requests] == asked
        assert not (home / SMALL).exists()


def test_unknown_name_lists_those_that_can_be_pulled() -> None:
    with pytest.raises(ModelNotFoundError, match=f"no model 'nowhere' can be pulled; there are {LARGE} and {SMALL}"):
        pull("nowhere")


# The catalogue


def test_catalogue_has_the_seed_as_it_is_published() -> None:
    files = {file.name: file for file in MODELS[SMALL].files}
    assert BASE_URL == "https://storage.openvinotoolkit.org/repositories/open_model_zoo"
    folder = f"2023.0/models_bin/1/{SMALL}"
    assert {name: (file.path, file.size, file.digest[:12]) for name, file in files.items()} == {
        VOCABULARY: (f"{folder}/vocab.txt", 231_508, "ef26234c552c"),
        GRAPH: (f"{folder}/FP16-INT8/{SMALL}.xml", 1_158_059, "2b418e46bc48"),
        WEIGHTS: (f"{folder}/FP16-INT8/{SMALL}.bin", 41_732_846, "1cf3a608e91a"),
    }
    assert hashlib.sha384(vocabulary_txt()).hexdigest() == files[VOCABULARY].digest


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_nothing_in_the_catalogue_is_without_a_checksum(name: str) -> None:
    assert MODELS[name].name == name
    assert [file.name for file in MODELS[name].files] == [VOCABULARY, GRAPH, WEIGHTS]
    for file in MODELS[name].files:
        assert re.fullmatch(r"[0-9a-f]+", file.digest)
        assert len(file.digest) == 2 * hashlib.new(file.algorithm).digest_size


def test_help_names_the_catalogue(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("model", "pull", "--help", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    for name in (SMALL, LARGE):
        assert re.search(rf"{name} +{round(MODELS[name].bytes / 1e6)} MB", said)


def test_only_this_room_uses_the_network() -> None:
    network = {"urllib.request", "http", "socket", "ssl", "ftplib", "requests", "httpx", "aiohttp"}
    package = ROOT / "ctxsearch"
    users = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name == used or name.startswith(f"{used}.") for name in names for used in network):
                users.add(path.relative_to(package).parts[0])
    assert users == {"pull"}
