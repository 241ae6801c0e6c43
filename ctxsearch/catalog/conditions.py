"""Conditions on metadata as SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ctxsearch.errors import ArgumentError


def condition(where: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """SQL over ``documents`` that is true where each key of the metadata has the wanted value.

    A value is a string, a number, a boolean or None, or ``{"$in": [values]}`` for any of several.

    Raises:
        ArgumentError: something else is asked for.
    """
    terms: list[str] = []
    parameters: dict[str, Any] = {}
    for key, wanted in (where or {}).items():
        values = wanted
        if isinstance(wanted, Mapping):
            if list(wanted) != ["$in"] or not isinstance(wanted["$in"], list | tuple):
                raise ArgumentError(f'where: {key!r} takes a value or {{"$in": [values]}}, not {wanted!r}')
            values = wanted["$in"]
        else:
            values = [wanted]
        name = f"key{len(terms)}"
        parameters[name] = key
        alternatives = []
        for value in values:
            match value:
                case None | True | False:
                    alternatives.append(f"type = '{json.dumps(value)}'")
                    continue
                case str():
                    types = "('text')"
                case int() | float():
                    types = "('integer', 'real')"
                case _:
                    raise ArgumentError(f"where: {key!r} cannot be compared with {value!r}")
            place = f"value{len(parameters)}"
            parameters[place] = value
            alternatives.append(f"type IN {types} AND value = :{place}")
        either = " OR ".join(f"({alternative})" for alternative in alternatives) or "0"
        terms.append(f"EXISTS (SELECT 1 FROM json_each(documents.metadata) WHERE key = :{name} AND ({either}))")
    return " AND ".join(terms) or "1", parameters
