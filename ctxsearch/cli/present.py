"""Hits, lists and reports as text for a person, and as the promised JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctxsearch.cli.terminal import clean, say
from ctxsearch.errors import ArgumentError
from ctxsearch.passport import DEFAULT_MODEL, ModelFolder
from ctxsearch.readers.kinds import UNITS
from ctxsearch.records import (
    DocumentSummary,
    FailedSource,
    Hit,
    IndexStatus,
    IngestReport,
)

if TYPE_CHECKING:
    from ctxsearch.evaluate import Evaluation
    from ctxsearch.index import Index

MOST_LISTED = 20
"""Documents that are lost and printed one by one; --json has them all."""

TRUNCATED = "the question is too long; its end was not searched"

_ESCAPED = {
    code: f"\\u{code:04x}"
    for code in (*range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}
"""Characters that JSON allows and a terminal obeys: control characters, and those that turn the direction of a line."""

# Writing


def json_line(value: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own."""
    line = json.dumps(value, ensure_ascii=False).translate(_ESCAPED)
    sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def exactly(text: str) -> None:
    """A text as it is, in UTF-8, with no newline added; on a terminal, without what a terminal obeys."""
    if sys.stdout.isatty():
        for line in text.expandtabs().splitlines():
            say(line)
        return
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def sources(found: Iterable[str]) -> None:
    """A line a source, as the system names it, so that other programs find the files; cleaned on a terminal."""
    for source in found:
        if sys.stdout.isatty():
            say(source)
        else:
            sys.stdout.buffer.write(source.encode("utf-8", "surrogateescape") + b"\n")
    sys.stdout.buffer.flush()


# Answers


def place(hit: Hit, line: int | None = None) -> str:
    """Where a hit stands, as in ``report.pdf p. 12 › Results``.

    Args:
        line: number of the line in the file, for a text that has lines.
    """
    where = hit.source
    mime_type = hit.metadata.get("mime_type")
    if hit.page is not None:
        where += f" {UNITS.get(str(mime_type), 'p.')} {hit.page}"
    elif line is not None:
        where += f" line {line}"
    titles = hit.headings or ((hit.title,) if hit.title and hit.title not in hit.source else ())
    return clean(" › ".join((where, *titles)))


def nothing_found(index: Index, filtered: bool, min_score: float | None) -> str:
    """Why an answer is empty."""
    if index.status().documents == 0:
        return f"the index {index.path} is empty; add documents with: ctxsearch ingest PATH --index {index.path}"
    if min_score is not None:
        return f"no context answers this with a probability of {min_score:g} or more"
    if filtered:
        return "no context was found; perhaps no document has the metadata that --where asks for"
    return "no context was found"


# Reports


def report(done: IngestReport) -> None:
    """What an ingest did, in two lines."""
    counts = done.documents
    parts = [f"{counts.added:,} added", f"{counts.updated:,} updated", f"{counts.unchanged:,} unchanged"]
    parts += [f"{counts.moved:,} moved"] if counts.moved else []
    parts += [f"{counts.deleted:,} deleted"] if counts.deleted else []
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    say(f"documents: {', '.join(parts)}")
    say(
        f"{done.contexts:,} contexts, {done.sentences:,} sentences, {done.tokens:,} tokens embedded "
        f"in {done.seconds:.1f} s ({done.contexts_per_second:.0f} contexts/s, encoder busy {done.encoder_busy:.0%}); "
        f"index {done.index}"
    )


def status(found: IndexStatus) -> None:
    """What an index holds."""
    passport = found.passport
    for name, value in (
        ("index", found.index),
        ("documents", f"{found.documents:,}"),
        *([("failed", f"{found.failed:,} (ctxsearch list --failed)")] if found.failed else []),
        ("contexts", f"{found.contexts:,}"),
        ("sentences", f"{found.sentences:,}"),
        ("generation", f"{found.generation:,}"),
        ("format", str(found.format)),
        ("on disk", f"{found.bytes['catalog'] / 1e6:.1f} MB catalog, {found.bytes['vectors'] / 1e6:.1f} MB vectors"),
        ("search", f"{found.vector_index} (recall {found.recall:.3f})"),
        *([("words", "of an older version (ctxsearch reindex)")] if found.words != "current" else []),
        ("model", f"{passport['name']}: {passport['dim']} dimensions, {passport['precision']}"),
        ("healthy", "yes" if found.healthy else "no"),
    ):
        say(f"{name:<12}{value}")


# Documents


def summaries(found: Iterable[DocumentSummary]) -> None:
    """A line a document: id, contexts, source, title."""
    for summary in found:
        title = "" if summary.title in summary.source else f"  {summary.title}"
        say(f"{summary.document_id:>6}  {summary.contexts:>5}  {summary.source}{title}")


def failures(found: Iterable[FailedSource]) -> None:
    """A line a source that could not be read: when, what, why."""
    for failure in found:
        say(f"{failure.failed_at[:10]}  {failure.source}: {failure.error}")


# Evaluations


def evaluation(found: Evaluation) -> None:
    """Accuracy, in two or three lines."""
    top = ", ".join(f"top-{k} {percent:.2f} %" for k, percent in found.top.items())
    say(f"{found.dataset}, {found.protocol} protocol, {found.mode}: {top}")
    say(f"MRR {found.mrr:.4f}, nDCG@10 {found.ndcg10:.4f}{_held(found)}")
    rate = found.questions / found.seconds
    say(f"{found.questions:,} questions, {found.contexts:,} contexts, {found.seconds:.1f} s, {rate:,.0f} questions/s")


def _held(found: Evaluation) -> str:
    if found.answer_in_sentence is None:
        return ""
    return f", an answer in the first hit's sentence {found.answer_in_sentence:.2f} %"


def comparison(found: Sequence[Evaluation]) -> None:
    """Modes side by side, with their 95 % confidence intervals."""
    first = found[0]
    say(f"{first.dataset}, {first.questions:,} questions, {first.contexts:,} contexts; 95 % intervals, bootstrap")
    say(f"{'mode':<8}  {'top-1':^22}  {'top-5':^22}  {'MRR':^24}")
    for one in found:
        cells = [
            f"{value:6.2f} [{low:5.2f}, {high:5.2f}]"
            for value, (low, high) in ((one.top[k], one.intervals[f"top{k}"]) for k in (1, 5))
        ]
        low, high = one.intervals["mrr"]
        say(f"{one.mode:<8}  {cells[0]:^22}  {cells[1]:^22}  {one.mrr:.4f} [{low:.4f}, {high:.4f}]{_held(one)}")


def write_outcomes(path: Path, found: Sequence[Evaluation]) -> None:
    """A JSON line a question and mode."""
    lines = [
        json.dumps({"mode": one.mode, **asdict(outcome)}, ensure_ascii=False)
        for one in found
        for outcome in one.outcomes
    ]
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error.strerror or error}") from error


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
        "ndcg10": round(found.ndcg10, 5),
        "answer_in_sentence": None if found.answer_in_sentence is None else round(found.answer_in_sentence, 3),
        "seconds": round(found.seconds, 3),
        "questions_per_second": round(found.questions / found.seconds, 1),
        "intervals": {name: [round(low, 5), round(high, 5)] for name, (low, high) in found.intervals.items()},
    }


# Models


def models(found: Sequence[ModelFolder]) -> None:
    """A line a model."""
    for folder in found:
        passport = folder.passport
        default = "  (default)" if passport.name == DEFAULT_MODEL else ""
        say(
            f"{passport.name}  {passport.dim} dimensions, {passport.precision}, "
            f"windows {passport.context_window}/{passport.question_window}{default}"
        )


def model(folder: ModelFolder) -> None:
    """A model's card."""
    say(f"{'folder':<20}{folder.path}")
    say(f"{'fingerprint':<20}{folder.passport.fingerprint}")
    for key, value in folder.card.items():
        say(f"{key:<20}{value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)}")


def model_json(folder: ModelFolder) -> dict[str, Any]:
    """A model of ``model list --json`` and ``model show --json``."""
    return {"folder": str(folder.path), "fingerprint": folder.passport.fingerprint, **folder.card}
