"""Opening the file of a hit at its place: in an editor, a pager, or with what the system opens such files with.

No shell takes part: programs get their arguments as a list, and a file by its absolute path, which none takes for an
option.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctxsearch.cli.answers import line_of
from ctxsearch.cli.terminal import clean
from ctxsearch.errors import ArgumentError

if TYPE_CHECKING:
    from ctxsearch.index import Index
    from ctxsearch.records import Hit

_PLUS_LINE = frozenset(
    ("vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "kak", "joe", "jed", "mg", "less")
)
_COLON_LINE = frozenset(("hx", "subl", "zed"))
_GOTO_LINE = frozenset(("code", "code-insiders", "codium", "cursor"))
"""How programs are told the line: ``+LINE FILE``, ``FILE:LINE``, ``--goto FILE:LINE``. Others are told the file."""


def show(hit: Hit, index: Index) -> None:
    """Open what a hit comes from, and wait for a program that takes over the terminal.

    A file of lines is opened at the matched sentence, by $VISUAL, $EDITOR or $PAGER. Other files and addresses go to
    what the desktop opens them with. Where there is no desktop, and for records of a file, the pager gets the text that
    the index has.

    Raises:
        ArgumentError: nothing here can show it.
    """
    path = Path(hit.source)
    line = line_of(hit, index)
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if there and line is not None:
        _run(at_line(_named("VISUAL", "EDITOR") or _pager(), str(path.resolve()), line))
    elif (there or re.match(r"https?://[!-~]+$", hit.source)) and (opener := _opener()):
        _hand_over(opener, str(path.resolve()) if there else hit.source)
    else:
        text = index.text(document_id=hit.document_id)
        pager = _pager()
        number = text.count("\n", 0, hit.sentence.start) + 1
        lines = "\n".join(map(clean, text.split("\n")))
        _run([*pager, *([f"+{number}"] if _name(pager) == "less" else [])], lines.encode("utf-8", "replace"))


def at_line(program: Sequence[str], file: str, line: int) -> list[str]:
    """The arguments with which a program opens a file at a line."""
    name = _name(program)
    if name in _PLUS_LINE:
        return [*program, f"+{line}", file]
    if name in _COLON_LINE:
        return [*program, f"{file}:{line}"]
    if name in _GOTO_LINE:
        return [*program, "--goto", f"{file}:{line}"]
    return [*program, file]


def _name(program: Sequence[str]) -> str:
    return Path(program[0]).stem


def _named(*variables: str) -> list[str]:
    """The program that the first of these environment variables names."""
    for variable in variables:
        try:
            if words := shlex.split(os.environ.get(variable, ""), posix=os.name != "nt"):
                return words
        except ValueError as error:
            raise ArgumentError(f"${variable} cannot be read: {error}") from error
    return []


def _pager() -> list[str]:
    if named := _named("PAGER"):
        return named
    for name in ("less", "more"):
        if found := shutil.which(name):
            return [found]
    raise ArgumentError("there is no pager here; name one in $PAGER, or an editor in $EDITOR")


def _opener() -> list[str]:
    """What opens a file with the program that the desktop has for it; nothing where there is no desktop."""
    if sys.platform == "win32":
        return ["explorer"]
    if sys.platform == "darwin":
        return ["open"]
    seen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    found = shutil.which("xdg-open") if seen else None
    return [found] if found else []


def _run(arguments: Sequence[str], text: bytes | None = None) -> None:
    """Run a program on this terminal until it ends. Ctrl-C is its own meanwhile."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the program would inherit
    try:
        subprocess.run(arguments, input=text, check=False)
    except OSError as error:
        raise ArgumentError(f"{arguments[0]} cannot be run: {error.strerror}") from error
    finally:
        signal.signal(signal.SIGINT, before)


def _hand_over(opener: Sequence[str], target: str) -> None:
    """Start a program with a window of its own, and do not wait for it."""
    quiet = subprocess.DEVNULL
    try:
        subprocess.Popen([*opener, target], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    except OSError as error:
        raise ArgumentError(f"{opener[0]} cannot be run: {error.strerror}") from error
