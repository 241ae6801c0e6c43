"""The two commands of the main job: ingest and query."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

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
    printable,
)
from ctxsearch.errors import ArgumentError

if TYPE_CHECKING:
    from ctxsearch.records import Answer


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@index_option
@model_option
@click.option("--glob", metavar="G", help="Of the files in folders, only those that fit, as in '*.md'.")
@click.option("--no-ignore", is_flag=True, help="Read what .gitignore and .ctxignore name, too.")
@click.option("--metadata", multiple=True, metavar="K=V", help="Added to every document; may be given several times.")
@click.option("--prune", is_flag=True, help="Remove documents that are gone from the paths.")
@json_option
def ingest(
    paths: tuple[str, ...],
    index_path: str,
    model: str | None,
    glob: str | None,
    no_ignore: bool,
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

    extra = pairs(metadata, "--metadata")
    with opened(index_path, create=True, model=model) as index, progress_bar() as on_progress:
        report = index.ingest(
            list(paths), glob=glob, ignore=not no_ignore, metadata=extra, prune=prune, on_progress=on_progress
        )
    if as_json:
        present.json_line(present.report_json(report))
    else:
        present.report(report)
    counts = report.documents
    for skip in report.skipped[: present.MOST_LISTED]:
        click.echo(printable(f"skipped {skip.source}: {skip.error}"), err=True)
    if len(report.skipped) > present.MOST_LISTED:
        click.echo(f"skipped {len(report.skipped) - present.MOST_LISTED} more", err=True)
    for failure in report.failures[: present.MOST_LISTED]:
        complain(f"{failure.source}: {failure.error}")
    if len(report.failures) > present.MOST_LISTED:
        complain(f"{len(report.failures) - present.MOST_LISTED} more failures; --json lists them all")
    if counts.added + counts.updated + counts.unchanged + counts.deleted == 0:
        if not report.failures:
            complain(f"nothing to read in {', '.join(paths)}")
        return FAILED
    return SOME_FAILED if report.failures else DONE


@click.command()
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
@click.option(
    "--recall",
    type=float,
    metavar="R",
    help="In a large index, the share of the ten best contexts that is found by meaning, on average: 0.99 unless "
    "given. 1 searches exactly, and slowly.",
)
@click.option("--min-score", type=float, metavar="P", help="Leave out hits that answer with a lower probability.")
@json_option
def query(
    question: str,
    index_path: str,
    model: str | None,
    k: int,
    mode: Any,
    where: tuple[str, ...],
    recall: float | None,
    min_score: float | None,
    as_json: bool,
) -> int:
    """Ask a question; - reads questions from standard input, a line each (with --json an object each)."""
    from ctxsearch.cli import present

    wanted = conditions(where)
    if question == "-":
        lines = sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()
        questions = [line.strip() for line in lines if line.strip()]
        if not questions:
            raise ArgumentError("no question on standard input; write one a line")
    else:
        questions = [question]
    with opened(index_path, model=model, read_only=True, recall=recall) as index:
        answers: list[Answer] = index.query_many(questions, k, mode, wanted, min_score)
        for answer in answers:
            if answer.truncated:
                click.echo(present.TRUNCATED, err=True)
            if as_json:
                present.json_line(present.answer_json(answer, str(index.path)))
            else:
                present.answer(answer, title=len(questions) > 1, index=index)
            if not answer:
                click.echo(present.nothing_found(index, bool(wanted), min_score), err=True)
    return DONE
