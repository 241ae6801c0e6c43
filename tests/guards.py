"""``python -m tests.guards``: takes each guard of the store away, in a copy, and shows that a test fails without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT


class Guard(NamedTuple):
    """A guard, how it is taken away, and the test that must fail then."""

    name: str
    file: str
    there: str
    instead: str
    test: str


GUARDS = (
    Guard(
        "a segment's checksums",
        "vectors/index.py",
        "            if len(segment.damaged()):",
        "            if False:",
        "tests/faults/test_damage.py::test_each_byte_of_a_segment_is_under_its_checksum",
    ),
    Guard(
        "the checksum of a segment's header, by which it is that of this index",
        "vectors/segments.py",
        "or header not in (None, said):",
        "or False:",
        "tests/test_vectors.py::test_segment_of_another_index_raises",
    ),
    Guard(
        "the catalog's seal",
        "catalog/connection.py",
        "if not damaged and not check_seal(path):",
        "if False:",
        "tests/faults/test_damage.py::test_a_sealed_catalog_that_changed_anywhere_is_refused",
    ),
    Guard(
        "checksums of rows",
        "catalog/schema.py",
        'return zlib.crc32(_as_json(values).encode("utf-8", "surrogatepass"))',
        "return 0",
        "tests/faults/test_damage.py::test_a_text_that_changed_in_an_unsealed_catalog_is_not_shown",
    ),
    Guard(
        "full text compared with the texts",
        "catalog/care.py",
        "if one != other:",
        "if False:",
        "tests/faults/test_damage.py::test_full_text_that_does_not_fit_the_texts_is_found",
    ),
    Guard(
        "the identity of the index",
        "store/beside.py",
        'if number and catalog.fact("index") != pointer.index:',
        "if False:",
        "tests/faults/test_damage.py::test_the_catalog_of_another_index_is_refused",
    ),
    Guard(
        "old files are removed after compaction",
        "store/beside.py",
        "    folder.remove_leftovers(current, all_former=True)",
        "    pass",
        "tests/test_care.py::test_compaction_leaves_nothing_of_what_was_deleted",
    ),
    Guard(
        "the pointer is replaced last",
        "store/beside.py",
        "    number = folder.new_number()\n    source = open_catalog(",
        "    number = folder.new_number()\n    folder.write_pointer(Pointer(pointer.index, number))\n"
        "    source = open_catalog(",
        "tests/crash/test_crash.py",
    ),
    Guard(
        "ids are not given twice",
        "catalog/care.py",
        "        self.raise_sequences(sequences)\n",
        "",
        "tests/test_care.py::test_ids_are_not_given_again_after_compaction",
    ),
    Guard(
        "errors of a full disk are told as such",
        "catalog/connection.py",
        'if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):',
        "if False:",
        "tests/faults/test_space.py::test_a_file_size_limit_in_the_middle_of_an_ingest",
    ),
    Guard(
        "the canaries are compared",
        "canaries.py",
        "if likeness < CLOSE:",
        "if False:",
        "tests/test_care.py::test_canaries",
    ),
    Guard(
        "one writer at a time",
        "layout/lock.py",
        "        lock.acquire()\n",
        "        pass\n",
        "tests/test_care.py::test_a_second_writer_is_told_who_writes",
    ),
    Guard(
        "headings are kept for another model",
        "reembed.py",
        "headings=document.headings, pages",
        "headings=(), pages",
        "tests/test_care.py::test_reembed_gives_what_a_fresh_index_gives",
    ),
    Guard(
        "an export's own checksum",
        "exchange.py",
        'values["sha256"] != digest.hexdigest() or',
        "False or",
        "tests/test_care.py::test_an_export_that_was_changed_is_refused_whole",
    ),
)


def main() -> None:
    missed = []
    for guard in GUARDS:
        with tempfile.TemporaryDirectory() as root:
            for name in ("ctxsearch", "tests", "data", "pyproject.toml"):
                source, copy = ROOT / name, Path(root) / name
                shutil.copytree(source, copy) if source.is_dir() else shutil.copyfile(source, copy)
            file = Path(root) / "ctxsearch" / guard.file
            text = file.read_text(encoding="utf-8")
            if guard.there not in text:
                raise SystemExit(f"{guard.file} has no {guard.there!r}: the list of guards is out of date")
            file.write_text(text.replace(guard.there, guard.instead), encoding="utf-8")
            command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", guard.test]
            done = subprocess.run(command, cwd=root, env={"PYTHONPATH": root}, capture_output=True, check=False)
        fails = done.returncode == 1
        print(f"{'fails' if fails else 'PASSES'} without {guard.name}: {guard.test}", flush=True)
        if not fails:
            missed.append(guard.name)
    if missed:
        raise SystemExit(f"no test misses: {', '.join(missed)}")


if __name__ == "__main__":
    main()
