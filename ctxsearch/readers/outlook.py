"""Outlook messages (MSG), by python-oxmsg: headers, body, and the names of attachments."""

from __future__ import annotations

import io
from collections.abc import Iterator

import oxmsg

from ctxsearch.errors import SourceError
from ctxsearch.readers import html
from ctxsearch.readers.composing import Composer
from ctxsearch.readers.decoding import read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document


def read(file: File) -> Iterator[Document]:
    """The message as one document, called by its subject.

    Raises:
        SourceError: it is damaged, or is empty.
    """
    data = io.BytesIO(read_bytes(file))
    try:
        message = oxmsg.Message.load(data)
        subject, sender, sent = message.subject, message.sender, message.sent_date
        body, markup = message.body, message.html_body
        recipients = [recipient.name or recipient.email_address for recipient in message.recipients]
        attachments = [attachment.file_name for attachment in message.attachments if attachment.file_name]
    except (OSError, KeyError, ValueError, IndexError, LookupError) as error:
        raise SourceError(file.source, f"is damaged, or not an Outlook message: {error}") from error
    composer = Composer()
    composer.heading(subject or "", 1)
    lines = {"From": sender, "To": ", ".join(filter(None, recipients)), "Date": sent.isoformat() if sent else ""}
    composer.block("\n".join(f"{name}: {value}" for name, value in lines.items() if value))
    if body and body.strip():
        composer.block(body.replace("\r\n", "\n"))
    elif markup:
        page = html.parse(markup, file.source, whole=True)
        composer.insert(page.text, page.headings, below=1)
    metadata = {"author": sender, "created": lines["Date"], "attachments": attachments}
    yield composer.document(file, subject or "", metadata)
