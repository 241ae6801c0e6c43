"""RTF, by striprtf: the text, its paragraphs as lines, and what the file says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from striprtf.striprtf import rtf_to_text

from ctxsearch.readers.composing import Composer
from ctxsearch.readers.decoding import read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

_INFO = re.compile(r"\{\\(title|author)\s+([^{}\\]{1,500})\}")
_CREATED = re.compile(r"\{\\creatim\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it has no text.
    """
    markup = read_bytes(file).decode("cp1252", "replace")  # what is not ASCII is written as an escape
    text = rtf_to_text(markup, errors="replace")
    composer = Composer()
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        composer.block(re.sub(r"\|(?=\n|$)", "", paragraph).replace("|", " | "))
    stated = dict(_INFO.findall(markup[:20_000]))
    metadata = {"author": stated.get("author", "").strip()}
    if found := _CREATED.search(markup[:20_000]):
        metadata["created"] = f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}"
    yield composer.document(file, stated.get("title", ""), metadata)
