"""Which contexts and questions meet in one step: families of contexts that are easily confused. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxsearch.records import IntArray


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's contexts and questions, by number. Every question's context is among the contexts."""

    contexts: IntArray
    questions: IntArray


def epoch(
    neighbours: IntArray,
    questions_of: Sequence[IntArray],
    *,
    contexts: int,
    family: int,
    most_questions: int,
    seed: int,
) -> list[Batch]:
    """All contexts once, in batches; the hard negatives of a question are the other contexts of its batch.

    A batch is made of families: a context and the ``family - 1`` hardest of its neighbours that were not used yet.

    Args:
        neighbours: as `negatives.hard_neighbours` gives them.
        questions_of: for each context the numbers of its questions.
        contexts: of a batch, at most.
        family: contexts of a family, at most.
        most_questions: of one context in one epoch; others have their turn in another.
        seed: the same seed gives the same batches.
    """
    draw = np.random.default_rng(seed)
    free = np.array([len(questions) > 0 for questions in questions_of], bool)
    order: list[int] = []
    for seed_context in draw.permutation(len(questions_of)).tolist():
        if not free[seed_context]:
            continue
        members = [seed_context]
        free[seed_context] = False
        for other in neighbours[seed_context].tolist():
            if len(members) == family:
                break
            if other >= 0 and free[other]:
                free[other] = False
                members.append(other)
        order += members
    batches = []
    for first in range(0, len(order), contexts):
        chosen = order[first : first + contexts]
        asked = [draw.permutation(questions_of[context])[:most_questions] for context in chosen]
        batches.append(Batch(np.array(chosen, np.int64), np.concatenate(asked)))
    if len(batches) > 1 and len(batches[-1].contexts) < contexts // 2:
        last = batches.pop()
        batches[-1] = Batch(
            np.concatenate([batches[-1].contexts, last.contexts]),
            np.concatenate([batches[-1].questions, last.questions]),
        )
    return [batches[i] for i in draw.permutation(len(batches))]
