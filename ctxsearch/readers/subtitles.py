"""Subtitles, WebVTT and SubRip: what is said, a line a cue, without cue names, positions and tags.

Every minute begins with a heading that names its time, so that a hit says when it is said. A speaker that WebVTT names
stands before what that speaker says.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

_TIMING = re.compile(r"\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,]\d{1,3}\s*-->\s*(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3}")
_VOICE = re.compile(r"<v(?:\.[^ >]*)?[ \t]+([^>]{1,200})>")
_TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_BLOCK_END = re.compile(r"(?:\r\n|\r|\n)[ \t]*(?:(?:\r\n|\r|\n)[ \t]*)+")


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: there is no cue in it.
    """
    decoded = decode(read_bytes(file), file.source)
    composer = Composer()
    minute = speaker = None
    for block in _BLOCK_END.split(decoded.text):
        lines = block.splitlines()
        timed = next((number for number, line in enumerate(lines[:3]) if _TIMING.match(line)), None)
        if timed is None:
            continue  # the file's head, a comment, a style
        found = _TIMING.match(lines[timed])
        assert found
        spoken = " ".join(lines[timed + 1 :])
        text = one_line(html.unescape(_TAG.sub("", spoken)))
        if not text:
            continue
        hours, minutes = int(found[1] or 0), int(found[2])
        if (hours, minutes) != minute:
            minute = (hours, minutes)
            composer.heading(f"{hours:02}:{minutes:02}:00", 1)
            composer.block("")
            first = True
        else:
            first = False
        voice = _VOICE.search(spoken)
        if voice and one_line(voice[1]) != speaker:
            speaker = one_line(voice[1])
            text = f"{speaker}: {text}"
        (composer.block if first else composer.line)(text)
    if composer.is_empty():
        raise SourceError(file.source, "has no subtitles")
    yield composer.document(file, file.path.stem, decoded.metadata)
