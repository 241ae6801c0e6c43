"""The help: docs/cli.md is what the commands say, every command has examples, and they are commands."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Iterator

import click
import pytest

from ctxsearch.cli import commands
from ctxsearch.cli.examples import EXAMPLES
from tests.conftest import ROOT


def below(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from below(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


COMMANDS = dict(below(commands))


def test_cli_md_is_current() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    page = reference.page()
    assert page == (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), "write it anew: python docs/reference.py"
    assert all(f"## ctxsearch {name}\n" in page for name in COMMANDS)


def test_every_command_has_examples() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_commands(name: str) -> None:
    for line in EXAMPLES[name]:
        assert f"  {line}" in (COMMANDS[name].epilog or "").splitlines()
        words = shlex.split(line.split(" | ")[0].removeprefix('eval "$(').removesuffix(')"'))
        words = words[: next((at for at, word in enumerate(words) if word in "<>"), len(words))]
        assert words[: 1 + len(name.split())] == ["ctxsearch", *name.split()]
        given = words[1 + len(name.split()) :]
        if any(parameter.type.name == "directory" for parameter in COMMANDS[name].params):
            continue  # folders that have to be there
        context = COMMANDS[name].make_context(name, list(given), resilient_parsing=False)
        assert context.args == []


def test_a_wide_terminal_shows_whole_sentences() -> None:
    context = commands.make_context("ctxsearch", [], resilient_parsing=True, terminal_width=100)
    assert "verify      Check everything in an index" in commands.get_help(context)
