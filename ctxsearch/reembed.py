"""An index is taken over to another model: its documents are cut and embedded anew, beside those that readers use.

The texts come from the index itself, whose contexts tile them; no source is read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from ctxsearch import canaries, contexts, logs
from ctxsearch.records import Context, Document, ReembedReport, Sentence, WholeContext, WholeDocument
from ctxsearch.store import Successor

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder

CONTEXTS_PER_WINDOW = 512
"""Contexts that are embedded together; each window ends in a commit, from which a killed run goes on."""


def bring_up_to_date(successor: Successor, get_encoder: Callable[[], Encoder], index_name: str) -> ReembedReport:
    """Embed what the successor lacks, and flip to it.

    Args:
        successor: its documents are kept as far as they are those of the index.
        get_encoder: gives an encoder of the successor's passport; called when there is something to embed.
        index_name: how the report names the index.
    """
    started = time.perf_counter()
    encoder = canaries.guarded(successor, get_encoder)
    embedded = 0
    window: list[tuple[WholeDocument, list[Context]]] = []
    pending = successor.pending()
    for document_id in pending:
        document = successor.document(document_id)
        window.append((document, recut(document, encoder().count_tokens, encoder().context_budget)))
        if sum(len(cut) for _, cut in window) >= CONTEXTS_PER_WINDOW or document_id == pending[-1]:
            _embed(successor, encoder(), window)
            embedded += len(window)
            window = []
    generation = successor.flip()
    documents, count, _ = successor.counts()
    logs.info(
        "%s is of the model %s now: %d documents, %d embedded",
        index_name,
        successor.passport.label,
        documents,
        embedded,
    )
    return ReembedReport(
        index=index_name,
        generation=generation,
        model=successor.passport.name,
        documents=documents,
        embedded=embedded,
        contexts=count,
        seconds=time.perf_counter() - started,
    )


def recut(document: WholeDocument, count_tokens: contexts.TokenCounter, budget: int) -> list[Context]:
    """Cut a document's text as `contexts.split` cut it, for another window or vocabulary.

    Where the index did not keep the document's headings, those of its contexts tell where a section begins.
    """
    if document.headings is not None:
        whole = Document(document.text, document.source, headings=document.headings, pages=document.pages)
        return list(contexts.split(whole, count_tokens, budget))
    cut: list[Context] = []
    for headings, section in groupby(document.contexts, key=lambda context: context.headings):
        several = list(section)
        start = several[0].start
        text = "".join(context.text for context in several)
        for context in contexts.split(Document(text, document.source), count_tokens, budget):
            sentences = tuple(Sentence(s.start + start, s.end + start) for s in context.sentences)
            moved = replace(context, start=context.start + start, end=context.end + start)
            cut.append(replace(moved, headings=headings, sentences=sentences))
    return cut


def _embed(successor: Successor, encoder: Encoder, window: list[tuple[WholeDocument, list[Context]]]) -> None:
    embeddings = encoder.embed_contexts([context for _, cut in window for context in cut])
    row = 0
    for document, cut in window:
        made = [WholeContext.of(context, 0, embeddings[row + i]) for i, context in enumerate(cut)]
        row += len(cut)
        successor.put(replace(document, contexts=tuple(made)))
    successor.commit()
