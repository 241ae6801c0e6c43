"""The command that measures accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ctxsearch.cli.common import DEFAULT_INDEX, DONE, json_option, model_option, opened
from ctxsearch.errors import ArgumentError


@click.command("eval")
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@model_option
@click.option("--mode", default="hybrid", show_default=True, metavar="MODE", help="For the system protocol.")
@click.option("--protocol", type=click.Choice(["system", "seed"]), default="system", show_default=True)
@click.option("--compare", is_flag=True, help="All modes side by side, with 95 % bootstrap confidence intervals.")
@click.option("--held-out", is_flag=True, help="Ask only the questions of the articles that training leaves out.")
@click.option("--details", metavar="FILE", type=click.Path(path_type=Path), help="Write a JSON line a question.")
@click.option(
    "--index",
    "index_path",
    envvar="CTXSEARCH_INDEX",
    default=DEFAULT_INDEX,
    metavar="DIR",
    help="For a dataset of questions and sources: the index that has them.",
)
@json_option
def evaluate(
    dataset: Path,
    model: str | None,
    mode: Any,
    protocol: str,
    compare: bool,
    held_out: bool,
    details: Path | None,
    index_path: str,
    as_json: bool,
) -> int:
    """Measure accuracy on a question set.

    DATASET is in SQuAD format, or JSON Lines of {"question", "context"}: its paragraphs become the documents of a
    temporary index. Or it is JSON Lines of {"question", "source"}: they are asked of the index that --index names.

    The seed protocol measures a model: one vector a paragraph, exact search. The system protocol measures the whole.
    """
    from ctxsearch import evaluate as measuring
    from ctxsearch import questionset
    from ctxsearch.cli import present
    from ctxsearch.cli.progress import questions_bar
    from ctxsearch.passport import find_model
    from ctxsearch.records import MODES

    if mode not in MODES:
        raise ArgumentError(f"no mode {mode!r}; there are {', '.join(MODES)}")
    if protocol == "seed" and (compare or details):
        raise ArgumentError("the seed protocol has one mode and no hits: leave out --compare and --details")
    if details:
        present.write_outcomes(details, ())  # a path that cannot be written is told before the work, not after
    modes = MODES if compare else (mode,)
    sources = questionset.read_source_questions(dataset)
    with questions_bar(dataset.name) as on_progress:
        if sources:
            if protocol == "seed" or held_out:
                raise ArgumentError(f"{dataset} names sources, not paragraphs: it is asked of an index, as a whole")
            with opened(index_path, model=model, read_only=True) as index:
                found = measuring.index_protocol(index, dataset.name, sources, modes, on_progress)
        else:
            questions = questionset.read_questions(dataset)
            if held_out:
                questions = questions.ask_held_out()
            folder = find_model(model)
            if protocol == "seed":
                found = [measuring.seed_protocol(folder, questions, on_progress)]
            else:
                found = measuring.system_protocol(folder, questions, modes, on_progress)
    if details:
        present.write_outcomes(details, found)
    if compare and as_json:
        present.json_line({"dataset": dataset.name, "modes": [present.evaluation_json(one) for one in found]})
    elif compare:
        present.comparison(found)
    elif as_json:
        present.json_line(present.evaluation_json(found[0]))
    else:
        present.evaluation(found[0])
    return DONE
