"""What standard output is, and what a terminal may be sent.

The only module that asks whether there are colours, and the only one that writes lines for people: `say` cleans
whatever it is given, so no command can forget to.

A terminal gets its text through rich, which counts cells, wraps and knows the terminals of each system; it is imported
when there is a terminal to write to, since a pipe need not wait for it.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 120
"""Columns that text is wrapped to at the most: longer lines are hard to read."""

_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Characters without a cell of their own that turn the direction of a line or hide things in it."""


def clean(text: str) -> str:
    """A line without what a terminal obeys or what hides: control and escape characters, newlines too, become spaces.

    A document may hold escape codes, and a file may be named so.
    """
    return _UNSEEN.sub("", text.translate(_CONTROL))


class Styled(NamedTuple):
    """Part of a line that has a colour where there are colours."""

    text: str
    colour: str | None = None
    bold: bool = False


def say(*parts: str | Styled, err: bool = False) -> None:
    """Write one line for a person, to standard output or standard error.

    Every part is cleaned, so a line stays a line whatever names and texts are in it. What the stream's encoding lacks
    becomes a question mark; on standard error, which names files, an escape such as ``\\udcff``.
    """
    stream = sys.stderr if err else sys.stdout
    styled = is_styled(stream)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    line = ""
    for part in parts:
        text = clean(part.text if isinstance(part, Styled) else part)
        text = text.encode(encoding, "backslashreplace" if err else "replace").decode(encoding)
        if styled and isinstance(part, Styled):
            text = click.style(text, fg=part.colour, bold=part.bold or None)
        line += text
    click.echo(line, err=err, color=styled)


def is_styled(stream: TextIO) -> bool:
    """Whether a stream gets colours and links: a terminal that can, and nobody said no (NO_COLOR, TERM=dumb)."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE")
    if forced and forced != "0":
        return True
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def has_links(stream: TextIO) -> bool:
    """Whether a stream gets links that a click opens (OSC 8). The console of Linux prints their codes."""
    return is_styled(stream) and os.environ.get("TERM") != "linux"


def width(stream: TextIO) -> int:
    """Columns of a terminal, or what a text for a pipe is wrapped to: $COLUMNS, else 80."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        columns = 0
    said = os.environ.get("COLUMNS", "")
    return columns or (int(said) if said.isdecimal() else 0) or 80


def wrapped(text: str, columns: int) -> list[str]:
    """A line as lines of at most ``columns`` cells, broken at spaces where there are any."""
    columns = max(columns, _LEAST_COLUMNS)
    if _NARROW.fullmatch(text):
        return textwrap.wrap(text, columns, break_on_hyphens=False)
    from rich.text import Text

    lines = Text(text).wrap(console(plain=True), columns, overflow="fold")
    return [line.plain.rstrip() for line in lines]


_LEAST_COLUMNS = 8
_NARROW = re.compile("[\x20-\u02ff\u2010-\u2027\u2030-\u205e\u2190\u2192]*")
"""Characters of which each is one cell wide, as `clean` leaves them."""


def console(stream: TextIO | None = None, *, plain: bool = False) -> Console:
    """A rich console for standard output, or for the stream named.

    Args:
        stream: standard error, where progress goes.
        plain: no colours and no links, whatever the terminal can.
    """
    from rich.console import Console

    stream = stream or sys.stdout
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(errors="replace")  # an ASCII terminal gets a question mark, not an error
    styled = is_styled(stream) and not plain
    options: dict[str, Any] = {} if styled and stream.isatty() else {"color_system": "standard" if styled else None}
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if stream.isatty() else width(stream),
        **options,
    )
