"""Makes the pictures in screens/: ctxsearch in a real terminal, tmux, as a person sees it.

    python docs/screens.py                  into docs/screens, a picture and a text each
    python docs/screens.py --out DIR        for looking: each at 80 and 140 columns, with and without colours

What is typed goes to a tmux in a folder with a copy of data/ and an index of it; what tmux then shows is kept.
Needs tmux (a package of Debian and of others) and ctxsearch beside the Python that runs this.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parent.parent
ROWS = {"prompt": 38}
"""Of the terminal; where there is no bar at its end, any number that holds what is shown."""
SECONDS = 120.0
SIGN = "$"
"""What the shell shows when a command is done."""


class Typed(NamedTuple):
    """A line that is typed, and what the end of the screen is when it is done."""

    line: str
    ends: str = rf"\n\{SIGN}$"


SCREENS: dict[str, tuple[Typed, ...]] = {
    "query": (Typed('ctxsearch query "how long may I work from abroad?" -k 3'),),
    "prompt": (
        Typed("ctxsearch query", r"hybrid, 5 hits$"),
        Typed(":k 1", r"hybrid, 1 hit$"),
        Typed("who may approve a refund?", r"\n\?\s+hybrid, 1 hit$"),
        Typed(":mode lexical", r"lexical, 1 hit$"),
        Typed("what do barn owls eat?", r"owl\.txt[\s\S]*\n\?\s+lexical, 1 hit$"),
        Typed(":help", r"is a question\.\n\?\s+lexical, 1 hit$"),
    ),
    "progress": (Typed("ctxsearch ingest notes --index indexes/notes", r"(left|finishing)\s*\n.*/s.*$"),),
    "summary": (Typed("ctxsearch ingest notes data --index indexes/notes"),),
    "doctor": (Typed("ctxsearch doctor"),),
    "help": (Typed("ctxsearch query --help"),),
}

THEME = TerminalTheme(
    (40, 42, 46),
    (222, 222, 218),
    [
        *((60, 63, 68), (224, 108, 117), (139, 190, 108), (222, 184, 92)),
        *((97, 160, 232), (198, 120, 221), (86, 182, 194), (200, 200, 196)),
    ],
    [
        *((110, 114, 120), (240, 128, 136), (160, 210, 128), (240, 204, 112)),
        *((120, 180, 250), (214, 140, 238), (110, 204, 214), (245, 245, 240)),
    ],
)
"""Background, foreground, the eight colours, the eight bright ones."""


class Terminal:
    """A tmux of its own with a shell in it."""

    def __init__(self, folder: Path, columns: int, rows: int, colours: bool) -> None:
        self._socket = folder / f"tmux-{time.monotonic_ns()}"
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "LD_LIBRARY_PATH")}
        environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "PS1": f"{SIGN} ",
            "LC_ALL": kept.get("LC_ALL", "C.UTF-8"),
            **({} if colours else {"NO_COLOR": "1"}),
        }
        shell = ["bash", "--noprofile", "--norc"]
        size = ["-x", str(columns), "-y", str(rows)]
        start = [*self._tmux(), "-f", os.devnull, "new-session", "-d", "-c", str(folder), *size, *shell]
        subprocess.run(start, env=environment, check=True)

    def type(self, typed: Typed) -> None:
        """Type a line and wait until it is done."""
        subprocess.run([*self._tmux(), "send-keys", "-l", typed.line], check=True)
        subprocess.run([*self._tmux(), "send-keys", "Enter"], check=True)
        self.wait(typed.ends)

    def shows(self, *options: str) -> str:
        """What is on the screen, without the empty lines at its end."""
        command = [*self._tmux(), "capture-pane", "-p", *options]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.rstrip()

    def close(self) -> None:
        subprocess.run([*self._tmux(), "kill-server"], check=False)

    def _tmux(self) -> list[str]:
        return ["tmux", "-S", str(self._socket)]

    def wait(self, ends: str) -> None:
        """Wait until the screen ends like this."""
        until = time.monotonic() + SECONDS
        while not re.search(ends, self.shows()):
            if time.monotonic() > until:
                raise SystemExit(f"waited in vain for {ends!r}; the screen shows:\n{self.shows()}")
            time.sleep(0.02)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, metavar="DIR", help="a folder for all widths, with and without colours")
    parser.add_argument("screens", nargs="*", metavar="SCREEN", help=", ".join(SCREENS))
    arguments = parser.parse_args()
    looks = [(96, True)] if arguments.out is None else [(80, True), (140, True), (80, False), (140, False)]
    out = arguments.out or ROOT / "docs" / "screens"
    out.mkdir(parents=True, exist_ok=True)
    with collection() as folder:
        for name in arguments.screens or SCREENS:
            for columns, colours in looks:
                suffix = "" if arguments.out is None else f"-{columns}{'' if colours else '-plain'}"
                shutil.rmtree(folder / "indexes" / "notes", ignore_errors=True)
                terminal = Terminal(folder, columns, ROWS.get(name, 60), colours)
                try:
                    terminal.wait(rf"\{SIGN}$")
                    for typed in SCREENS[name]:
                        terminal.type(typed)
                    shown, coloured = terminal.shows(), terminal.shows("-e")
                finally:
                    terminal.close()
                (out / f"{name}{suffix}.txt").write_text(f"{shown}\n", encoding="utf-8")
                (out / f"{name}{suffix}.svg").write_text(picture(coloured, name, columns), encoding="utf-8")
                print(out / f"{name}{suffix}.svg")


@contextmanager
def collection() -> Iterator[Path]:
    """A folder with the sample collection, an index of it, and notes that take some seconds to ingest."""
    with tempfile.TemporaryDirectory(prefix="ctxsearch-screens-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        shutil.copytree(ROOT / "data", folder / "data")
        (folder / "notes").mkdir()
        texts = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "data" / "handbook").iterdir())]
        for number in range(240):
            note = f"# Note {number}\n\n{texts[number % len(texts)]}"
            (folder / "notes" / f"note-{number:03}.md").write_text(note, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ctxsearch.cli", "ingest", "data"], cwd=folder, check=True)
        yield folder


def picture(coloured: str, title: str, columns: int) -> str:
    """What a terminal shows, as SVG. No font is fetched from anywhere."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(Text.from_ansi(coloured), soft_wrap=True)
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
        "Fira Code", "DejaVu Sans Mono"
    )
    form = form.replace("<svg ", '<svg xml:space="preserve" ', 1)
    return console.export_svg(
        title=f"ctxsearch: {title}", theme=THEME, code_format=form, unique_id=f"ctxsearch-{title}"
    )


if __name__ == "__main__":
    main()
