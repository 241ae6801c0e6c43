"""Finding what is like a document or a context of the index, by the embeddings that are stored."""

from __future__ import annotations

from ctxsearch import arguments, documents
from ctxsearch.embeddings import centroid, unit_vector
from ctxsearch.errors import DocumentNotFoundError
from ctxsearch.query import Search, nearest
from ctxsearch.ranking import Without
from ctxsearch.records import Answer, StoredDocument
from ctxsearch.store import Store


def like_document(store: Store, selection: documents.Selection, search: Search, index_name: str) -> Answer:
    """The contexts nearest to the mean of a document's contexts, none of its own among them.

    Raises:
        DocumentNotFoundError: there is no such document, or several came from the file.
    """
    with store.snapshot() as snapshot:
        ids = documents.find(snapshot, selection.named, index_name)
        document_id = documents.only(ids, selection.named)
        document = StoredDocument.of(snapshot.whole_document(document_id), vectors=True)
        without = Without(document_id=document_id)
        return nearest(store, centroid(document), search, index_name=index_name, without=without)


def like_context(store: Store, context_id: int, search: Search, index_name: str) -> Answer:
    """The contexts nearest to a context, itself left out; others of its document may be among them.

    Raises:
        DocumentNotFoundError: there is no such context.
    """
    with store.snapshot() as snapshot:
        known = 0 <= context_id <= arguments.MAX_ROW_ID
        owner = snapshot.documents_of_contexts([context_id]).get(context_id) if known else None
        if owner is None:
            raise DocumentNotFoundError(
                f"no context {context_id} in {index_name}; Hit.context_id names those there are"
            )
        document = snapshot.whole_document(owner)
        (rows,) = (context.rows for context in document.contexts if context.context_id == context_id)
        vector = unit_vector(rows[0], snapshot.passport.dim)
        return nearest(store, vector, search, index_name=index_name, without=Without(context_id=context_id))
