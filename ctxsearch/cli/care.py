"""The commands that look after an index."""

from __future__ import annotations

import click

import ctxsearch
from ctxsearch.cli import completion
from ctxsearch.cli.common import (
    DONE,
    FAILED,
    complain,
    conditions,
    index_option,
    json_option,
    model_option,
    opened,
    where_option,
)
from ctxsearch.cli.terminal import say
from ctxsearch.errors import ArgumentError


@click.command()
@index_option
@json_option
def status(index_path: str, as_json: bool) -> int:
    """What an index holds, and whether it is in order."""
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        found = index.status()
    if as_json:
        present.json_line(found.to_dict())
    else:
        present.status(found)
    for problem in found.problems:
        complain(problem)
    return DONE if found.healthy else FAILED


@click.command("list")
@index_option
@where_option
@click.option("--failed", is_flag=True, help="Instead, the sources that could not be read, and why.")
@json_option
def list_(index_path: str, where: tuple[str, ...], failed: bool, as_json: bool) -> int:
    """The documents of an index."""
    from ctxsearch.cli import present

    if failed:
        if where:
            raise ArgumentError("list takes either --failed or --where: what could not be read has no metadata")
        with opened(index_path, read_only=True) as index:
            failures = index.failures()
        if as_json:
            present.json_line({"index": index_path, "failures": [one.to_dict() for one in failures]})
        else:
            present.failures(failures)
        return DONE
    with opened(index_path, read_only=True) as index:
        found = index.documents(conditions(where))
    if as_json:
        present.json_line({"index": index_path, "documents": [summary.to_dict() for summary in found]})
    else:
        present.summaries(found)
    return DONE


@click.command()
@click.argument("source", shell_complete=completion.sources)
@index_option
@json_option
def show(source: str, index_path: str, as_json: bool) -> int:
    """Print a document's text, letter for letter: what the offsets of hits point into."""
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        text = index.text(source=source)
    if as_json:
        present.json_line({"index": index_path, "source": source, "text": text})
    else:
        present.exactly(text)
    return DONE


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=completion.sources)
@index_option
@json_option
def delete(sources: tuple[str, ...], index_path: str, as_json: bool) -> int:
    """Remove documents, each named by its source; a file's path removes all that came from it."""
    from ctxsearch.cli import present

    with opened(index_path) as index:
        deleted = sum(index.delete(source=source) for source in sources)
        generation = index.status().generation
    if as_json:
        present.json_line({"index": index_path, "generation": generation, "deleted": deleted})
    else:
        say(f"{deleted} {'document' if deleted == 1 else 'documents'} deleted")
    return DONE


@click.command()
@index_option
@json_option
def verify(index_path: str, as_json: bool) -> int:
    """Check everything in an index: the catalog, its full text, every vector, and the model."""
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        problems = index.verify()
    if as_json:
        present.json_line({"index": index_path, "healthy": not problems, "problems": problems})
    elif not problems:
        say(f"{index_path} is in order")
    for problem in problems:
        complain(problem)
    return FAILED if problems else DONE


@click.command()
@index_option
def compact(index_path: str) -> int:
    """Give back the space of what was deleted; nothing of it stays on the disk.

    The model before a reembed goes as well, and what a repair or a new format kept.
    """
    with opened(index_path) as index:
        before = sum(index.status().bytes.values())
        index.compact()
        after = sum(index.status().bytes.values())
    say(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    return DONE


@click.command()
@index_option
def reindex(index_path: str) -> int:
    """Make full-text search anew, by the words of this version.

    An index of an older version is searched by the words that it has; status says so. Nothing is embedded again.
    """
    with opened(index_path) as index:
        index.reindex()
        documents = index.status().documents
    say(f"{documents:,} documents have the words of this version")
    return DONE


@click.command()
@index_option
@json_option
def repair(index_path: str, as_json: bool) -> int:
    """Make an index whole again.

    What is derived is made anew. Of a damaged catalog all documents that can be read are saved, without embedding
    them again; those that cannot are named, to be ingested again. Exit status 1 if something was lost.
    """
    from ctxsearch.cli import present

    done = ctxsearch.Index.repair(index_path)
    if as_json:
        present.json_line(done.to_dict())
    else:
        made = f"made anew: {', '.join(done.repaired)}" if done.repaired else "nothing was to be made anew"
        say(f"{made}; {done.documents:,} documents are there, {len(done.lost):,} were lost")
    for name in done.lost[: present.MOST_LISTED]:
        complain(f"lost: {name}; ingest it again")
    if len(done.lost) > present.MOST_LISTED:
        complain(f"{len(done.lost) - present.MOST_LISTED} more were lost; --json lists them all")
    return FAILED if done.lost else DONE


@click.command()
@click.argument("destination", metavar="DEST")
@index_option
@json_option
def backup(destination: str, index_path: str, as_json: bool) -> int:
    """Copy an index to a new folder DEST, while others may write to it.

    To restore it, copy DEST back to where the index was.
    """
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        index.backup(destination)
    with opened(destination, read_only=True) as copy:
        found = copy.status()
    if as_json:
        copied = {"generation": found.generation, "documents": found.documents}
        present.json_line({"index": index_path, "backup": destination, **copied})
    else:
        say(f"{found.documents:,} documents of generation {found.generation:,} are in {destination}")
    return DONE


@click.command()
@click.argument("file", metavar="FILE")
@index_option
@json_option
def export(file: str, index_path: str, as_json: bool) -> int:
    """Write an index to a JSON Lines FILE: texts, metadata and vectors. A name that ends in .gz is compressed."""
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        count = index.export(file)
    if as_json:
        present.json_line({"index": index_path, "file": file, "documents": count})
    else:
        say(f"{count:,} documents are in {file}")
    return DONE


@click.command("import")
@click.argument("file", metavar="FILE")
@index_option
@model_option
@json_option
def import_(file: str, index_path: str, model: str | None, as_json: bool) -> int:
    """Take in what export wrote, into an index that is made if there is none; nothing is embedded."""
    from ctxsearch.cli import present

    done = ctxsearch.Index.import_(file, index_path, model=model)
    if as_json:
        present.json_line(done.to_dict())
    else:
        say(f"documents: {done.added:,} added, {done.updated:,} updated, {done.unchanged:,} unchanged")
    return DONE


@click.command()
@index_option
@click.option("--model", metavar="NAME|DIR", help="The model to go over to.")
@click.option("--rollback", is_flag=True, help="Go back to the model before; possible until compact.")
@json_option
def reembed(index_path: str, model: str | None, rollback: bool, as_json: bool) -> int:
    """Take an index over to another model, while others query it.

    Everything is embedded anew beside what is there; then the index goes over in one step. A run that was interrupted
    goes on where it was.
    """
    from ctxsearch.cli import present

    if (model is None) != rollback:
        raise ArgumentError("reembed takes either --model NAME or --rollback")
    with opened(index_path) as index:
        done = index.reembed(model) if model is not None else index.rollback()
    if as_json:
        present.json_line(done.to_dict())
    else:
        say(
            f"{index_path} is of the model {done.model} now: {done.documents:,} documents, "
            f"{done.embedded:,} of them embedded in {done.seconds:.1f} s"
        )
    return DONE
