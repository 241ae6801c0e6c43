"""The commands that look after models."""

from __future__ import annotations

from pathlib import Path

import click

from ctxsearch.cli.common import DONE, json_option


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
    click.echo(f"{folder.path}: {folder.passport.label}{'' if new else ', already installed'}")
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
    click.echo(f"{out}: {folder.passport.label}")
    return DONE
