"""What is said of a model that was made: ``training`` in its `model.json`, and a README.md for people. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctxsearch.passport import CARD, GRAPH, WEIGHTS, ModelFolder, write_card


def giga_operations(config: Mapping[str, Any], window: int) -> float:
    """Operations of one context of ``window`` tokens, in units of 10^9; a multiplication and its addition are two.

    Multiplications of a layer and token: 4 h² for query, key, value and output, 2 h f for the feed-forward, 2 n h for
    attention over n tokens, with hidden size h and feed-forward size f (Vaswani et al. 2017, arXiv:1706.03762).
    Embeddings, norms and activations are left out.
    """
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    products = 4 * hidden**2 + 2 * hidden * inner + 2 * window * hidden
    return 2.0 * products * window * int(config["num_hidden_layers"]) / 1e9


def add_to_card(folder: ModelFolder, training: Mapping[str, Any]) -> ModelFolder:
    """Put what is known of the training into the card and write the page. Nothing that identifies the model changes."""
    card = {**folder.card, "training": dict(training)}
    write_card(folder.path, card)
    (folder.path / "README.md").write_text(page(card), encoding="utf-8")
    return ModelFolder.load(folder.path)


def page(card: Mapping[str, Any]) -> str:
    """The readable page of a card that has ``training``."""
    training = card["training"]
    size = sum(card["bytes"][file] for file in (GRAPH, WEIGHTS)) / 1e6
    dimensions = f"{card['dim']} dimensions"
    if card.get("lexical_dim"):
        dimensions += f" (the last {card['lexical_dim']} say which words a text has)"
    lines = [
        f"# {card['name']}",
        "",
        f"A retriever for questions of at most {card['question_window']} tokens and contexts of at most "
        f"{card['context_window']}: {dimensions}, {card['precision']}, {size:.1f} MB, "
        f"{training['gops']:.1f} GOps a context. The base is {training['base']}; its licence: {card['licence']}.",
        "",
        "Made by",
        "",
        "```",
        str(training["command"]),
        "```",
        "",
        f"from {training['questions']:,} questions over {training['paragraphs']:,} paragraphs "
        f"({', '.join(training['data'])}).",
        "",
        *_table(training["steps"]),
        "",
        "Accuracy is in percent, in the seed's protocol (one vector a context, exact search), "
        f"on {training['held_out']}.",
        "",
    ]
    return "\n".join(lines)


def _table(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = ["| step | top-1 | top-5 | MRR | minutes | seed | settings |", "|---|---|---|---|---|---|---|"]
    for step in steps:
        settings = ", ".join(f"{key} {value}" for key, value in step.get("settings", {}).items() if value is not None)
        accuracy = ("–", "–", "–")
        if "top5" in step:
            accuracy = (f"{step['top1']:.2f}", f"{step['top5']:.2f}", f"{step['mrr']:.4f}")
        minutes = f"{step.get('seconds', 0.0) / 60:.1f}"
        rows.append(f"| {' | '.join([step['step'], *accuracy, minutes, str(step.get('seed', '')), settings])} |")
    return rows


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """The steps that the card of a model folder tells; empty for a folder without."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return [dict(step) for step in card["training"]["steps"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
