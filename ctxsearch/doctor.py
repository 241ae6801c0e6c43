"""Looks for what keeps ctxsearch from working here, or from working well: the program, the machine, the index.

Each finding says what is, and what to do about it where something is to be done. Nothing is changed, and a thing that
is broken keeps nothing else from being looked at. What OpenVINO and SQLite are, their rooms say.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

import ctxsearch
from ctxsearch.errors import CtxsearchError, ModelError, PassportMismatchError, StoreError
from ctxsearch.layout import IndexFolder
from ctxsearch.passport import ModelFolder, find_model, model_homes

State: TypeAlias = Literal["ok", "note", "warning", "broken"]

LIBRARIES = ("openvino", "faiss-cpu", "numpy", "tokenizers", "sqlite-utils")
EXTRAS = {
    "documents": (("pypdfium2", "python_calamine", "oxmsg"), "PDF, XLSX, XLS, Outlook messages"),
    "build": (("torch", "transformers", "nncf"), "ctxsearch model build"),
    "train": (("torch", "transformers", "nncf", "scipy"), "ctxsearch model train"),
}
"""What each extra brings, as it is imported, and what it is for."""

INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "asimddp": "dot product",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}
"""Sets of instructions that the encoder has use for, as Linux names them, in the order of a line."""

FAST_INT8 = frozenset(("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"))
LEAST_FREE_BYTES = 200_000_000
"""Below this an ingest of a few thousand documents may not fit."""

PROBE = "who may approve a refund?"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    area: str
    state: State
    """``warning``: it works, but less well than it could. ``broken``: something does not work."""
    found: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def examine(index: Path) -> list[Finding]:
    """Look at everything; takes a second or two.

    Args:
        index: the index folder to look at; there need not be one.
    """
    found: list[Finding] = []
    for look in (_program, _libraries, _index, _model, _sqlite, _disk, _rights, _extras, _settings):
        try:
            found.extend(look(index))
        except (ImportError, OSError) as error:  # as where a library of the system is missing that a wheel wants
            found.append(Finding("libraries", "broken", f"one cannot be loaded: {error}", _REINSTALL))
    return found


_REINSTALL = "install what is named, then ctxsearch again: pip install --force-reinstall ctxsearch"


def _program(index: Path) -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("program", "ok", f"ctxsearch {ctxsearch.__version__}, Python {platform.python_version()}, {system}")
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        yield Finding(
            "terminal",
            "warning",
            f"standard output is {sys.stdout.encoding}: what it cannot show becomes a question mark",
            "set PYTHONUTF8=1, or a locale with UTF-8",
        )


def _libraries(index: Path) -> Iterator[Finding]:
    there, missing = [], []
    for name in LIBRARIES:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if there:
        yield Finding("libraries", "ok", ", ".join(there))
    if missing:
        yield Finding(
            "libraries",
            "broken",
            f"not installed: {', '.join(missing)}",
            _REINSTALL,
        )


def _index(path: Path) -> Iterator[Finding]:
    if not _has_index(path):
        yield Finding("index", "note", f"none at {path}", f"make one: ctxsearch ingest PATH --index {path}")
        return
    try:
        with ctxsearch.open(path, read_only=True) as index:  # which holds the catalog against its seal
            status = index.status()
    except CtxsearchError as error:
        yield Finding("index", "broken", *_split(str(error)))
        return
    for problem in status.problems:
        found, advice = _split(problem)
        yield Finding("index", "broken", f"{path}: {found}", advice or f"ctxsearch repair --index {path}")
    if status.words != "current":
        yield Finding(
            "index",
            "warning",
            f"{path}: its full-text search has the words of an older version, which finds no Chinese, Japanese or Thai "
            "word, and an accent in one form only",
            f"ctxsearch reindex --index {path}; nothing is embedded again",
        )
    if status.documents == 0:
        yield Finding("index", "note", f"{path} is empty", f"fill it: ctxsearch ingest PATH --index {path}")
    elif not status.problems:
        size = sum(status.bytes.values()) / 1e6
        holds = f"{status.documents:,} documents, {status.contexts:,} contexts, {size:,.1f} MB"
        yield Finding("index", "ok", f"{path}: {holds}, made with {status.passport['name']}")


def _has_index(path: Path) -> bool:
    """Whether there is an index, or something else in its place, which opening it will tell."""
    try:
        return IndexFolder(path).exists()
    except CtxsearchError:
        return True


def _model(path: Path) -> Iterator[Finding]:
    """The index's own model, else the one in the box: its files, how it runs, and whether it embeds."""
    try:
        model = _model_of(path)
        model.verify()
    except (ModelError, PassportMismatchError) as error:
        yield Finding("model", "broken", *_split(str(error)))
        return
    where = "in the package" if model.path.parent == model_homes()[-1] else f"in {model.path}"
    yield Finding("model", "ok", f"{model.passport.label} {where}, its files as its card says")
    from ctxsearch.encoder import Encoder
    from ctxsearch.encoder.facts import runtime_facts

    try:
        facts = runtime_facts(model)
        encoder = Encoder(model)
        encoder.embed_questions([PROBE])
        started = time.perf_counter()
        encoder.embed_questions([PROBE])
        milliseconds = (time.perf_counter() - started) * 1000
    except ModelError as error:
        yield Finding("encoder", "broken", *_split(str(error)))
        return
    yield _processor(facts.processor)
    products = ", ".join(f"{count} in {precision}" for precision, count in facts.products.items())
    run = f"matrix products: {products}; the rest in {facts.others}" if products else f"runs in {facts.others}"
    yield Finding("encoder", "ok", f"{run}; a question takes {milliseconds:.1f} ms")


def _model_of(path: Path) -> ModelFolder:
    try:
        if _has_index(path):
            with ctxsearch.open(path, read_only=True) as index:
                return index.model
    except PassportMismatchError:
        raise
    except StoreError:
        pass  # which the finding about the index tells
    return find_model()


def _processor(name: str) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = _flags()
    known = ", ".join(INSTRUCTIONS[flag] for flag in INSTRUCTIONS if flag in flags)
    found = f"{name}, {cores} {'core' if cores == 1 else 'cores'}{f', {known}' if known else ''}"
    if flags and not flags & FAST_INT8:
        slow = "no instructions for INT8 dot products (VNNI): an ingest takes about twice as long"
        return Finding(
            "processor", "note", f"{found}; {slow}", "a newer machine would be quicker; answers are the same"
        )
    return Finding("processor", "ok", found)


def _flags() -> frozenset[str]:
    """The processor's instructions as Linux names them; empty on other systems."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return frozenset(value.split())
    except OSError:
        pass
    return frozenset()


def _sqlite(index: Path) -> Iterator[Finding]:
    from ctxsearch.catalog.facts import sqlite_facts

    facts = sqlite_facts()
    if facts.full_text:
        yield Finding("SQLite", "ok", f"{facts.version}, with full text (FTS5)")
    else:
        yield Finding(
            "SQLite",
            "broken",
            f"{facts.version} has no full text (FTS5), which every index needs",
            "use a Python whose SQLite was built with FTS5, as those of python.org and of Linux distributions are",
        )


def _disk(index: Path) -> Iterator[Finding]:
    place = _nearest(index)
    try:
        free = shutil.disk_usage(place).free
        size = sum(file.stat().st_size for file in index.iterdir() if file.is_file()) if index.is_dir() else 0
    except OSError as error:
        yield Finding("disk", "warning", f"{place}: {error.strerror}", "see whether the disk is there")
        return
    found = f"{free / 1e9:,.1f} GB free at {place}"
    if free < LEAST_FREE_BYTES:
        yield Finding("disk", "warning", found, "free some space, or put the index elsewhere with --index DIR")
    elif free < size * 2:
        advice = "compact, reembed and repair make a second copy of the index: free some space before you use them"
        yield Finding("disk", "warning", f"{found}; the index takes {size / 1e9:,.1f} GB", advice)
    else:
        yield Finding("disk", "ok", found)


def _rights(index: Path) -> Iterator[Finding]:
    place = _nearest(index)
    wanted = [place, *(sorted(index.iterdir()) if place == index and os.access(index, os.R_OK) else [])]
    closed = [path for path in wanted if not os.access(path, os.W_OK)]
    unread = [path for path in wanted if not os.access(path, os.R_OK)]
    if unread:
        yield Finding("rights", "broken", f"{unread[0]} may not be read", "ask its owner, or name another --index")
    elif closed:
        advice = "ask its owner, or name another --index; queries work as it is" if place == index else "name another"
        yield Finding("rights", "warning", f"{closed[0]} may not be written: ingest will fail", advice)
    else:
        yield Finding("rights", "ok", f"{place} may be read and written")


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next((place for place in (path, *path.absolute().parents) if place.exists()), path)


def _extras(index: Path) -> Iterator[Finding]:
    there = []
    for extra, (modules, use) in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if not missing:
            there.append(f"[{extra}]")
        elif extra == "documents" or len(missing) < len(modules):
            said = f"[{extra}] is not installed" if len(missing) == len(modules) else f"[{extra}] is incomplete"
            yield Finding("extras", "note", f"{said}: no {use}", f"pip install 'ctxsearch[{extra}]'")
    if there:
        yield Finding("extras", "ok", f"{', '.join(there)} installed")


def _settings(index: Path) -> Iterator[Finding]:
    said = [
        f"{name}={re.sub('//[^/@]*@', '//…@', value)}"  # an address may hold a password
        for name, value in sorted(os.environ.items())
        if name.startswith("CTXSEARCH_")
    ]
    if said:
        yield Finding("settings", "ok", " ".join(said))


def _split(message: str) -> tuple[str, str]:
    """A message of ours as what is and what to do about it."""
    found, _, advice = message.partition("; ")
    return found, advice
