"""The two commands of the main job: ingest and query."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ctxsearch.cli import completion
from ctxsearch.cli.common import (
    DONE,
    FAILED,
    SOME_FAILED,
    complain,
    conditions,
    index_option,
    json_option,
    model_option,
    opened,
    pairs,
    where_option,
)
from ctxsearch.cli.terminal import say
from ctxsearch.errors import ArgumentError

if TYPE_CHECKING:
    from ctxsearch.records import Answer


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=completion.files)
@index_option
@model_option
@click.option("--glob", metavar="G", help="Of the files in folders, only those that fit, as in '*.md'.")
@click.option("--no-ignore", is_flag=True, help="Read what .gitignore and .ctxignore name, too.")
@click.option(
    "--metadata", multiple=True, metavar="K=V", help="Added to every document; several may be given. A number is one."
)
@click.option("--prune", is_flag=True, help="Remove documents that are gone from the paths.")
@click.option("--retry", is_flag=True, help="Try again files that failed before and did not change since.")
@click.option(
    "--convert",
    multiple=True,
    metavar="EXT=COMMAND",
    help="A command for files that are not read as they are, as in 'doc=antiword {}'; see below.",
)
@click.option("--watch", is_flag=True, help="Go on: take in what changes in the paths, until Ctrl-C.")
@json_option
def ingest(
    paths: tuple[str, ...],
    index_path: str,
    model: str | None,
    glob: str | None,
    no_ignore: bool,
    metadata: tuple[str, ...],
    prune: bool,
    retry: bool,
    convert: tuple[str, ...],
    watch: bool,
    as_json: bool,
) -> int:
    """Add and update documents from files and folders.

    PATH is a file, a folder, or - for standard input. What is unchanged is skipped. Hidden files, links inside folders,
    and what .gitignore and .ctxignore name are left out.

    A command of --convert is run for each file of its suffix that has no text as it is: a scan, or a format that is not
    read. {} stands for the file. What the command prints is read; if it has {folder}, the file that it writes there, as
    in 'ppt=soffice --headless --convert-to pptx --outdir {folder} {}'. It runs without a shell, for a minute at most.
    """
    from ctxsearch.cli import failures, present
    from ctxsearch.cli.progress import progress_bar
    from ctxsearch.readers.tables import value_of

    extra = {key: value_of(text) for key, text in pairs(metadata, "--metadata").items()}
    commands = pairs(convert, "--convert")
    if watch:
        from ctxsearch.cli import watching

        with opened(index_path, create=True, model=model) as index:
            options = {"glob": glob, "ignore": not no_ignore, "metadata": extra, "prune": prune, "retry": retry}
            return watching.watch(index, list(paths), as_json=as_json, convert=commands, **options)
    with opened(index_path, create=True, model=model) as index, progress_bar() as on_progress:
        report = index.ingest(
            list(paths),
            glob=glob,
            ignore=not no_ignore,
            metadata=extra,
            prune=prune,
            retry=retry,
            convert=commands,
            on_progress=on_progress,
        )
    if as_json:
        present.json_line(report.to_dict())
    else:
        present.report(report)
    counts = report.documents
    failures.tell(report, index_path)
    if counts.added + counts.updated + counts.unchanged + counts.deleted + counts.moved == 0:
        if not report.failures:
            complain(f"nothing to read in {', '.join(paths)}")
        return FAILED
    return SOME_FAILED if report.failures else DONE


@click.command()
@click.argument("question", required=False)
@index_option
@model_option
@click.option("-k", "k", type=int, default=5, show_default=True, metavar="N", help="Most hits.")
@click.option(
    "--mode",
    default="hybrid",
    show_default=True,
    metavar="MODE",
    shell_complete=completion.modes,
    help="dense (by meaning), lexical (by words) or hybrid (both).",
)
@where_option
@click.option(
    "--recall",
    type=float,
    metavar="R",
    help="In a large index, the share of the ten best contexts that is found by meaning, on average: 0.99 unless "
    "given. 1 searches exactly, and slowly.",
)
@click.option("--min-score", type=float, metavar="P", help="Leave out hits that answer with a lower probability.")
@click.option("--full", is_flag=True, help="Show whole contexts, not only what stands around the matched sentence.")
@click.option("--plain", is_flag=True, help="On a terminal, too: no colours, no bars, no links.")
@click.option("--paths", is_flag=True, help="Print the sources of the hits and nothing else, each once, a line each.")
@json_option
def query(
    question: str | None,
    index_path: str,
    model: str | None,
    k: int,
    mode: Any,
    where: tuple[str, ...],
    recall: float | None,
    min_score: float | None,
    full: bool,
    plain: bool,
    paths: bool,
    as_json: bool,
) -> int:
    """Ask a question.

    QUESTION is a question in plain English, or - for questions from standard input, a line each (with --json an object
    each). On a terminal it may be left out: then questions are asked one after another at a prompt.
    """
    from ctxsearch.cli import answers as showing
    from ctxsearch.cli import present

    wanted = conditions(where)
    if paths and as_json:
        raise ArgumentError("--paths and --json exclude one another")
    if question is None:
        if paths or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError("Missing argument 'QUESTION'", click.get_current_context())
        from ctxsearch.cli import prompt

        with opened(index_path, model=model, read_only=True) as index:
            return prompt.run(index, prompt.Settings(k, mode, where, min_score, full, plain))
    if question == "-":
        lines = sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()
        questions = [line.strip() for line in lines if line.strip()]
        if not questions:
            raise ArgumentError("no question on standard input; write one a line")
    else:
        questions = [question]
    with opened(index_path, model=model, read_only=True, recall=recall) as index:
        answers: list[Answer] = index.query_many(questions, k, mode, wanted, min_score)
        if paths:
            present.sources(showing.sources(answers))
        for answer in answers:
            if answer.truncated:
                say(present.TRUNCATED, err=True)
            if as_json:
                present.json_line(answer.to_dict())
            elif not paths:
                showing.show(answer, index, title=len(questions) > 1, full=full, plain=plain)
            if not answer:
                say(present.nothing_found(index, bool(wanted), min_score), err=True)
    return DONE
