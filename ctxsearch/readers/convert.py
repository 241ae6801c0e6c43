"""Commands that turn a file into one that is read: for old Office formats, scans, and whatever has a program for it.

A command runs without a shell, in a folder of its own, with the limits of our own parsers. It is asked only where there
is no reader of our own, or that one found nothing. What it writes is read by the usual readers, under the name of the
original.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ctxsearch.errors import ArgumentError, SourceError
from ctxsearch.readers.walk import Command, File
from ctxsearch.readers.worker import MEGABYTE, Limits

INPUT, FOLDER = "{}", "{folder}"
MAX_WRITTEN = 256 * MEGABYTE
"""Bytes of a file that a command may write, as many as a document may have."""
_TOLD_CHARACTERS = 200
EXAMPLE = '{"doc": "antiword {}"} or {"ppt": "soffice --headless --convert-to pptx --outdir {folder} {}"}'


def commands(convert: Mapping[str, str | Sequence[str]]) -> dict[str, Command]:
    """Commands by suffix, as ``.doc``, checked.

    Args:
        convert: a command for a suffix, as a list of arguments or as a line that is cut at its spaces, quotes minded.
            ``{}`` stands for the file; ``{folder}`` for an empty folder into which the command writes one file. If it
            names no folder, what it prints is read.

    Raises:
        ArgumentError: a command that cannot be run.
    """
    found = {}
    for suffix, command in convert.items():
        name = f".{suffix.strip().lower().removeprefix('.')}"
        try:
            arguments = tuple(shlex.split(command) if isinstance(command, str) else map(str, command))
        except ValueError as error:
            raise ArgumentError(f"the command for {name} files cannot be cut into arguments: {error}") from error
        if len(name) < 2 or not arguments:
            raise ArgumentError(f"convert needs a suffix and a command, as in {EXAMPLE}")
        if not any(INPUT in argument for argument in arguments[1:]):
            raise ArgumentError(f"the command for {name} files does not say where the file goes: put {{}} there")
        if shutil.which(arguments[0]) is None:
            raise ArgumentError(f"the command for {name} files cannot be run: there is no program {arguments[0]}")
        found[name] = arguments
    return found


@contextlib.contextmanager
def converted(file: File, limits: Limits | None = None) -> Iterator[File]:
    """What the command of a file makes of it, for as long as the context lasts; named as the original is.

    Args:
        file: one with a command.
        limits: of the command; those of our own parsers without any.

    Raises:
        SourceError: the command failed, took too long, or wrote nothing.
    """
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="ctxsearch-", ignore_cleanup_errors=True) as name:
        home, folder = Path(name, "home"), Path(name, "folder")
        home.mkdir()
        folder.mkdir()
        printed, complaints = Path(name, file.path.stem or "file"), Path(name, "home", "stderr")
        arguments = [a.replace(FOLDER, str(folder)).replace(INPUT, str(file.path)) for a in file.command[1:]]
        program = shutil.which(file.command[0]) or file.command[0]
        try:
            with printed.open("wb") as out, complaints.open("wb") as err:
                status = _run([program, *arguments], folder, home, (out.fileno(), err.fileno()), limits)
        except OSError as error:
            raise SourceError(
                file.source, f"its converter {file.command[0]} cannot be run: {error.strerror}"
            ) from error
        if status is None:
            raise SourceError(file.source, f"its converter {file.command[0]} takes longer than {limits.seconds:g} s")
        if status:
            told = " ".join(complaints.read_text("utf-8", "replace").split())[:_TOLD_CHARACTERS]
            reason = f"its converter {file.command[0]} failed (status {status})"
            raise SourceError(file.source, f"{reason}: {told}" if told else reason)
        result = _result(file, folder, printed)
        yield replace(file, path=result, size=result.stat().st_size, named=True, command=())


def _result(file: File, folder: Path, printed: Path) -> Path:
    """The file that a command wrote."""
    if not any(FOLDER in argument for argument in file.command):
        written = [printed] if printed.stat().st_size else []
    else:
        written = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    if len(written) != 1:
        count = f"{len(written)} files" if written else "nothing"
        raise SourceError(file.source, f"its converter {file.command[0]} wrote {count}; it has to write one file")
    return written[0]


_LAUNCHER = """
import os, resource, sys
for name, most in zip(("RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_CORE"), map(int, sys.argv[1:4])):
    try:
        resource.setrlimit(getattr(resource, name), (most, most))
    except (ValueError, OSError):
        pass
os.execv(sys.argv[4], sys.argv[4:])
"""
"""Limits a process and becomes the command: code of ours that runs between fork and exec is not safe beside threads.
Data count, and not address space as for our own parsers: office programs map far more than they use."""


def _run(command: list[str], folder: Path, home: Path, streams: tuple[int, int], limits: Limits) -> int | None:
    """The exit status of a command; None if it was ended because it took too long, with all that it had started."""
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home), "TEMP": str(home), "TMP": str(home)}
    is_posix = sys.platform != "win32"
    limited = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(limits.memory_bytes), str(MAX_WRITTEN), "0"]
    process = subprocess.Popen(
        limited + command if is_posix else command,
        stdin=subprocess.DEVNULL,
        stdout=streams[0],
        stderr=streams[1],
        cwd=folder,
        env=environment,
        start_new_session=is_posix,
    )
    try:
        return process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
