"""What an ingest could not read and what it skipped, on one screen: counted by reason, the longest groups first."""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import takewhile

from ctxsearch.cli import terminal
from ctxsearch.cli.common import DEFAULT_INDEX, complain
from ctxsearch.records import Failure, IngestReport

MOST_ROWS = 18
"""Rows of a screen of 24 that are left beside the report and the prompt."""
FEW = 3
"""So many failures are listed one by one."""
ROWS_OF_A_REASON = 2
NAMED = 3
"""Sources named of a group."""
UNLIMITED_COLUMNS = 10_000

_NAME = len("ctxsearch: ")
_NUMBER = re.compile(r"\d[\d,.]*")
_WORD = re.compile(r"\s+|\S+")
_HEAD = re.compile(r"[:;(]")
_NO_READER = re.compile(r"no reader for (\S+) files")


def tell(report: IngestReport, index_path: str, *, only_new: bool = False) -> None:
    """Say on standard error what was skipped and what failed.

    Args:
        index_path: as the user named the index.
        only_new: leave out what was skipped and what failed before, as each round of a watch does.
    """
    columns = terminal.width(sys.stderr) if sys.stderr.isatty() else UNLIMITED_COLUMNS
    rows = MOST_ROWS
    if not only_new:
        for line in _skipped(report.skipped):
            terminal.say(line, err=True)
            rows -= _height(line, columns)
    new = [failure for failure in report.failures if failure not in report.failed_before]
    lines, left_out = _failed(new, rows - 2, columns)
    for line in lines:
        complain(line, indented=True)
    command = "ctxsearch list --failed"
    if index_path != DEFAULT_INDEX:
        command += f" --index {shlex.quote(index_path)}"
    if len(new) > FEW:
        others = f"{left_out:,} of them for other reasons; " if left_out else ""
        complain(f"{len(new):,} failed, {others}{command} shows them all")
    if report.failed_before and not only_new:
        complain(
            f"{len(report.failed_before):,} failed before and did not change; ctxsearch list --failed shows them, "
            "ctxsearch ingest --retry tries them again"
        )


def _skipped(skipped: Sequence[Failure]) -> list[str]:
    """Lines that count what was skipped, each file once."""
    suffixes: Counter[str] = Counter()
    reasons: defaultdict[str, list[Failure]] = defaultdict(list)
    for one in skipped:
        if found := _NO_READER.fullmatch(one.error):
            suffixes[found[1]] += 1
        reasons["" if found else one.error].append(one)
    lines = []
    for reason, several in sorted(reasons.items(), key=lambda item: -len(item[1])):
        if len(several) == 1:
            lines.append(f"skipped {several[0].source}: {several[0].error}")
        elif reason:
            lines.append(f"skipped {len(several):,} files: {reason}")
        else:
            named = [f"{count:,} {suffix}" for suffix, count in suffixes.most_common(5)]
            others = sum(suffixes.values()) - sum(count for _, count in suffixes.most_common(5))
            named += [f"{others:,} others"] if others else []
            lines.append(f"skipped {len(several):,} files that no reader takes: {', '.join(named)}")
    return lines


def _failed(failures: Sequence[Failure], rows: int, columns: int) -> tuple[list[str], int]:
    """Lines that fit the rows, and how many failures they do not count."""
    if len(failures) <= FEW:
        return [f"{failure.source}: {failure.error}" for failure in failures], 0
    groups: defaultdict[str, list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[_kind(failure.error)].append(failure)
    lines: list[str] = []
    left_out = 0
    for several in sorted(groups.values(), key=lambda group: -len(group)):
        new = _lines_of(several, columns)
        height = sum(_height(line, columns - _NAME) for line in new)
        if left_out or height > rows:
            left_out += len(several)
            continue
        rows -= height
        lines += new
    return lines, left_out


def _lines_of(group: Sequence[Failure], columns: int) -> list[str]:
    room = ROWS_OF_A_REASON * (columns - _NAME) - 4
    if len(group) == 1:
        return [_shortened(f"{group[0].source}: {group[0].error}", room)]
    folders = {failure.source.rpartition("/")[0] for failure in group}
    folder = folders.pop() if len(folders) == 1 else ""
    names = [failure.source.removeprefix(f"{folder}/") if folder else failure.source for failure in group[:NAMED]]
    more = f" and {len(group) - NAMED:,} more" if len(group) > NAMED else ""
    named = f"{', '.join(names)}{more}" + (f" in {folder}" if folder else "")
    return [
        _shortened(f"{len(group):,} files: {_common(group)}", room),
        f"    {_shortened(named, columns - _NAME - 5)}",
    ]


def _kind(reason: str) -> str:
    """What reasons of one kind share: their beginning, whatever numbers are in it."""
    return _NUMBER.sub("#", _HEAD.split(reason, maxsplit=1)[0]).strip()


def _common(group: Sequence[Failure]) -> str:
    """The reason of a group; where reasons differ in more than numbers, what they begin with."""
    reasons = [failure.error for failure in group]
    if len({_NUMBER.sub("#", reason) for reason in reasons}) == 1:
        columns = zip(*(_WORD.findall(reason) for reason in reasons), strict=True)
        return "".join(several[0] if len(set(several)) == 1 else _NUMBER.sub("…", several[0]) for several in columns)
    words = zip(*(reason.split(" ") for reason in reasons), strict=False)
    shared = " ".join(several[0] for several in takewhile(lambda several: len(set(several)) == 1, words))
    return f"{shared.rstrip(' :;,(') or _kind(reasons[0])} …"


def _shortened(line: str, cells: int) -> str:
    return line if len(line) <= cells else f"{line[: max(1, cells - 1)]}…"


def _height(line: str, columns: int) -> int:
    """Rows that a terminal takes for a line."""
    return max(1, -(-len(line) // max(1, columns)))
