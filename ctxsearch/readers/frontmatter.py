"""Front matter: the metadata that a text carries at its top, in YAML between ``---`` or in TOML between ``+++``."""

from __future__ import annotations

import datetime
import re
import tomllib
from typing import Any

import yaml

MAX_CHARACTERS = 64 * 1024

_YAML = re.compile(r"\ufeff?---[ \t]*\r?\n((?:[^\n]*\n){0,200}?)(?:---|\.\.\.)[ \t]*(?:\r?\n|$)")
_TOML = re.compile(r"\ufeff?\+\+\+[ \t]*\r?\n((?:[^\n]*\n){0,200}?)\+\+\+[ \t]*(?:\r?\n|$)")


class _Loader(yaml.SafeLoader):
    """YAML without aliases, by which a small text says a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def split(content: str) -> tuple[dict[str, Any], int]:
    """The front matter of a text, and where what follows it begins; ({}, 0) if it has none.

    What stands there but cannot be read as a mapping counts as front matter that says nothing.
    """
    head = content[:MAX_CHARACTERS]
    if match := _YAML.match(head):
        return _mapping(lambda text: yaml.load(text, _Loader), match[1]), match.end()
    if match := _TOML.match(head):
        return _mapping(tomllib.loads, match[1]), match.end()
    return {}, 0


def _mapping(parse: Any, text: str) -> dict[str, Any]:
    try:
        found = parse(text)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError, OverflowError):
        return {}
    return {str(key): _plain(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _plain(value: Any) -> Any:
    """A value as JSON knows it: dates as ISO 8601."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple() | set():
            return [_plain(inner) for inner in value]
    return str(value)
