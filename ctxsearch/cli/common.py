"""What the commands share: options, exit statuses, opening an index, and saying what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

import ctxsearch
from ctxsearch.cli import completion
from ctxsearch.cli.terminal import clean, say
from ctxsearch.errors import ArgumentError
from ctxsearch.records import Spelled

if TYPE_CHECKING:
    from ctxsearch.index import Index

DONE, FAILED, WRONG_USAGE, SOME_FAILED = 0, 1, 2, 3
DEFAULT_INDEX = "indexes/default"

_OPERATORS = {
    "=": "$eq",
    "!=": "$ne",
    ">": "$gt",
    ">=": "$gte",
    "<": "$lt",
    "<=": "$lte",
    "~": "$glob",
    "*=": "$contains",
}
_CONDITION = re.compile(r"(\s*[^\s=!<>~][^=!<>~]*?)(!=|>=|<=|\*=|[=<>~])(.*)", re.DOTALL)

index_option = click.option(
    "--index",
    "index_path",
    envvar="CTXSEARCH_INDEX",
    default=DEFAULT_INDEX,
    show_default=True,
    metavar="DIR",
    shell_complete=completion.folders,
    help="The index folder ($CTXSEARCH_INDEX if that is set).",
)
where_option = click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Only documents whose metadata fit: K=V, K!=V, K>V, K>=V, K<V, K<=V, K~GLOB or K*=PART (a part of a text, or "
    "an element of a list); several are joined by and. A dot leads into an object, as in author.name=Ada.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
model_option = click.option(
    "--model",
    metavar="NAME|DIR",
    shell_complete=completion.models,
    help="The model; else the index's own, or the default.",
)


def complain(message: str, *, indented: bool = False) -> None:
    """One line on standard error, whatever the message holds.

    Args:
        indented: keep the spaces that it begins with.
    """
    indent = " " * (len(message) - len(message.lstrip(" "))) if indented else ""
    say(f"ctxsearch: {indent}{' '.join(clean(message).split())}", err=True)


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
    """``--where`` arguments as a condition, joined by and; a value is a text, and the number or truth it reads as.

    Raises:
        ArgumentError: one has no operator or no key.
    """
    terms = []
    for value in values:
        found = _CONDITION.fullmatch(value)
        if not found:
            raise ArgumentError(
                f"--where {value!r}: expected KEY=VALUE, or != > >= < <= ~ (GLOB) or *= (PART) for the ="
            )
        key, operator, text = (part.strip() for part in found.groups())
        terms.append({key: {_OPERATORS[operator]: Spelled(text)}})
    return {"$and": terms} if terms else {}
