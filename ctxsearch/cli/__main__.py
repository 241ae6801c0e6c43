"""``python -m ctxsearch.cli`` is ``ctxsearch``."""

from ctxsearch.cli import process

process()
