"""``python -m ctxsearch.cli`` is ``ctxsearch``."""

from ctxsearch.cli import main

main()
