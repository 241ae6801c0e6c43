"""Hits, lists and reports as text for a person, and as the promised JSON for a program."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ctxsearch.passport import DEFAULT_MODEL, ModelFolder
from ctxsearch.records import (
    Answer,
    DocumentSummary,
    Hit,
    ImportReport,
    IndexStatus,
    IngestReport,
    ReembedReport,
    RepairReport,
)

if TYPE_CHECKING:
    from ctxsearch.evaluate import Evaluation
    from ctxsearch.index import Index

MOST_LISTED = 20
"""Failures and skips printed one by one; --json has them all."""

TRUNCATED = "the question is too long; its end was not searched"
_MARK = "\x01"
"""Stands where the matched sentence begins and ends; cleaned text has no such character."""

_CONTROL = {code: " " for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\n\t"}


# Writing


def json_line(value: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own."""
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def exactly(text: str) -> None:
    """A text as it is, in UTF-8, with no newline added."""
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def _print(text: str = "") -> None:
    """A line. What no terminal should be sent is left out: a document may hold escape codes, a terminal obeys them."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), color=_colours())


def _clean(text: str) -> str:
    return text.translate(_CONTROL)


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


# Answers


def answer(found: Answer, title: bool) -> None:
    """An answer: per hit its rank, score and place, and the context with the matched sentence marked."""
    if title:
        _print(click.style(_clean(found.question), bold=True))
        _print()
    for hit in found:
        _hit(hit)


def _hit(hit: Hit) -> None:
    place = _clean(hit.source)
    if hit.headings:
        place += "  " + _clean(" › ".join(hit.headings))
    elif hit.title and hit.title not in hit.source:
        place += "  " + _clean(hit.title)
    _print(f"{click.style(str(hit.rank), bold=True)}  {hit.score:.3f}  {click.style(place, fg='cyan')}")
    width = min(100, shutil.get_terminal_size((80, 24)).columns)
    for line in _marked(hit, width - 4):
        _print(f"    {line}")
    _print()


def _marked(hit: Hit, width: int) -> list[str]:
    """The context's lines wrapped to the width, the matched sentence between » and « (bold where there are colours)."""
    start, end = hit.sentence.start - hit.start, hit.sentence.end - hit.start
    before, matched, after = (_clean(part) for part in (hit.text[:start], hit.text[start:end], hit.text[end:]))
    marked = f"{before}{_MARK}»{matched}«{_MARK}{after}"
    lines = []
    inside = False
    for line in marked.splitlines():
        for wrapped in textwrap.wrap(line, max(20, width), break_on_hyphens=False):
            pieces = []
            for number, piece in enumerate(wrapped.split(_MARK)):
                inside = inside != (number > 0)
                pieces.append(click.style(piece, bold=True) if inside and piece else piece)
            lines.append("".join(pieces))
    return lines


def nothing_found(index: Index, filtered: bool) -> str:
    """Why an answer is empty."""
    if index.status().documents == 0:
        return f"the index {index.path} is empty; add documents with: ctxsearch ingest PATH --index {index.path}"
    if filtered:
        return "no context was found; perhaps no document has the metadata that --where asks for"
    return "no context was found"


def answer_json(found: Answer, index: str) -> dict[str, Any]:
    """The object that ``query --json`` promises."""
    return {
        "question": found.question,
        "index": index,
        "generation": found.generation,
        "mode": found.mode,
        "truncated": found.truncated,
        "hits": [
            {
                "rank": hit.rank,
                "score": hit.score,
                "scores": hit.scores._asdict(),
                "document_id": hit.document_id,
                "context_id": hit.context_id,
                "source": hit.source,
                "title": hit.title,
                "metadata": dict(hit.metadata),
                "page": hit.page,
                "headings": list(hit.headings),
                "start": hit.start,
                "end": hit.end,
                "text": hit.text,
                "sentence": {"start": hit.sentence.start, "end": hit.sentence.end, "text": hit.sentence.text},
            }
            for hit in found
        ],
        "milliseconds": {
            "embed": round(found.milliseconds.embed, 3),
            "search": round(found.milliseconds.search, 3),
            "total": round(found.milliseconds.total, 3),
        },
    }


# Reports


def report(done: IngestReport) -> None:
    """What an ingest did, in two lines."""
    counts = done.documents
    parts = [f"{counts.added:,} added", f"{counts.updated:,} updated", f"{counts.unchanged:,} unchanged"]
    parts += [f"{counts.deleted:,} deleted"] if counts.deleted else []
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    _print(f"documents: {', '.join(parts)}")
    _print(
        f"{done.contexts:,} contexts, {done.sentences:,} sentences, {done.tokens:,} tokens embedded "
        f"in {done.seconds:.1f} s ({done.contexts_per_second:.0f} contexts/s); index {_clean(done.index)}"
    )


def report_json(done: IngestReport) -> dict[str, Any]:
    """The object that ``ingest --json`` promises."""
    counts = done.documents
    return {
        "index": done.index,
        "generation": done.generation,
        "documents": {
            "added": counts.added,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "deleted": counts.deleted,
            "failed": counts.failed,
        },
        "contexts": done.contexts,
        "sentences": done.sentences,
        "tokens": done.tokens,
        "seconds": round(done.seconds, 3),
        "contexts_per_second": round(done.contexts_per_second, 1),
        "failures": [failure._asdict() for failure in done.failures],
        "skipped": [skip._asdict() for skip in done.skipped],
    }


def status(found: IndexStatus) -> None:
    """What an index holds."""
    passport = found.passport
    for name, value in (
        ("index", _clean(found.index)),
        ("documents", f"{found.documents:,}"),
        ("contexts", f"{found.contexts:,}"),
        ("sentences", f"{found.sentences:,}"),
        ("generation", f"{found.generation:,}"),
        ("format", str(found.format)),
        ("on disk", f"{found.bytes['catalog'] / 1e6:.1f} MB catalog, {found.bytes['vectors'] / 1e6:.1f} MB vectors"),
        ("search", f"{found.vector_index} (recall {found.recall:.3f})"),
        ("model", f"{passport['name']}: {passport['dim']} dimensions, {passport['precision']}"),
        ("healthy", "yes" if found.healthy else "no"),
    ):
        _print(f"{name:<12}{value}")


def status_json(found: IndexStatus) -> dict[str, Any]:
    """The object that ``status --json`` promises."""
    return {
        "index": found.index,
        "format": found.format,
        "generation": found.generation,
        "documents": found.documents,
        "contexts": found.contexts,
        "sentences": found.sentences,
        "bytes": dict(found.bytes),
        "vector_index": found.vector_index,
        "recall": found.recall,
        "passport": dict(found.passport),
        "healthy": found.healthy,
        "problems": list(found.problems),
    }


def fields_json(done: RepairReport | ReembedReport | ImportReport) -> dict[str, Any]:
    """The object of a report whose fields say all."""
    return asdict(done)


# Documents


def summaries(found: Iterable[DocumentSummary]) -> None:
    """A line a document: id, contexts, source, title."""
    for summary in found:
        title = "" if summary.title in summary.source else f"  {summary.title}"
        _print(_clean(f"{summary.document_id:>6}  {summary.contexts:>5}  {summary.source}{title}"))


def summary_json(summary: DocumentSummary) -> dict[str, Any]:
    """A document of ``list --json``."""
    return {
        "document_id": summary.document_id,
        "source": summary.source,
        "title": summary.title,
        "metadata": dict(summary.metadata),
        "contexts": summary.contexts,
        "characters": summary.characters,
        "ingested_at": summary.ingested_at,
    }


# Evaluations


def evaluation(found: Evaluation) -> None:
    """Accuracy, a line."""
    top = ", ".join(f"top-{k} {percent:.2f} %" for k, percent in found.top.items())
    _print(f"{found.dataset}, {found.protocol} protocol, {found.mode}: {top}, MRR {found.mrr:.4f}")
    _print(f"{found.questions:,} questions, {found.contexts:,} contexts, {found.seconds:.1f} s")


def evaluation_json(found: Evaluation) -> dict[str, Any]:
    """The object that ``eval --json`` promises."""
    return {
        "dataset": found.dataset,
        "protocol": found.protocol,
        "mode": found.mode,
        "questions": found.questions,
        "contexts": found.contexts,
        **{f"top{k}": round(percent, 3) for k, percent in found.top.items()},
        "mrr": round(found.mrr, 5),
        "seconds": round(found.seconds, 3),
    }


# Models


def models(found: Sequence[ModelFolder]) -> None:
    """A line a model."""
    for folder in found:
        passport = folder.passport
        default = "  (default)" if passport.name == DEFAULT_MODEL else ""
        _print(
            f"{passport.name}  {passport.dim} dimensions, {passport.precision}, "
            f"windows {passport.context_window}/{passport.question_window}{default}"
        )


def model(folder: ModelFolder) -> None:
    """A model's card."""
    _print(f"{'folder':<20}{folder.path}")
    _print(f"{'fingerprint':<20}{folder.passport.fingerprint}")
    for key, value in folder.card.items():
        _print(f"{key:<20}{value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)}")


def model_json(folder: ModelFolder) -> dict[str, Any]:
    """A model of ``model list --json`` and ``model show --json``."""
    return {"folder": str(folder.path), "fingerprint": folder.passport.fingerprint, **folder.card}
