"""Runs ctxsearch from a checkout: ``python cli.py query "…"`` is ``ctxsearch query "…"``."""

from ctxsearch.cli import process

if __name__ == "__main__":
    process()
