"""Verified files become a model folder, in one rename.

    <models>/.NAME.partial/   what has arrived so far; kept when a pull fails, so that the next goes on
    <models>/.NAME.lock       held while somebody pulls that model
    <models>/NAME/            the model folder: there in whole, or not there

``<models>`` is the user's folder of models, the first of `model_homes`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import filelock

from ctxsearch.errors import ArgumentError, ModelError, ModelNotFoundError
from ctxsearch.layout import sync_folder
from ctxsearch.passport import CARD, ModelFolder, Passport, checksums, model_homes
from ctxsearch.pull.download import Patience, download
from ctxsearch.pull.zoo import BASE_URL, MODELS, RemoteModel

MIRROR = "CTXSEARCH_MODELS_URL"
"""Environment variable: an address below which the same paths are found, in place of the public one."""

ProgressListener: TypeAlias = Callable[[str, int, int], None]
"""Is told the file that is being fetched, and how many bytes of how many are there in all."""


def pull(
    name: str, *, on_progress: ProgressListener | None = None, patience: Patience | None = None
) -> tuple[ModelFolder, bool]:
    """Fetch a model into the user's folder of models, unless it is there already.

    Returns:
        The model folder, and whether anything had to be installed.

    Raises:
        ModelNotFoundError: no model of that name can be pulled.
        ModelError: it could not be fetched, or is not what it should be; the folder of before is as it was.
    """
    if name not in MODELS:
        raise ModelNotFoundError(f"no model {name!r} can be pulled; there are {' and '.join(sorted(MODELS))}")
    model, home = MODELS[name], model_homes()[0]
    base = os.environ.get(MIRROR) or BASE_URL
    if not base.startswith(("https://", "http://")):
        raise ArgumentError(f"${MIRROR} is {base!r}; it must begin with https:// or http://")
    try:
        home.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(home / f".{name}.lock", timeout=0):
            if (there := _installed(model, home / name)) is not None:
                return there, False
            partial = home / f".{name}.partial"
            partial.mkdir(exist_ok=True)
            try:
                _download_all(model, base.rstrip("/"), partial, on_progress or _nobody, patience or Patience())
                return _install(model, base, partial, home / name), True
            finally:
                with suppress(OSError):  # it holds something, or was renamed
                    partial.rmdir()
    except filelock.Timeout as error:
        raise ModelError(f"another process is pulling {name} into {home}; wait until it is done") from error
    except OSError as error:
        raise ModelError(
            f"{home} cannot be written: {error.strerror or error}; $CTXSEARCH_MODELS may name another folder"
        ) from error


def _installed(model: RemoteModel, folder: Path) -> ModelFolder | None:
    """The model folder if it is there in whole; None if it is not there, or is ours and was damaged.

    Raises:
        ModelError: something else has that place.
    """
    if not folder.exists():
        return None
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        ours = card["files"] == _files_card(model)
    except (OSError, ValueError, TypeError, KeyError):
        ours = False
    if not ours:
        raise ModelError(f"{folder} is there and is not what would be pulled; move it away and try again")
    try:
        found = ModelFolder.load(folder)
        found.verify()
    except ModelError:
        return None
    return found


def _download_all(model: RemoteModel, base: str, partial: Path, listener: ProgressListener, patience: Patience) -> None:
    done = 0
    for file in model.files:

        def listen(have: int, name: str = file.name, before: int = done) -> None:
            listener(name, before + have, model.bytes)

        download(f"{base}/{file.path}", file, partial / file.name, listen, patience)
        done += file.size


def _install(model: RemoteModel, base: str, partial: Path, folder: Path) -> ModelFolder:
    """Give the folder its card and its name."""
    weights, vocabulary = checksums(partial)
    passport = Passport.from_dict(
        {**model.passport, "name": model.name, "weights_sha256": weights, "vocabulary_sha256": vocabulary}
    )
    card = {**passport.to_dict(), **model.card, "from": base, "files": _files_card(model)}
    wanted = {CARD, *(file.name for file in model.files)}
    for other in [path for path in partial.iterdir() if path.name not in wanted]:
        other.unlink()
    (partial / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    for name in wanted:
        _sync(partial / name)
    sync_folder(partial)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():  # damaged: `_installed` has looked
        folder.rename(old)
    partial.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
    return ModelFolder.load(folder)


def _nobody(name: str, have: int, whole: int) -> None:
    """Listens to no progress."""


def _files_card(model: RemoteModel) -> dict[str, dict[str, str | int]]:
    return {file.name: {"path": file.path, "size": file.size, file.algorithm: file.digest} for file in model.files}


def _sync(path: Path) -> None:
    with path.open("rb+") as opened:
        os.fsync(opened.fileno())
