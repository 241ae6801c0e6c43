"""The examples at the end of each command's help. The tests hold each to be one that the command line takes."""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "ingest": (
        "ctxsearch ingest docs/ notes.md",
        "ctxsearch ingest docs/ --glob '*.md' --metadata team=ops --prune",
        "ctxsearch ingest records.jsonl.gz --index indexes/records",
        "ctxsearch ingest - < notes.txt",
    ),
    "query": (
        'ctxsearch query "who may approve a refund?"',
        'ctxsearch query "who may approve a refund?" -k 3 --where team=ops --full',
        "ctxsearch query",
        "ctxsearch query - --json < questions.txt",
        'ctxsearch query "travel costs" --paths | xargs -d "\\n" wc -w',
    ),
    "status": ("ctxsearch status", "ctxsearch status --index indexes/records --json"),
    "list": ("ctxsearch list", "ctxsearch list --where team=ops"),
    "show": ("ctxsearch show docs/refunds.md",),
    "delete": ("ctxsearch delete docs/old.md docs/older.md",),
    "verify": ("ctxsearch verify", "ctxsearch verify --index indexes/records --json"),
    "compact": ("ctxsearch compact --index indexes/records",),
    "reindex": ("ctxsearch reindex --index indexes/records",),
    "repair": ("ctxsearch repair --index indexes/records",),
    "backup": ("ctxsearch backup /mnt/backup/records --index indexes/records",),
    "export": ("ctxsearch export records.jsonl.gz --index indexes/records",),
    "import": ("ctxsearch import records.jsonl.gz --index indexes/copy",),
    "reembed": ("ctxsearch reembed --model my-model/int8", "ctxsearch reembed --rollback"),
    "doctor": ("ctxsearch doctor", "ctxsearch doctor --index indexes/records --json"),
    "completion": (
        'eval "$(ctxsearch completion bash)"',
        'eval "$(ctxsearch completion zsh)"',
        "ctxsearch completion fish > ~/.config/fish/completions/ctxsearch.fish",
    ),
    "eval": (
        "ctxsearch eval dev-v1.1.json --compare",
        "ctxsearch eval questions.jsonl --index indexes/records --mode dense",
    ),
    "model list": ("ctxsearch model list",),
    "model show": ("ctxsearch model show ctxsearch-l6-int8",),
    "model pull": ("ctxsearch model pull bert-small-uncased-whole-word-masking-squad-emb-int8-0001",),
    "model build": ("ctxsearch model build all-MiniLM-L6-v2 --out my-model --calibrate docs/",),
    "model train": ("ctxsearch model train --base all-MiniLM-L6-v2 --pairs pairs.jsonl --out my-model --epochs 2",),
    "model calibrate": ("ctxsearch model calibrate my-model/int8 --pairs pairs.jsonl",),
}


def attach(group: click.Group, before: str = "") -> None:
    """Give each command below a group its examples."""
    for name, command in group.commands.items():
        path = f"{before}{name}"
        if isinstance(command, click.Group):
            attach(command, f"{path} ")
        elif path in EXAMPLES:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[path])
