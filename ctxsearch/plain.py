"""Records as JSON-ready values, and as HTML for a notebook. Knows no record; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

EXCERPT_CHARACTERS = 160
"""Characters that `marked` shows before and after what is marked."""


def values(record: Any) -> Any:
    """A record as dicts, lists and scalars: what ``json`` can write.

    Dataclasses and named tuples become dicts of their fields, other tuples and sets lists, arrays nested lists.
    """
    if hasattr(record, "__dataclass_fields__"):
        return {name: values(getattr(record, name)) for name in record.__dataclass_fields__}
    if hasattr(record, "_asdict"):
        return {name: values(value) for name, value in record._asdict().items()}
    if isinstance(record, Mapping):
        return {key: values(value) for key, value in record.items()}
    if isinstance(record, list | tuple | set | frozenset):
        return [values(one) for one in record]
    return record.tolist() if hasattr(record, "tolist") else record


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table.

    Args:
        caption: text.
        head: text of each column's head.
        rows: for each row the HTML of its cells, made by `escaped` or `marked`.
    """
    heads = "".join(f"<th style='text-align:left'>{escaped(one)}</th>" for one in head)
    lines = ["".join(f"<td style='text-align:left;vertical-align:top'>{cell}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    title = f"<caption style='text-align:left'>{escaped(caption)}</caption>"
    return f"<table>{title}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def escaped(text: object) -> str:
    """A text as HTML shows it: nothing in it is markup."""
    import html

    return html.escape(str(text).encode("utf-8", "replace").decode())


def marked(text: str, start: int, end: int) -> str:
    """What stands around ``text[start:end]``, which is marked, as HTML."""
    first, last = max(0, start - EXCERPT_CHARACTERS), min(len(text), end + EXCERPT_CHARACTERS)
    before, after = ("…" if first else "") + text[first:start], text[end:last] + ("…" if last < len(text) else "")
    return f"{escaped(before)}<mark>{escaped(text[start:end])}</mark>{escaped(after)}"
