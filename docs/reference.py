"""Writes cli.md from what the commands say of themselves: python docs/reference.py

tests/test_cli_reference.py fails when cli.md is not what this would write.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import click

PAGE = Path(__file__).parent / "cli.md"
COLUMNS = 100

HEAD = """\
# The command line

What `--help` prints, by command. Written by `python docs/reference.py`; do not edit.
"""


def page() -> str:
    """The text of cli.md."""
    os.environ.pop("CTXSEARCH_INDEX", None)
    from ctxsearch.cli import commands

    found = list(_commands(commands, _context(commands, "ctxsearch", None)))
    contents = "\n".join(
        f"- [`{context.command_path}`](#{context.command_path.replace(' ', '-')})" for context in found
    )
    sections = [f"## {context.command_path}\n\n```\n{_help(context)}\n```\n" for context in found]
    return "\n".join([HEAD, f"{contents}\n", *sections])


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=COLUMNS, max_content_width=COLUMNS
    )


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """The contexts of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            assert inspect.getdoc(below.callback), f"{name} has no help"
            yield from _commands(below, _context(below, name, context))


def _help(context: click.Context) -> str:
    lines = context.command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE} is written")
