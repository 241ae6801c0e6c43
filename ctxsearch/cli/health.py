"""The command that looks for what is wrong: doctor."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctxsearch.cli import terminal
from ctxsearch.cli.common import DONE, FAILED, index_option, json_option
from ctxsearch.cli.terminal import say

if TYPE_CHECKING:
    from ctxsearch.doctor import Finding

_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "broken": "red"}
_NARROW = 60
"""Columns below which a finding stands under its name, not beside it."""


@click.command()
@index_option
@json_option
def doctor(index_path: str, as_json: bool) -> int:
    """Look for what keeps ctxsearch from working here, and say what to do about it.

    Looks at versions, the processor and how the model runs on it, the model's files, SQLite, the index (verify
    reads all of it), free disk, permissions, extras. Exit status 1 if something is broken.
    """
    from ctxsearch.cli import present
    from ctxsearch.doctor import examine

    found = examine(Path(index_path))
    broken = any(finding.state == "broken" for finding in found)
    if as_json:
        present.json_line({"fit": not broken, "findings": [asdict(finding) for finding in found]})
    else:
        _show(found)
    return FAILED if broken else DONE


def _show(found: Sequence[Finding]) -> None:
    columns = min(terminal.width(sys.stdout), terminal.WIDEST)
    indent = 20 if columns >= _NARROW else 2

    def lines(text: str) -> list[str]:
        return terminal.wrapped(terminal.clean(text), columns - indent) or [""]

    for finding in found:
        state = terminal.Styled(f"{finding.state:<9}", _COLOURS[finding.state])
        first, *rest = lines(finding.found)
        if indent == 2:
            say(state, finding.area)
            rest = [first, *rest]
        else:
            say(state, f"{finding.area:<11}", first)
        advice = lines(f"→ {finding.advice}") if finding.advice else []
        for line in rest:
            say(" " * indent + line)
        for line in advice:
            say(" " * indent, terminal.Styled(line, bold=True))
    counts = Counter(finding.state for finding in found)
    warnings = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    say("")
    say(f"{counts['broken']} broken, {warnings}." if counts["broken"] else f"Fit, {warnings}.")
