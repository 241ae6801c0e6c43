"""The commands that look after models."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ctxsearch.cli.common import DONE, json_option
from ctxsearch.cli.terminal import say
from ctxsearch.errors import ArgumentError


@click.group()
def model() -> None:
    """Look after models."""


@model.command("list")
@json_option
def model_list(as_json: bool) -> int:
    """The models that --model can name."""
    from ctxsearch.cli import present
    from ctxsearch.passport import list_models

    found = list_models()
    if as_json:
        present.json_line({"models": [present.model_json(folder) for folder in found]})
    else:
        present.models(found)
    return DONE


@model.command("show")
@click.argument("name")
@json_option
def model_show(name: str, as_json: bool) -> int:
    """A model's passport and card, after its files were checked."""
    from ctxsearch.cli import present
    from ctxsearch.passport import find_model

    folder = find_model(name)
    folder.verify()
    if as_json:
        present.json_line(present.model_json(folder))
    else:
        present.model(folder)
    return DONE


@model.command("pull")
@click.argument("name")
def model_pull(name: str) -> int:
    """Fetch a model from its public address, so that --model can name it.

    \b
    bert-small-uncased-whole-word-masking-squad-emb-int8-0001   43 MB
    bert-large-uncased-whole-word-masking-squad-emb-0001       672 MB

    It is compared with its known checksums and then put into the user's folder of models ($CTXSEARCH_MODELS). What was
    cut goes on where it stopped. $CTXSEARCH_MODELS_URL may name a mirror.
    """
    from ctxsearch.cli.progress import download_bar
    from ctxsearch.pull import pull

    with download_bar() as listener:
        folder, new = pull(name, on_progress=listener)
    say(f"{folder.path}: {folder.passport.label}{'' if new else ', already installed'}")
    return DONE


@model.command("build")
@click.argument("base", metavar="BASE_DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The model folder to make.")
@click.option("--name", metavar="NAME", help="The model's name; else that of the folder.")
@click.option(
    "--calibrate",
    multiple=True,
    metavar="PATH",
    help="Texts that set the INT8 ranges, read as ingest reads them; some come with ctxsearch.",
)
@click.option("--precision", type=click.Choice(["int8", "float32"]), default="int8", show_default=True)
def model_build(base: Path, out: Path, name: str | None, calibrate: tuple[str, ...], precision: str) -> int:
    """Make a model folder from a Hugging Face BERT-family folder (extra [build])."""
    from ctxsearch.modelling import build

    folder = build(base, out, name=name or out.name, calibrate=calibrate, precision=precision)
    say(f"{out}: {folder.passport.label}")
    return DONE


@model.command("train")
@click.option("--base", required=True, metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pairs",
    required=True,
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Questions with their contexts: SQuAD format, or JSON Lines.",
)
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Gets a folder a step.")
@click.option("--name", metavar="NAME", help="The model's name; else that of the folder.")
@click.option(
    "--texts",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Documents without questions; some are made from them.",
)
@click.option("--teacher", "teachers", multiple=True, metavar="NAME|DIR", help="A model whose scores are learnt.")
@click.option("--layers", metavar="N,N,...", help="Layers of the base to keep, from 0, for a smaller model; else all.")
@click.option("--epochs", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Of each step.")
@click.option(
    "--contexts-per-step",
    type=click.IntRange(2),
    default=64,
    show_default=True,
    metavar="N",
    help="Contexts that meet in one step: more are more negatives, and more memory.",
)
@click.option("--save-memory", "recompute", is_flag=True, help="Train in less memory, a third slower.")
@click.option(
    "--lexical-dim",
    type=click.IntRange(0),
    default=128,
    show_default=True,
    metavar="N",
    help="Dimensions beside the base's own that say which words a text has; a multiple of 8, 0 for none.",
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N")
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=click.Choice(["finetune", "distil", "quantise"]),
    help="Only this one; may be given several times.",
)
def model_train(
    base: Path,
    pairs: tuple[Path, ...],
    out: Path,
    name: str | None,
    texts: tuple[Path, ...],
    teachers: tuple[str, ...],
    layers: str | None,
    epochs: int,
    contexts_per_step: int,
    recompute: bool,
    lexical_dim: int,
    seed: int,
    steps: tuple[str, ...],
) -> int:
    """Make a model: fine-tune, distil, quantise (extra [train]).

    DIR/finetuned, DIR/distilled and DIR/int8 are models that --model can name, each with its card. Some of the articles
    are held out: accuracy on them is measured after each step. A run that was cut goes on when the command is given
    again.
    """
    from ctxsearch.cli.progress import training_line
    from ctxsearch.modelling import STEPS, Recipe, train

    try:
        kept = tuple(int(number) for number in layers.split(",")) if layers else None
    except ValueError:
        raise ArgumentError(f"--layers {layers!r}: expected numbers, as in 0,2,5") from None
    recipe = Recipe(
        base=base,
        pairs=pairs,
        out=out,
        name=name or out.name,
        texts=texts,
        teachers=teachers,
        layers=kept,
        epochs=epochs,
        contexts_per_step=contexts_per_step,
        recompute=recompute,
        lexical_dim=lexical_dim,
        seed=seed,
        command=shlex.join(["ctxsearch", *sys.argv[1:]]),
    )
    with training_line() as on_progress:
        folder = train(recipe, steps or STEPS, on_progress, lambda step, said: say(f"{step}: {said}"))
    say(f"{folder.path}: {folder.passport.label}")
    return DONE


@model.command("calibrate")
@click.argument("name", metavar="NAME|DIR")
@click.option("--pairs", required=True, metavar="FILE", type=click.Path(path_type=Path), help="As for model train.")
def model_calibrate(name: str, pairs: Path) -> int:
    """Learn which scores of a model mean which probabilities, and write that into its card.

    Only questions about the held-out articles are asked, each once with its article in the index and once without.
    """
    from ctxsearch.cli.progress import questions_bar
    from ctxsearch.evaluate import calibrate
    from ctxsearch.passport import find_model, write_card
    from ctxsearch.questionset import read_questions
    from ctxsearch.records import MODES

    folder = find_model(name)
    with questions_bar(pairs.name) as on_progress:
        found = calibrate(folder, read_questions(pairs), MODES, on_progress)
    calibrations = {mode: one.to_dict() for mode, one in found.items()}
    write_card(folder.path, {**folder.card, "calibrations": {"questions": pairs.name, **calibrations}})
    say(f"{folder.path}: calibrated for {', '.join(found)}")
    return DONE
