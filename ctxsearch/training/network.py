"""The model in torch: late chunking as the encoder does it, similarity as search does it, and the losses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ctxsearch.errors import ModelError
from ctxsearch.training.pairs import TokenisedText

TOKENS_PER_PASS = 4096
"""Padded tokens of one forward pass; texts of like length share a pass."""

TEMPERATURE = 0.05
"""Of the softmax over a batch's contexts; what the base was trained with."""


class Embedded(NamedTuple):
    """Unit rows of several texts."""

    whole: Any
    """(texts, dim)."""
    sentences: Any
    """(sentences of all texts, dim)."""
    owner: Any
    """(sentences of all texts,), int64: the text that each belongs to."""


def load(base: Path, layers: Sequence[int] | None = None) -> Any:
    """A Hugging Face BERT-family model in float32, without dropout; of its layers only those named, from 0.

    Raises:
        ModelError: the folder cannot be loaded, or has no such layers.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model = transformers.AutoModel.from_pretrained(str(base), dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{base} cannot be loaded: {str(error).splitlines()[0]}") from error
    if layers is not None:
        stack = model.encoder.layer
        if not layers or max(layers) >= len(stack) or min(layers) < 0:
            raise ModelError(f"{base} has the layers 0 to {len(stack) - 1}; asked for {', '.join(map(str, layers))}")
        model.encoder.layer = torch.nn.ModuleList(stack[i] for i in layers)
        model.config.num_hidden_layers = len(layers)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def embed(
    model: Any,
    texts: Sequence[TokenisedText],
    *,
    cls: bool,
    recompute: bool = False,
) -> Embedded:
    """Embed texts and their sentences, as `encoder.runtime` pools them; differentiable.

    Args:
        model: as `load` gives it.
        texts: tokens with sentence boundaries.
        cls: whether the first token stands for the whole text, instead of the mean of all.
        recompute: keep of each pass only what it gives, and go through it again for its gradients: the memory of one
            pass, whatever the number of texts, for a third more time (as gradient caching: Gao et al. 2021,
            arXiv:2101.06983). The gradients are the same.
    """
    device = next(model.parameters()).device
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i].ids))
    wholes, sentences, owners = [], [], []
    first = 0
    while first < len(order):
        size = max(1, TOKENS_PER_PASS // len(texts[order[first]].ids))
        members = order[first : first + size]
        first += size
        given = _inputs([texts[i] for i in members], device)
        mask = given["attention_mask"].float()
        if recompute and torch.is_grad_enabled():
            states = checkpoint(_states, model, given, use_reentrant=False, preserve_rng_state=False)
        else:
            states = _states(model, given)
        lengths = mask.sum(1, keepdim=True)
        wholes.append(states[:, 0] if cls else (states * mask.unsqueeze(2)).sum(1) / lengths)
        segment, owner = _segments([texts[i] for i in members], states.shape[1])
        if len(owner):
            index = torch.from_numpy(segment.reshape(-1)).to(device)
            total = states.new_zeros(len(owner) + 1, states.shape[2]).index_add(0, index, states.flatten(0, 1))
            sentences.append(total[:-1])  # the sum points where the mean does
            owners.append(torch.from_numpy(np.array(members)[owner]).to(device))
    back = torch.empty(len(order), dtype=torch.int64)
    back[torch.tensor(order)] = torch.arange(len(order))
    whole = functional.normalize(torch.cat(wholes), dim=1)[back.to(device)]
    own = torch.cat(owners) if owners else torch.empty(0, dtype=torch.int64, device=device)
    each = functional.normalize(torch.cat(sentences), dim=1) if sentences else whole[:0]
    return Embedded(whole, each, own)


def _inputs(texts: Sequence[TokenisedText], device: Any) -> dict[str, Any]:
    longest = max(len(text.ids) for text in texts)
    ids = np.zeros((len(texts), longest), np.int64)
    mask = np.zeros((len(texts), longest), np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
    return {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(mask).to(device)}


def _states(model: Any, given: dict[str, Any]) -> Any:
    with torch.autocast(given["input_ids"].device.type, torch.bfloat16):
        return model(**given).last_hidden_state.float()


def _segments(texts: Sequence[TokenisedText], longest: int) -> tuple[Any, Any]:
    """For each token the number of its sentence, the last number + 1 for none; for each sentence its text."""
    segment = np.full((len(texts), longest), -1, np.int64)
    owner: list[int] = []
    for row, text in enumerate(texts):
        ends = [*text.boundaries[1:].tolist(), len(text.ids) - 1]
        for start, end in zip(text.boundaries.tolist(), ends, strict=False):
            segment[row, start:end] = len(owner)
            owner.append(row)
    segment[segment < 0] = len(owner)
    return segment, np.array(owner, np.int64)


def similarities(questions: Any, contexts: Embedded, sentence_weight: float) -> tuple[Any, Any]:
    """Cosines of questions (questions, dim) to contexts: of the context alone, and blended with its best sentence.

    Returns:
        Two of shape (questions, contexts).
    """
    whole = questions @ contexts.whole.T
    if not len(contexts.owner):
        return whole, whole
    each = questions @ contexts.sentences.T
    best = torch.full_like(whole, -1.0).scatter_reduce(
        1, contexts.owner.expand(len(questions), -1), each, "amax", include_self=False
    )
    # A text without a sentence of its own keeps -1 there: its whole stands for it.
    best = torch.where(best > -1.0, best, whole)
    return whole, sentence_weight * best + (1.0 - sentence_weight) * whole


def contrastive_loss(scores: Any, gold: Any, ignored: Any) -> Any:
    """Cross entropy of the gold context among a batch's (InfoNCE, van den Oord et al. 2018, arXiv:1807.03748).

    Args:
        scores: (questions, contexts).
        gold: (questions,), column of the right one.
        ignored: (questions, contexts), true where a context may be right as well.
    """
    return functional.cross_entropy((scores / TEMPERATURE).masked_fill(ignored, -1e4), gold)


def distillation_loss(scores: Any, teacher: Any) -> Any:
    """Kullback-Leibler divergence of the student's distribution over the contexts from the teacher's.

    Args:
        scores: the student's, (questions, contexts).
        teacher: the teacher's, of the same shape and scale.
    """
    return functional.kl_div(
        functional.log_softmax(scores / TEMPERATURE, dim=1),
        functional.softmax(teacher / TEMPERATURE, dim=1),
        reduction="batchmean",
    )
