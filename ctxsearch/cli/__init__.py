"""The command line: arguments in, text or JSON out.

    __init__.py   the commands, and errors to exit statuses
    present.py    hits, lists and reports as text and as JSON
    progress.py   the progress bar

No rule of the program lives here. Each command imports what it needs when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import ctxsearch
from ctxsearch.errors import ArgumentError, CtxsearchError

if TYPE_CHECKING:
    from ctxsearch.index import Index
    from ctxsearch.records import Answer

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


def main() -> NoReturn:
    """Run the command line and end the process with one of the promised exit statuses."""
    status: int
    try:
        returned = commands(standalone_mode=False, prog_name="ctxsearch")
        status = returned if isinstance(returned, int) else DONE
        sys.stdout.flush()
    except click.UsageError as error:
        where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        _complain(f"{error.format_message().rstrip('.')}{where}")
        status = WRONG_USAGE
    except click.ClickException as error:
        _complain(error.format_message())
        status = FAILED
    except ArgumentError as error:
        _complain(str(error))
        status = WRONG_USAGE
    except CtxsearchError as error:
        _complain(str(error))
        status = FAILED
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted; what was acknowledged is kept")
        status = FAILED
    except BrokenPipeError:  # as in: ctxsearch list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    sys.exit(status)


def _complain(message: str) -> None:
    """One line on standard error, whatever the message holds."""
    click.echo(f"ctxsearch: {' '.join(_printable(message).split())}", err=True)


def _printable(text: str) -> str:
    """Text that any terminal encoding can take; half characters of file names are replaced."""
    encoding = sys.stderr.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def _opened(path: str, *, create: bool = False, model: str | None = None, read_only: bool = False) -> Iterator[Index]:
    with ctxsearch.open(path, create=create, model=model, read_only=read_only) as index:
        yield index


def _pairs(values: Sequence[str], option: str) -> dict[str, str]:
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


def _conditions(values: Sequence[str]) -> dict[str, Any]:
    """``--where`` arguments as a condition: a value that reads as a number or boolean fits either kind."""
    import json

    conditions: dict[str, Any] = {}
    for key, text in _pairs(values, "--where").items():
        alternatives: list[Any] = [text]
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        if parsed is not None and isinstance(parsed, bool | int | float):
            alternatives.append(parsed)
        conditions[key] = {"$in": alternatives}
    return conditions


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ctxsearch.__version__, prog_name="ctxsearch", message="%(prog)s %(version)s")
def commands() -> None:
    """Search your own documents by meaning, on your own machine.

    \b
    ctxsearch ingest docs/
    ctxsearch query "who may approve a refund?"

    Exit status: 0 done; 1 it failed; 2 wrong usage; 3 some sources failed and are listed, the rest is in.
    """


@commands.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@index_option
@model_option
@click.option("--glob", metavar="G", help="Of the files in folders, only those that fit, as in '*.md'.")
@click.option("--metadata", multiple=True, metavar="K=V", help="Added to every document; may be given several times.")
@click.option("--prune", is_flag=True, help="Remove documents that are gone from the paths.")
@json_option
def ingest(
    paths: tuple[str, ...],
    index_path: str,
    model: str | None,
    glob: str | None,
    metadata: tuple[str, ...],
    prune: bool,
    as_json: bool,
) -> int:
    """Add and update documents from files and folders.

    PATH is a file, a folder, or - for standard input. What is unchanged is skipped. Hidden files, links inside folders,
    and what .gitignore and .ctxignore name are left out.
    """
    from ctxsearch.cli import present
    from ctxsearch.cli.progress import progress_bar

    extra = _pairs(metadata, "--metadata")
    with _opened(index_path, create=True, model=model) as index, progress_bar() as on_progress:
        report = index.ingest(list(paths), glob=glob, metadata=extra, prune=prune, on_progress=on_progress)
    if as_json:
        present.json_line(present.report_json(report))
    else:
        present.report(report)
    counts = report.documents
    for skip in report.skipped[: present.MOST_LISTED]:
        click.echo(_printable(f"skipped {skip.source}: {skip.error}"), err=True)
    if len(report.skipped) > present.MOST_LISTED:
        click.echo(f"skipped {len(report.skipped) - present.MOST_LISTED} more", err=True)
    for failure in report.failures[: present.MOST_LISTED]:
        _complain(f"{failure.source}: {failure.error}")
    if len(report.failures) > present.MOST_LISTED:
        _complain(f"{len(report.failures) - present.MOST_LISTED} more failures; --json lists them all")
    if counts.added + counts.updated + counts.unchanged + counts.deleted == 0:
        if not report.failures:
            _complain(f"nothing to read in {', '.join(paths)}")
        return FAILED
    return SOME_FAILED if report.failures else DONE


@commands.command()
@click.argument("question")
@index_option
@model_option
@click.option("-k", "k", type=int, default=5, show_default=True, metavar="N", help="Most hits.")
@click.option(
    "--mode",
    default="hybrid",
    show_default=True,
    metavar="MODE",
    help="dense (by meaning), lexical (by words) or hybrid (both).",
)
@click.option(
    "--where", multiple=True, metavar="K=V", help="Only documents with this metadata; several are joined by and."
)
@json_option
def query(
    question: str, index_path: str, model: str | None, k: int, mode: Any, where: tuple[str, ...], as_json: bool
) -> int:
    """Ask a question; - reads questions from standard input, a line each (with --json an object each)."""
    from ctxsearch.cli import present

    conditions = _conditions(where)
    if question == "-":
        lines = sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()
        questions = [line.strip() for line in lines if line.strip()]
        if not questions:
            raise ArgumentError("no question on standard input; write one a line")
    else:
        questions = [question]
    with _opened(index_path, model=model, read_only=True) as index:
        answers: list[Answer] = index.query_many(questions, k, mode, conditions)
        for answer in answers:
            if answer.truncated:
                click.echo(present.TRUNCATED, err=True)
            if as_json:
                present.json_line(present.answer_json(answer, str(index.path)))
            else:
                present.answer(answer, title=len(questions) > 1)
            if not answer:
                click.echo(present.nothing_found(index, bool(conditions)), err=True)
    return DONE


@commands.command()
@index_option
@json_option
def status(index_path: str, as_json: bool) -> int:
    """What an index holds, and whether it is in order."""
    from ctxsearch.cli import present

    with _opened(index_path, read_only=True) as index:
        found = index.status()
    if as_json:
        present.json_line(present.status_json(found))
    else:
        present.status(found)
    for problem in found.problems:
        _complain(problem)
    return DONE if found.healthy else FAILED


@commands.command("list")
@index_option
@click.option("--where", multiple=True, metavar="K=V", help="Only documents with this metadata.")
@json_option
def list_(index_path: str, where: tuple[str, ...], as_json: bool) -> int:
    """The documents of an index."""
    from ctxsearch.cli import present

    with _opened(index_path, read_only=True) as index:
        found = index.documents(_conditions(where))
    if as_json:
        present.json_line({"index": index_path, "documents": [present.summary_json(summary) for summary in found]})
    else:
        present.summaries(found)
    return DONE


@commands.command()
@click.argument("source")
@index_option
@json_option
def show(source: str, index_path: str, as_json: bool) -> int:
    """Print a document's text, letter for letter: what the offsets of hits point into."""
    from ctxsearch.cli import present

    with _opened(index_path, read_only=True) as index:
        text = index.text(source=source)
    if as_json:
        present.json_line({"index": index_path, "source": source, "text": text})
    else:
        present.exactly(text)
    return DONE


@commands.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@index_option
@json_option
def delete(sources: tuple[str, ...], index_path: str, as_json: bool) -> int:
    """Remove documents, each named by its source; a file's path removes all that came from it."""
    from ctxsearch.cli import present

    with _opened(index_path) as index:
        deleted = sum(index.delete(source=source) for source in sources)
        generation = index.status().generation
    if as_json:
        present.json_line({"index": index_path, "generation": generation, "deleted": deleted})
    else:
        click.echo(f"{deleted} {'document' if deleted == 1 else 'documents'} deleted")
    return DONE


@commands.command()
@index_option
@json_option
def verify(index_path: str, as_json: bool) -> int:
    """Check everything in an index: the catalog, its full text, and every vector."""
    from ctxsearch.cli import present

    with _opened(index_path) as index:
        problems = index.verify()
    if as_json:
        present.json_line({"index": index_path, "healthy": not problems, "problems": problems})
    elif not problems:
        click.echo(f"{index_path} is in order")
    for problem in problems:
        _complain(problem)
    return FAILED if problems else DONE


@commands.command()
@index_option
def compact(index_path: str) -> int:
    """Give back the space of what was deleted."""
    with _opened(index_path) as index:
        before = sum(index.status().bytes.values())
        index.compact()
        after = sum(index.status().bytes.values())
    click.echo(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    return DONE


@commands.command("eval")
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


@commands.group()
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
