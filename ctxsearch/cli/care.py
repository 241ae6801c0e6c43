"""The commands that look after an index."""

from __future__ import annotations

import click

from ctxsearch.cli.common import DONE, FAILED, complain, conditions, index_option, json_option, opened


@click.command()
@index_option
@json_option
def status(index_path: str, as_json: bool) -> int:
    """What an index holds, and whether it is in order."""
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        found = index.status()
    if as_json:
        present.json_line(present.status_json(found))
    else:
        present.status(found)
    for problem in found.problems:
        complain(problem)
    return DONE if found.healthy else FAILED


@click.command("list")
@index_option
@click.option("--where", multiple=True, metavar="K=V", help="Only documents with this metadata.")
@json_option
def list_(index_path: str, where: tuple[str, ...], as_json: bool) -> int:
    """The documents of an index."""
    from ctxsearch.cli import present

    with opened(index_path, read_only=True) as index:
        found = index.documents(conditions(where))
    if as_json:
        present.json_line({"index": index_path, "documents": [present.summary_json(summary) for summary in found]})
    else:
        present.summaries(found)
    return DONE


@click.command()
@click.argument("source")
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
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
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
        click.echo(f"{deleted} {'document' if deleted == 1 else 'documents'} deleted")
    return DONE


@click.command()
@index_option
@json_option
def verify(index_path: str, as_json: bool) -> int:
    """Check everything in an index: the catalog, its full text, and every vector."""
    from ctxsearch.cli import present

    with opened(index_path) as index:
        problems = index.verify()
    if as_json:
        present.json_line({"index": index_path, "healthy": not problems, "problems": problems})
    elif not problems:
        click.echo(f"{index_path} is in order")
    for problem in problems:
        complain(problem)
    return FAILED if problems else DONE


@click.command()
@index_option
def compact(index_path: str) -> int:
    """Give back the space of what was deleted."""
    with opened(index_path) as index:
        before = sum(index.status().bytes.values())
        index.compact()
        after = sum(index.status().bytes.values())
    click.echo(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    return DONE
