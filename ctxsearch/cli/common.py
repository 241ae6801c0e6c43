"""What the commands share: options, exit statuses, opening an index, and saying what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

import ctxsearch
from ctxsearch.errors import ArgumentError

if TYPE_CHECKING:
    from ctxsearch.index import Index

DONE, FAILED, WRONG_USAGE, SOME_FAILED = 0, 1, 2, 3
DEFAULT_INDEX = "indexes/default"

index_option = click.option(
    "--index",
    "index_path",
    envvar="CTXSEARCH_INDEX",
    default=DEFAULT_INDEX,
    show_default=True,
    metavar="DIR",
    help="The index folder ($CTXSEARCH_INDEX if that is set).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
model_option = click.option("--model", metavar="NAME|DIR", help="The model; else the index's own, or the default.")


def complain(message: str) -> None:
    """One line on standard error, whatever the message holds."""
    click.echo(f"ctxsearch: {' '.join(printable(message).split())}", err=True)


def printable(text: str) -> str:
    """Text that any terminal encoding can take; half characters of file names are replaced."""
    encoding = sys.stderr.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def opened(
    path: str,
    *,
    create: bool = False,
    model: str | None = None,
    read_only: bool = False,
    recall: float | None = None,
) -> Iterator[Index]:
    with ctxsearch.open(path, create=create, model=model, read_only=read_only, recall=recall) as index:
        yield index


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """``K=V`` arguments as a dict.

    Raises:
        ArgumentError: one has no ``=`` or no key.
    """
    pairs = {}
    for value in values:
        key, equals, rest = value.partition("=")
        if not equals or not key:
            raise ArgumentError(f"{option} {value!r}: expected KEY=VALUE")
        pairs[key] = rest
    return pairs


def conditions(values: Sequence[str]) -> dict[str, Any]:
    """``--where`` arguments as a condition: a value that reads as a number or boolean fits either kind."""
    import json

    conditions: dict[str, Any] = {}
    for key, text in pairs(values, "--where").items():
        alternatives: list[Any] = [text]
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        if parsed is not None and isinstance(parsed, bool | int | float):
            alternatives.append(parsed)
        conditions[key] = {"$in": alternatives}
    return conditions
