"""Makes a golden index: ``python -m tests.golden.make NAME``. Run once for a format, with the code that writes it.

``NAME/index`` is the index folder as it was closed; ``NAME/expected.json`` has what it must answer for ever: texts, the
contexts by words, and the contexts for stored embeddings, so that no model is needed to ask.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import ctxsearch
from ctxsearch.records import Filter

HERE = Path(__file__).parent
QUESTIONS = ["what eats earthworms?", "who may approve a refund?", "how cold may it be for the sensor?", "zebra"]


def documents() -> list[ctxsearch.Document]:
    made = [
        ctxsearch.Document(
            "# Refunds\n\nThe duty manager may approve a refund up to 40 euro.\n\n## Above that\n\nThe head of finance "
            "approves what is higher. Café vouchers are never refunded.\n",
            source="handbook/refunds.md",
            title="Refunds",
            metadata={"team": "ops", "year": 2026, "public": True, "note": None},
            headings=(ctxsearch.Heading(0, 1, "Refunds"), ctxsearch.Heading(61, 2, "Above that")),
            origin="/golden/handbook/refunds.md",
        ),
        ctxsearch.Document("Badgers dig setts and eat earthworms.\r\nThey sleep by day.", source="badger.txt"),
        ctxsearch.Document(
            "Кит живёт в море. 鯨は海に住む。", source="whale.txt", title="鯨", metadata={"team": "sea"}
        ),
        ctxsearch.Document("The zebra was here and must not come back.", source="deleted.txt"),
        ctxsearch.Document("An old text about the zebra, replaced later.", source="changed.txt"),
    ]
    for n in range(6):
        text = f"Sensor {n} works down to -{n * 5} degrees. " + f"Its log has number {n}. " * (3 + 40 * (n == 5))
        record = ctxsearch.Document(text, source=f"sensor-{n}", origin="/golden/sensors.jsonl", is_record=True)
        made.append(record)
    return made


def answers(index: ctxsearch.Index, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the store finds for questions with their embeddings, by meaning and by words."""
    import numpy as np

    found = []
    with index._store.snapshot() as snapshot:
        for question in asked:
            vector = np.frombuffer(base64.b64decode(question["embedding"]), np.float32)
            dense = snapshot.search_dense(vector, 6, 0.85)
            lexical = snapshot.search_lexical(question["question"], 6)
            filtered = snapshot.search_lexical(question["question"], 6, Filter({"team": "ops"}))
            found.append(
                {
                    "dense": [[c.context_id, round(c.dense or 0.0, 5), c.sentence] for c in dense],
                    "lexical": [[c.context_id, round(c.lexical or 0.0, 5)] for c in lexical],
                    "filtered": [c.context_id for c in filtered],
                }
            )
    return found


def contents(index: ctxsearch.Index) -> list[dict[str, Any]]:
    """Documents with their texts and contexts."""
    listed = []
    with index._store.snapshot() as snapshot:
        ids = {c.context_id for word in ("the", "Кит", "a", "its") for c in snapshot.search_lexical(word, 100)}
        for context in snapshot.contexts(sorted(ids)).values():
            listed.append(
                {
                    "context": [context.context_id, context.document_id, context.start, context.end, context.text],
                    "headings": list(context.headings),
                    "sentences": [list(sentence) for sentence in context.sentences],
                }
            )
    documents = [
        {
            "document_id": d.document_id,
            "source": d.source,
            "title": d.title,
            "metadata": dict(d.metadata),
            "text": index.text(document_id=d.document_id),
        }
        for d in index.documents()
    ]
    return [*documents, *listed]


def main(name: str) -> None:
    folder = HERE / name
    with ctxsearch.open(folder / "index") as index:
        index.add(documents())
        index.add([ctxsearch.Document("Otters replaced the old text.", source="changed.txt")])
        index.delete(source="deleted.txt")
        questions = index._get_encoder().embed_questions(QUESTIONS)
        asked = [{"question": q.text, "embedding": base64.b64encode(q.embedding.tobytes()).decode()} for q in questions]
        expected = {
            "format": index.status().format,
            "passport": index.status().passport,
            "asked": asked,
            "answers": answers(index, asked),
            "contents": contents(index),
        }
    for left in ("writer.lock", "writer.json"):
        (folder / "index" / left).unlink(missing_ok=True)
    text = json.dumps(expected, ensure_ascii=False, indent=1, sort_keys=True)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
