"""Which model folders this user has named, so that an index may name them from then on.

An index says where its model was. The index may come from a stranger, and so may that folder: it is opened only if it
is among the user's models (`passport.model_homes`), or if this user has named it before. A name is remembered with the
fingerprint of the passport, in the user's cache: another model in its place is asked about again.

Paths are compared as texts. Nothing at a path that an index names is touched before it is confirmed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ctxsearch.passport import model_homes


def confirm(folder: str | os.PathLike[str], fingerprint: str) -> None:
    """Remember that this user named a model folder. Where nothing can be written, it is asked about the next time."""
    if _is_at_home(folder):
        return
    record = _record(folder, fingerprint)
    with suppress(OSError):
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(record, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))


def is_confirmed(folder: str | os.PathLike[str], fingerprint: str) -> bool:
    """Whether this user keeps a model folder among the others, or has named it before."""
    return _is_at_home(folder) or _record(folder, fingerprint).is_file()


def _is_at_home(folder: str | os.PathLike[str]) -> bool:
    parent = os.path.dirname(os.path.abspath(folder))
    return any(parent in (os.path.abspath(home), os.path.realpath(home)) for home in model_homes())


def _record(folder: str | os.PathLike[str], fingerprint: str) -> Path:
    named = f"{os.path.abspath(folder)}\0{fingerprint}"
    return _records() / hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()


def _records() -> Path:
    if named := os.environ.get("CTXSEARCH_CACHE"):
        return Path(named) / "confirmed-models"
    from platformdirs import user_cache_path

    return user_cache_path("ctxsearch", appauthor=False) / "confirmed-models"
