"""A pseudo-terminal of a given width, with the command line in it, and what a person would see there."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType

from rich.cells import cell_len

from tests.conftest import ROOT

SECONDS = 60.0
_CODES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")


class Terminal:
    """A command on a terminal. A context manager: what still runs at the end is killed."""

    def __init__(self, *arguments: object, columns: int = 80, cwd: Path = ROOT, **environment: str) -> None:
        self._master, slave = pty.openpty()
        self._resize(slave, columns)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CTXSEARCH_") and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ctxsearch.cli", *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**clean, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.sent = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def sample(self, seconds: float) -> bool:
        """Read what is sent within some time; False when the command has ended and all was read."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self._read(left):
                return False
        return True

    def type(self, text: str) -> None:
        """Type as a person does; ``\\r`` is Enter, ``\\x03`` Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str, after: int = 0) -> int:
        """Read until the text was sent; returns where it ends, to look on from there."""
        until = time.monotonic() + SECONDS
        while (found := self.shown.find(text, after)) < 0:
            assert time.monotonic() < until, f"waited in vain for {text!r} in {self.shown[after:]!r}"
            assert self._read(1.0), f"it ended without {text!r}: {self.shown[after:]!r}"
        return found + len(text)

    def end(self) -> int:
        """Read until the command ends; returns its exit status."""
        until = time.monotonic() + SECONDS
        while self._read(1.0):
            assert time.monotonic() < until, f"it does not end: {self.sent!r}"
        return self.process.wait()

    def resize(self, columns: int) -> None:
        """Make the terminal wider or narrower, and tell the command."""
        self._resize(self._master, columns)
        os.killpg(self.process.pid, signal.SIGWINCH)

    @property
    def shown(self) -> str:
        """What was sent without the codes that a terminal obeys."""
        return _CODES.sub("", self.sent).replace("\r\n", "\n")

    @property
    def widths(self) -> list[int]:
        """Cells of each line that was sent."""
        return [cell_len(line) for line in re.split(r"[\r\n]+", self.shown)]

    def _read(self, seconds: float) -> bool:
        """Read what there is; False when all was read and the command has ended."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux, once the other side is closed
            return False
        if b"\x1b[6n" in data:  # where is the cursor?
            os.write(self._master, b"\x1b[1;1R")
        self.sent += self._decoder.decode(data)  # a character may come in two parts
        return bool(data)

    @staticmethod
    def _resize(file: int, columns: int) -> None:
        fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
