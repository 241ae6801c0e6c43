"""Mails (EML) and mailboxes (mbox): who, when, what about, the body, and the texts attached.

The body is the plain one where there are two. A mailbox is one document, a page a message.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers import html
from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_PARTS = 1000
SHOWN = ("From", "To", "Cc", "Date")
_MBOX_START = re.compile(rb"^From [^\r\n]*\r?\n", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def read(file: File) -> Iterator[Document]:
    """The file as one document, called by its subject.

    Raises:
        SourceError: it is no mail, or is empty.
    """
    data = read_bytes(file)
    composer = Composer()
    if _MBOX_START.match(data):
        for number, message in enumerate(_messages(data), start=1):
            composer.page(number)
            put_message(composer, message, file.source, level=1)
        yield composer.document(file, file.path.stem)
        return
    message = _parsed(data.lstrip(b"\r\n"))
    if not message.keys():
        raise SourceError(file.source, "is not a mail: it has no headers")
    put_message(composer, message, file.source)
    yield composer.document(file, _header(message, "Subject"), metadata_of(message))


def metadata_of(message: EmailMessage) -> dict[str, Any]:
    """Sender, date and attachments of a message."""
    created = ""
    if value := _header(message, "Date"):
        try:
            created = parsedate_to_datetime(value).isoformat()
        except (ValueError, TypeError, IndexError):
            created = ""
    names = [_filename(part) for part in message.walk() if part.get_content_disposition() == "attachment"]
    return {
        "author": _header(message, "From"),
        "created": created,
        "language": _header(message, "Content-Language"),
        "attachments": [name for name in names if name][:MAX_PARTS],
    }


def put_message(composer: Composer, message: EmailMessage, source: str, level: int = 0) -> None:
    """A message: its subject as a heading, its headers, its body and the texts attached."""
    subject = _header(message, "Subject")
    composer.heading(subject, max(level, 1))
    lines = [f"{name}: {value}" for name in SHOWN if (value := _header(message, name))]
    composer.block("\n".join(lines))
    for number, part in enumerate(message.walk()):
        if number == MAX_PARTS:
            raise SourceError(source, f"a mail of more than {MAX_PARTS:,} parts")
        if part.is_multipart() or part.get_content_maintype() != "text" or _is_other_spelling(part, message):
            continue
        text = _content(part, source)
        name = _filename(part)
        if name and text.strip():
            composer.heading(name, max(level, 1) + 1)
        if part.get_content_subtype() == "html":
            page = html.parse(text, source, whole=True)
            composer.insert(page.text, page.headings, below=max(level, 1))
        else:
            composer.block(text)


def _messages(data: bytes) -> Iterator[EmailMessage]:
    starts = list(_MBOX_START.finditer(data))
    ends = [match.start() for match in starts[1:]] + [len(data)]
    for start, end in zip(starts, ends, strict=True):
        yield _parsed(_QUOTED_FROM.sub(rb"\1", data[start.end() : end]))


def _parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def _header(message: EmailMessage, name: str) -> str:
    """A header on one line; "" where it is missing, or not as mails have them."""
    try:
        return one_line(str(message.get(name) or ""))
    except Exception:  # the parser of headers fails in many ways on what is none
        return ""


def _filename(part: Any) -> str:
    try:
        return one_line(part.get_filename() or "")
    except Exception:  # as above
        return ""


def _is_other_spelling(part: Any, message: EmailMessage) -> bool:
    """Whether a part is the HTML spelling of a body that is there as plain text, too."""
    if part.get_content_subtype() != "html" or part.get_content_disposition() == "attachment":
        return False
    for above in message.walk():
        if above.get_content_type() == "multipart/alternative" and any(below is part for below in above.walk()):
            plain = (below for below in above.walk() if below.get_content_type() == "text/plain")
            return any(_content(below, "").strip() for below in plain)
    return False


def _content(part: EmailMessage, source: str) -> str:
    """The text of a part, whatever it says of its encoding."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return decode(data, source, part.get_content_charset()).text.replace("\r\n", "\n")
    except SourceError:
        return data.decode("utf-8", "replace")
