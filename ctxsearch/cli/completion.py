"""Completion of what is typed at a shell: the command that prints it, and what values there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ctxsearch.cli.terminal import clean, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete the commands, options and values of ctxsearch.

    Put the line for bash or zsh into ~/.bashrc or ~/.zshrc.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    root = click.get_current_context().find_root()
    if kind is not None:
        for line in kind(root.command, {}, "ctxsearch", "_CTXSEARCH_COMPLETE").source().splitlines():
            say(line)


def folders(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Folders, by the shell itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, by the shell itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def modes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The modes of a query."""
    from ctxsearch.records import MODES

    return [mode for mode in MODES if mode.startswith(incomplete)]


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of the models that are here."""
    from ctxsearch.passport import list_models

    names = [folder.passport.name for folder in list_models()]
    return [name for name in names if name.startswith(incomplete) and clean(name) == name]


def sources(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Sources of documents in the index that was named so far."""
    import ctxsearch
    from ctxsearch.cli.common import DEFAULT_INDEX
    from ctxsearch.errors import CtxsearchError

    try:
        with ctxsearch.open(context.params.get("index_path") or DEFAULT_INDEX, read_only=True) as index:
            names = [document.source for document in index.documents()]
    except CtxsearchError:
        return []
    # A shell shows candidates as they are, so one with escape codes is not among them.
    return [name for name in names if name.startswith(incomplete) and clean(name) == name]
