"""The command that measures accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ctxsearch.cli.common import DONE, json_option, model_option


@click.command("eval")
@click.argument("dataset", metavar="DATASET.json", type=click.Path(path_type=Path))
@model_option
@click.option("--mode", default="hybrid", show_default=True, metavar="MODE", help="For the system protocol.")
@click.option("--protocol", type=click.Choice(["system", "seed"]), default="system", show_default=True)
@json_option
def evaluate(dataset: Path, model: str | None, mode: Any, protocol: str, as_json: bool) -> int:
    """Measure accuracy on a question set in SQuAD format.

    The seed protocol measures a model: one vector a paragraph, exact search. The system protocol measures the whole:
    paragraphs are documents of a temporary index, questions are asked of it.
    """
    from ctxsearch.cli import present
    from ctxsearch.evaluate import read_squad, seed_protocol, system_protocol
    from ctxsearch.passport import find_model

    questions, folder = read_squad(dataset), find_model(model)
    found = seed_protocol(folder, questions) if protocol == "seed" else system_protocol(folder, questions, mode)
    if as_json:
        present.json_line(present.evaluation_json(found))
    else:
        present.evaluation(found)
    return DONE
