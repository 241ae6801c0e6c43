"""Which model goes with the embedding space of an index, and calls that keep to one space."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ctxsearch import consent
from ctxsearch.calibration import Calibration
from ctxsearch.errors import CtxsearchError, ModelError, ModelNotFoundError, PassportMismatchError
from ctxsearch.passport import ModelFolder, Passport, find_model, is_name
from ctxsearch.records import Mode
from ctxsearch.store import LocalStore, Snapshot, Writer


def look_for_model(wanted: Passport, path: str, index_path: Path) -> ModelFolder:
    """The model of an embedding space: by its name among the models, else where it was, if the user confirmed that.

    Args:
        wanted: the embedding space.
        path: where the model was, as the index says; empty where it does not.
        index_path: how messages name the index.

    Raises:
        ModelError: it is not here, cannot be used, or is in a folder that only the index names.
        PassportMismatchError: the one of that name here is another.
    """
    places: list[str | Path] = [wanted.name] if is_name(wanted.name) else []
    confirmed = bool(path) and consent.is_confirmed(path, wanted.fingerprint)
    if confirmed:
        places.append(Path(path))
    others: list[ModelFolder] = []
    problems: list[ModelError] = []
    for place in places:
        try:
            model = find_model(place)
        except ModelNotFoundError:
            continue
        except ModelError as error:
            problems.append(error)
            continue
        if model.passport.fingerprint == wanted.fingerprint:
            return model
        others.append(model)
    if problems:
        raise problems[0]
    if path and not confirmed and _is_folder_here(path):
        raise ModelError(
            f"{index_path} was made with the model {wanted.label} and says that it is in {path}, which you have not "
            f"named before; if you trust it, name it once: open(…, model={path!r}), or --model {path}"
        )
    if others:
        raise PassportMismatchError(
            f"{index_path} was made with the model {wanted.label}; the one of that name here is "
            f"{others[0].passport.label}: name the right folder with --model, or take the index over with: "
            f"ctxsearch reembed --model {others[0].passport.name} --index {index_path}"
        )
    raise ModelNotFoundError(
        f"{index_path} was made with the model {wanted.label}, which is not here; name its folder with "
        f"--model, install it, or take another: ctxsearch reembed --model NAME --index {index_path}"
    )


def _is_folder_here(path: str) -> bool:
    """Whether there is a folder on this machine; no other machine is asked, as a path of Windows may say."""
    return not path.startswith(("\\\\", "//")) and os.path.isdir(path)


def calibration_of(model: ModelFolder | CtxsearchError, mode: Mode) -> Calibration | None:
    """What makes scores of that mode probabilities, from the model's card; None where it has nothing."""
    calibrations = None if isinstance(model, CtxsearchError) else model.card.get("calibrations")
    return Calibration.from_dict(calibrations.get(mode, {})) if isinstance(calibrations, dict) else None


class SpaceChangedError(Exception):
    """The store went over to another model in the middle of a call."""


class OneSpace:
    """A store as one call sees it: the embeddings of its questions and its snapshots are of one space."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._space: str | None = None

    def enter(self, space: Passport) -> None:
        """Say in which space the questions are embedded; before the first snapshot."""
        self._space = space.fingerprint

    @property
    def passport(self) -> Passport:
        return self._store.passport

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._store.snapshot() as snapshot:
            if self._space not in (None, snapshot.passport.fingerprint):
                raise SpaceChangedError
            yield snapshot

    def writer(self) -> AbstractContextManager[Writer]:
        return self._store.writer()

    def close(self) -> None:
        self._store.close()
