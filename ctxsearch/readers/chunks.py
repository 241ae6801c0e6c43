"""Documents in other formats inside of a Word document (``w:altChunk``): HTML, web archives, plain text, RTF, Word."""

from __future__ import annotations

import email
import email.policy
import io
import zipfile

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import Composer
from ctxsearch.readers.decoding import decode

MAX_NESTED = 3
"""Word documents in Word documents deeper than this are left out."""


def put(composer: Composer, data: bytes, name: str, source: str, depth: int = 0) -> None:
    """The text of such a part.

    Args:
        composer: what it is added to.
        data: its bytes.
        name: its name, whose suffix counts.
        source: how a message names the file.
        depth: how many documents deep it stands.

    Raises:
        SourceError: it cannot be read.
    """
    place = f"{source}: {name}"
    suffix = name.rpartition(".")[2].lower()
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if data.startswith(b"PK\x03\x04"):
        if depth < MAX_NESTED:
            _put_word(composer, data, place, depth + 1)
    elif start.startswith(b"{\\rtf"):
        from ctxsearch.readers import rtf

        composer.insert(rtf.text_of(data))
    elif suffix in ("mht", "mhtml") or start.startswith((b"mime-version:", b"from:")):
        message = email.message_from_bytes(data, policy=email.policy.default)
        for part in message.walk():
            if part.get_content_type() == "text/html":
                payload = part.get_payload(decode=True)
                _put_page(composer, payload if isinstance(payload, bytes) else b"", place, part.get_content_charset())
                return
    elif suffix in ("htm", "html", "xhtml") or start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        _put_page(composer, data, place, None)
    elif suffix != "xml":
        composer.block(decode(data, place).text)


def _put_page(composer: Composer, data: bytes, place: str, charset: str | None) -> None:
    from ctxsearch.readers import html

    page = html.parse(html.decoded(data, place, charset).text, place, whole=True)
    composer.insert(page.text, page.headings)


def _put_word(composer: Composer, data: bytes, place: str, depth: int) -> None:
    from ctxsearch.readers import docx
    from ctxsearch.readers.packages import Package

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            docx.put_package(composer, Package(archive, place), place, depth)
    except zipfile.BadZipFile as error:
        raise SourceError(place, f"is damaged: not a whole zip archive ({error})") from error
