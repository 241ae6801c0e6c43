"""One file over HTTP: resumed where it was cut, and compared with the size and checksum that it must have.

What has arrived stays in the file itself, below the folder the caller names, with the server's validator beside it
(``NAME.validator``: the ETag, or the date of last change), so that a later call goes on where this one stopped, and the
server sends the whole file if it is another one by now (RFC 9110, If-Range).
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctxsearch.errors import ModelError
from ctxsearch.pull.zoo import RemoteFile

CHUNK = 1 << 18

VALIDATOR_SUFFIX = ".validator"


@dataclass(frozen=True, slots=True)
class Patience:
    """When a download is given up. The defaults are for people on a line of any kind."""

    silence: float = 30.0
    """Seconds in which less than ``trickle`` bytes arrive: the line has stalled."""
    trickle: int = 1024
    pauses: tuple[float, ...] = (1.0, 3.0, 10.0)
    """Seconds to wait before each further try; the count begins anew when more has arrived than ever before."""


class _CutError(Exception):
    """The line was cut or stalled: another try may go on from here."""


def download(url: str, file: RemoteFile, path: Path, on_bytes: Callable[[int], None], patience: Patience) -> None:
    """Fetch a file to ``path``, going on from what is there. When this returns, ``path`` holds just what it should.

    Args:
        on_bytes: told how many bytes of the file are there, now and then; the number falls when they must be dropped.

    Raises:
        ModelError: it could not be had, or what the server sent is something else. Bytes that are of use are kept.
    """
    most = _size(path)
    resumed = most > 0
    vain = 0
    while True:
        have = _size(path)
        on_bytes(have)
        if have == file.size:
            if _digest(path, file.algorithm) == file.digest:
                _validator(path).unlink(missing_ok=True)
                return
            _discard(path)
            if not resumed:
                raise ModelError(
                    f"{url}: what the server sent has another {file.algorithm.upper()} than it should have; "
                    "nothing was installed. The file on the server was changed or damaged on its way: try again later"
                )
            resumed = False  # perhaps the part of an earlier run is what was wrong
            continue
        try:
            _fetch(url, file, path, on_bytes, patience)
        except _CutError as cut:
            vain = 0 if _size(path) > most else vain + 1
            most = max(most, _size(path))
            if vain > len(patience.pauses):
                raise ModelError(
                    f"{url}: {cut}; gave up after {vain} tries that brought nothing; "
                    f"{_size(path):,} of {file.size:,} bytes are kept, and the same command goes on from there"
                ) from cut
            time.sleep(patience.pauses[max(vain, 1) - 1])


def _fetch(url: str, file: RemoteFile, path: Path, on_bytes: Callable[[int], None], patience: Patience) -> None:
    """One request; appends to ``path`` what arrives.

    Raises:
        _CutError: not everything came.
        ModelError: the answer is of no use, now or later.
    """
    have = _size(path)
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "ctxsearch"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if _validator(path).is_file():
            request.add_header("If-Range", _validator(path).read_text(encoding="utf-8"))
    try:
        with urllib.request.urlopen(request, timeout=patience.silence) as response:
            start, whole = _extent(response)
            if whole is not None and whole != file.size:
                raise ModelError(
                    f"{url}: the server has {whole:,} bytes, and it should have {file.size:,}; nothing was installed"
                )
            if start not in (0, have):
                _discard(path)
                raise _CutError("the server went on from another place than it was asked to")
            _remember(response, path)
            _store(response, path, start, file.size, on_bytes, patience)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _discard(path)
            raise _CutError("the server has no more bytes than we have") from error
        if error.code >= 500 or error.code in (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS):
            raise _CutError(f"the server answers {error.code} {error.reason}") from error
        raise ModelError(f"{url}: the server answers {error.code} {error.reason}; nothing was installed") from error
    except TimeoutError as error:
        raise _CutError(f"nothing came for {patience.silence:g} seconds") from error
    except urllib.error.URLError as error:
        raise _CutError(f"no connection: {_reason(error)}") from error
    except (http.client.HTTPException, OSError) as error:  # of the network; those of our files are ModelErrors by now
        raise _CutError(f"the line was cut: {_reason(error)}") from error
    if _size(path) < file.size:
        raise _CutError("the line was cut")


def _store(
    response: Any, path: Path, start: int, size: int, on_bytes: Callable[[int], None], patience: Patience
) -> None:
    """Write the body behind byte ``start`` of the file, as it comes, up to ``size``."""
    have = start
    began, before = time.monotonic(), start
    with _writing(path):
        out = path.open("ab", buffering=0)
    with out:
        with _writing(path):
            out.truncate(start)
        while have < size and (data := response.read1(min(CHUNK, size - have))):
            with _writing(path):
                rest = memoryview(data)
                while rest:
                    rest = rest[out.write(rest) :]
            have += len(data)
            on_bytes(have)
            if have - before >= patience.trickle:
                began, before = time.monotonic(), have
            elif time.monotonic() - began > patience.silence:
                raise TimeoutError


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tells errors of our own files from those of the network, which are OSErrors too."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{path} cannot be written: {error.strerror or error}; what has arrived is kept, the same command goes on"
        ) from error


def _extent(response: Any) -> tuple[int, int | None]:
    """At which byte of the file a response's body starts, and how long the file is if the server says so."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if match is None:
            raise _CutError("the server does not say which part of the file it sends")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length and length.isdecimal() else None


def _remember(response: Any, path: Path) -> None:
    """Keep what tells this version of the file from another. A weak ETag may not be used with If-Range."""
    validator = response.headers.get("ETag", "")
    if not validator or validator.startswith("W/"):
        validator = response.headers.get("Last-Modified", "")
    with _writing(path):
        if validator:
            _validator(path).write_text(validator, encoding="utf-8")
        else:
            _validator(path).unlink(missing_ok=True)


def _validator(path: Path) -> Path:
    return path.with_name(path.name + VALIDATOR_SUFFIX)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
    _validator(path).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)
