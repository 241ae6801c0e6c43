"""doctor: finds what was broken on purpose, says what to do, and is content with what is fit."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import sqlite3
from collections import namedtuple
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import doctor
from ctxsearch.catalog import facts
from ctxsearch.encoder.facts import runtime_facts
from ctxsearch.errors import ModelNotFoundError
from ctxsearch.passport import ModelFolder, find_model
from tests.test_cli import run


def found(index: Path, area: str) -> doctor.Finding:
    """The first that is said of one area."""
    look = getattr(doctor, f"_{area.lower()}")
    return next(finding for finding in look(index) if finding.area == area)


@pytest.fixture
def filled(sample: ctxsearch.Index, tmp_path: Path) -> Path:
    """A copy of the sample's index, to be damaged."""
    shutil.copytree(sample.path, tmp_path / "index")
    return tmp_path / "index"


def test_all_is_fit(sample: ctxsearch.Index) -> None:
    done = run("doctor", "--index", sample.path, "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0, said
    assert said["fit"] is True
    by_area = {finding["area"]: finding for finding in said["findings"]}
    assert set(by_area) >= {
        *("program", "libraries", "index", "model", "processor", "encoder", "SQLite", "disk", "rights", "extras")
    }
    assert f"ctxsearch {ctxsearch.__version__}" in by_area["program"]["found"]
    assert f"faiss-cpu {importlib.metadata.version('faiss-cpu')}" in by_area["libraries"]["found"]
    assert by_area["index"]["found"].startswith(f"{sample.path}: 48 documents, 202 contexts")
    assert find_model().passport.label in by_area["model"]["found"]
    assert re.search(
        r"\d+ in INT8(, \d+ in \w+)?; the rest in .*; a question takes \d+\.\d ms", by_area["encoder"]["found"]
    )
    assert sqlite3.sqlite_version in by_area["SQLite"]["found"]
    text = run("doctor", "--index", sample.path).stdout
    assert re.search(r"(?m)^ok {7}index {6}", text)
    assert re.search(r"(?m)^Fit, \d+ warnings?\.$", text)


def test_no_index_is_no_fault(tmp_path: Path) -> None:
    finding = found(tmp_path / "none", "index")
    assert (finding.state, finding.advice) == ("note", f"make one: ctxsearch ingest PATH --index {tmp_path / 'none'}")


def test_an_empty_index(index: ctxsearch.Index) -> None:
    assert found(index.path, "index").state == "note"


def test_a_damaged_catalog(filled: Path) -> None:
    catalog = next(filled.glob("catalog-*.sqlite3"))
    content = bytearray(catalog.read_bytes())
    content[len(content) // 2] ^= 0xFF
    catalog.write_bytes(content)
    done = run("doctor", "--index", filled)
    assert done.returncode == 1
    assert re.search(r"(?m)^broken +index ", done.stdout)
    assert "ctxsearch repair" in done.stdout
    assert re.search(r"(?m)^ok +encoder ", done.stdout)  # the rest was looked at all the same
    assert "\n1 broken, " in done.stdout


def test_what_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("something else")
    assert found(tmp_path, "index").state == "broken"
    assert "--index" in found(tmp_path, "index").advice


def test_a_damaged_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(find_model().path, tmp_path / find_model().passport.name)
    weights = tmp_path / find_model().passport.name / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    monkeypatch.setenv("CTXSEARCH_MODELS", str(tmp_path))
    finding = found(tmp_path / "none", "model")
    assert finding.state == "broken"
    assert "has checksum" in finding.found
    assert "make or install the model again" in finding.advice
    assert str(tmp_path) in found(tmp_path / "none", "settings").found


def test_a_model_that_is_not_here(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ModelFolder:
        raise ModelNotFoundError(name)

    monkeypatch.setattr("ctxsearch.doctor.find_model", nothing)
    monkeypatch.setattr("ctxsearch.spaces.find_model", nothing)
    assert found(filled, "model").state == "broken"
    assert found(filled, "index").state == "broken"
    assert "which is not here" in found(filled, "index").found
    assert "install it" in found(filled, "index").advice


def test_little_disk(sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, doctor.LEAST_FREE_BYTES - 1))
    assert found(sample.path, "disk").state == "warning"
    size = sum(file.stat().st_size for file in sample.path.iterdir())
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, size * 2 - 1))
    assert "second copy" in found(sample.path, "disk").advice
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, size * 2))
    assert found(sample.path, "disk").state == "ok"


def test_a_folder_that_may_not_be_written(sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: mode != doctor.os.W_OK)
    finding = found(sample.path, "rights")
    assert finding.state == "warning"
    assert "queries work as it is" in finding.advice
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert found(sample.path, "rights").state == "broken"


def test_a_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "oxmsg" else real(name))
    finding = found(tmp_path, "extras")
    assert finding.state == "note"
    assert finding.found.startswith("[documents] is incomplete: no PDF")
    assert finding.advice == "pip install 'ctxsearch[documents]'"


def test_a_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", ("numpy", "no-such-library"))
    finding = found(tmp_path / "none", "libraries")
    assert finding.found.startswith("numpy ")
    missing = list(doctor._libraries(tmp_path))[1]
    assert (missing.state, missing.found) == ("broken", "not installed: no-such-library")


def test_a_library_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unloadable() -> facts.SqliteFacts:
        raise ImportError("libsqlite3.so.0: cannot open shared object file")

    monkeypatch.setattr(facts, "sqlite_facts", unloadable)
    finding = next(one for one in doctor.examine(tmp_path / "none") if one.state == "broken")
    assert finding.found == "one cannot be loaded: libsqlite3.so.0: cannot open shared object file"


def test_sqlite_without_full_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert facts.sqlite_facts() == facts.SqliteFacts(sqlite3.sqlite_version, True)
    monkeypatch.setattr(facts, "FULL_TEXT_TOKENIZER", "none of that name")
    assert facts.sqlite_facts().full_text is False
    assert found(tmp_path / "none", "SQLite").state == "broken"


def test_a_processor_without_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_flags", lambda: frozenset(("sse4_2", "avx2")))
    assert doctor._processor("Old").state == "note"
    assert ", AVX2;" in doctor._processor("Old").found
    monkeypatch.setattr(doctor, "_flags", lambda: frozenset(("avx2", "avx512f", "avx512_vnni")))
    assert doctor._processor("New").found.endswith("AVX2, AVX-512, AVX-512 VNNI")
    monkeypatch.setattr(doctor, "_flags", frozenset)
    assert doctor._processor("Other").state == "ok"  # where it cannot be known


def test_a_password_in_a_setting_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTXSEARCH_MODELS_URL", "https://me:secret@mirror.example/models")
    said = found(tmp_path / "none", "settings").found
    assert "secret" not in said
    assert "https://…@mirror.example/models" in said


def test_the_precision_of_the_model_is_told() -> None:
    facts = runtime_facts(find_model())
    assert facts.products["INT8"] >= 30
    assert facts.others in ("float32", "bfloat16", "float16")
    assert facts.processor
