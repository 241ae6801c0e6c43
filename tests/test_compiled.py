"""Compiled models on disk: used again, and never anything but what this very model, OpenVINO and CPU would give."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ctxsearch.encoder import compiled
from ctxsearch.encoder.library import openvino
from ctxsearch.records import FloatArray

X = np.arange(3, dtype=np.float32).reshape(1, 3)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for the test, empty."""
    monkeypatch.setenv("CTXSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "_mapped", {})
    return tmp_path / "cache" / "compiled"


class Doubling:
    """A graph that multiplies by a number, and counts how often it was prepared."""

    def __init__(self, by: float = 2.0) -> None:
        self.prepared = 0
        self.by = by

    def __call__(self) -> openvino.Model:
        self.prepared += 1
        given = openvino.opset13.parameter([1, 3], np.float32, name="x")
        return openvino.Model([openvino.opset13.multiply(given, np.float32(self.by))], [given], "doubling")

    def run(self, weights: str = "w", **options: str) -> FloatArray:
        compiled._mapped.clear()  # as another process
        ready = compiled.compile_graph(openvino.Core(), self, {"weights": weights}, options)
        values: FloatArray = ready(X)[0].copy()
        return values


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir())


def test_what_was_compiled_is_used_again(cache: Path) -> None:
    graph = Doubling()
    first, second = graph.run(), graph.run()
    assert graph.prepared == 1
    assert first.tolist() == second.tolist() == [[0.0, 2.0, 4.0]]
    assert len(entries(cache)) == 1


def test_other_weights_options_versions_and_cpus_are_other_entries(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Doubling()
    graph.run()
    graph.run(weights="other")
    graph.run(PERFORMANCE_HINT="LATENCY")
    monkeypatch.setattr(openvino, "get_version", lambda: "1999.1")
    graph.run()
    monkeypatch.setattr(compiled, "_instructions", lambda: "flags: none")
    graph.run()
    assert graph.prepared == len(entries(cache)) == 5


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign", "longer", "header"])
def test_an_entry_that_does_not_fit_is_made_anew(cache: Path, damage: str) -> None:
    graph = Doubling()
    graph.run()
    (entry,) = entries(cache)
    data = bytearray(entry.read_bytes())
    if damage == "flip":
        data[len(data) * 3 // 4] ^= 1
    elif damage == "header":
        data[9] ^= 1
    elif damage == "longer":
        data += b"x"
    else:
        data = {"cut": data[: len(data) // 2], "empty": bytearray(), "foreign": bytearray(b"PK\x03\x04" * 5000)}[damage]
    entry.write_bytes(data)
    assert graph.run().tolist() == [[0.0, 2.0, 4.0]]
    assert graph.prepared == 2
    assert graph.run().tolist() == [[0.0, 2.0, 4.0]]
    assert graph.prepared == 2


def test_an_entry_of_another_graph_under_this_name_is_not_taken(cache: Path) -> None:
    Doubling(by=3.0).run(weights="three")
    (foreign,) = entries(cache)
    graph = Doubling()
    graph.run()
    (own,) = set(entries(cache)) - {foreign}
    own.write_bytes(foreign.read_bytes())
    assert graph.run().tolist() == [[0.0, 2.0, 4.0]]


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CTXSEARCH_CACHE", str(tmp_path / "file"))
    graph = Doubling()
    assert graph.run().tolist() == graph.run().tolist() == [[0.0, 2.0, 4.0]]
    assert graph.prepared == 2


def test_old_entries_make_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Doubling()
    graph.run(weights="oldest")
    size = entries(cache)[0].stat().st_size
    for age, weights in ((300, "oldest"), (200, "old"), (100, "new")):
        before = set(entries(cache)) if weights != "oldest" else set()
        graph.run(weights=weights)
        (entry,) = set(entries(cache)) - before
        os.utime(entry, (time.time() - age, time.time() - age))
    monkeypatch.setattr(compiled, "MOST_BYTES", 3 * size + size // 2)
    prepared = graph.prepared
    graph.run(weights="newest")
    assert len(entries(cache)) == 3
    graph.run(weights="old")
    assert graph.prepared == prepared + 1
    graph.run(weights="oldest")
    assert graph.prepared == prepared + 2


def test_what_was_not_used_for_months_goes(cache: Path) -> None:
    graph = Doubling()
    graph.run(weights="old")
    (old,) = entries(cache)
    os.utime(old, (0, 0))
    graph.run(weights="new")
    assert len(entries(cache)) == 1
    assert not old.exists()


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    """Each finds a whole entry or none: all give the same embedding, and one entry is left."""
    code = (
        "from ctxsearch.encoder import Encoder\nfrom ctxsearch.passport import find_model\n"
        "encoder = Encoder(find_model())\n"
        "print(encoder.embed_questions(['red fox'])[0].embedding.tobytes().hex())\n"
    )
    environment = {**os.environ, "CTXSEARCH_CACHE": str(tmp_path / "together")}
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) for _ in range(4)
    ]
    said = {process.communicate(timeout=120)[0] for process in started}
    assert all(process.returncode == 0 for process in started)
    assert len(said) == 1
    assert said != {b""}
    assert len(list((tmp_path / "together" / "compiled").iterdir())) == 1


def test_openvino_has_its_converter_when_it_is_asked_for() -> None:
    code = (
        "import sys\nimport ctxsearch.encoder\nimport openvino\n"
        "print('openvino.tools.ovc' in sys.modules)\n"
        "print(openvino.convert_model.__module__)\n"
        "print(hasattr(openvino, 'nonsense'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "openvino.tools.ovc.convert", "False"]
