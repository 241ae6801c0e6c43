"""Mails (EML, Maildir) and mailboxes (mbox): who, when, what about, the body, and the texts attached.

Of a body that is there in several spellings, the plain one is taken, unless it is a stub that only points to another. A
mailbox is one document, a page a message.
"""

from __future__ import annotations

import base64
import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import PurePath
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers import html
from ctxsearch.readers.charsets import codec_of
from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.decoding import ENCODING_ERRORS, Decoded, decode, looks_binary, read_bytes, wide_encoding
from ctxsearch.readers.kinds import CODE, SUFFIXES
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_PARTS = 1000
SHOWN = ("From", "To", "Cc", "Date")
MIN_SHARED_WORDS = 0.6
"""A plain body with a smaller share of the words of the HTML body does not say the same."""
MIN_OWN_WORDS = 20
"""Words of a plain body that the HTML body does not have, from which on both are taken."""

MIN_LENGTH = 0.75
"""A plain body that is shorter than that share of the HTML body leaves something out."""
MAX_STUB_WORDS = 40

_STUB = re.compile(r"\bhtml\b|\bbrowser|mail[ -](?:client|reader|program)|mailprogramm", re.IGNORECASE)
_FROM_LINE = re.compile(rb"From [^\r\n]*\r?\n(?=(?:>?[!-9;-~]+:[ \t]|[!-9;-~]+:\r?\n[ \t]))")
_MBOX_START = re.compile(rb"^" + _FROM_LINE.pattern, re.MULTILINE)
_DATED = re.compile(rb" (?:\d{1,2}:\d\d|\d{4}-\d\d-\d\d).*\d|\d{1,2}:\d\d.* \d{4}\b")
_ADDRESSED = re.compile(
    rb"From (?:[^ \r\n]*@[^ \r\n]*|MAILER-DAEMON|-)(?: |\r?\n)|From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_ENCODED_WORD = re.compile(rb"=\?([\w:.+-]{1,40})(\*[\w-]{0,20})?\?(?=[bBqQ]\?)")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_WORD = re.compile(r"\w+")
_OTHER_SPELLINGS = frozenset(("x-amp-html", "watch-html", "enriched", "richtext"))


def read(file: File) -> Iterator[Document]:
    """The file as one document, called by its subject.

    Raises:
        SourceError: it is no mail, or is empty.
    """
    data = _narrow(read_bytes(file))
    composer = Composer()
    body = _Body(composer, file.source)
    if _FROM_LINE.match(data):
        for number, message in enumerate(_messages(data), start=1):
            composer.page(number)
            body.put_message(message, level=1)
        yield composer.document(file, file.path.stem, body.errors)
        return
    message = _parsed(data.lstrip(b"\r\n"))
    if not message.keys():
        raise SourceError(file.source, "is not a mail: it has no headers")
    body.put_message(message)
    yield composer.document(file, _header(message, "Subject"), metadata_of(message) | body.errors)


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


class _Body:
    """Puts messages into a text, part by part."""

    def __init__(self, composer: Composer, source: str) -> None:
        self._composer = composer
        self._source = source
        self._parts = 0
        self._errors = 0

    @property
    def errors(self) -> dict[str, Any]:
        """What metadata say of bytes that were no characters."""
        return {ENCODING_ERRORS: self._errors} if self._errors else {}

    def put_message(self, message: EmailMessage, level: int = 0) -> None:
        """A message: its subject as a heading, its headers, its body and the texts attached."""
        self._parts = 0
        self._put_head(message, max(level, 1))
        self._put_part(message, max(level, 1))

    def _put_head(self, message: EmailMessage, level: int) -> None:
        self._composer.heading(_header(message, "Subject"), level)
        lines = [f"{name}: {value}" for name in SHOWN if (value := _header(message, name))]
        self._composer.block("\n".join(lines))

    def _put_part(self, part: Any, level: int) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise SourceError(self._source, f"a mail of more than {MAX_PARTS:,} parts")
        kind = part.get_content_type()
        if kind == "multipart/alternative" and part.is_multipart():
            for chosen in self._chosen(part.get_payload()):
                self._put_part(chosen, level)
        elif kind == "message/rfc822" and part.is_multipart():
            for message in part.get_payload():
                self._put_head(message, level + 1)
                self._put_part(message, level + 1)
        elif part.is_multipart():
            for inner in part.get_payload():
                self._put_part(inner, level)
        else:
            self._put_leaf(part, kind, level)

    def _put_leaf(self, part: Any, kind: str, level: int) -> None:
        name = _filename(part)
        main, _, sub = kind.partition("/")
        is_text = main in ("text", "multipart") or _is_attached_text(part, kind, name)
        if not is_text or sub in _OTHER_SPELLINGS:
            return
        content = _content(part, self._source)
        if content is None or not content.text.strip():
            return
        self._errors += content.errors
        if name:
            self._composer.heading(name, level + 1)
        if sub in ("html", "xhtml+xml"):
            page = html.parse(content.text, self._source, whole=True)
            self._composer.insert(page.text, page.headings, below=level)
        else:
            self._composer.block(_unfolded(part, content.text))

    def _chosen(self, parts: list[Any]) -> list[Any]:
        """Of several spellings of one body, those that say something of their own, in their order."""
        plain = " ".join(self._words_of(part, "plain") for part in parts)
        markup = " ".join(self._words_of(part, "html") for part in parts)
        told, shown = _WORD.findall(plain.lower()), _WORD.findall(markup.lower())
        in_plain, in_markup = set(told), set(shown)
        is_stub = not told or (len(told) <= MAX_STUB_WORDS and _STUB.search(plain) is not None)
        says_more = not is_stub and sum(word not in in_markup for word in told) >= MIN_OWN_WORDS
        says_the_same = sum(word in in_plain for word in shown) >= MIN_SHARED_WORDS * len(shown)
        is_enough = not is_stub and (says_the_same or (not says_more and len(told) >= MIN_LENGTH * len(shown)))
        left_out = set()
        if shown and is_enough:
            left_out.add("html")
        elif shown and not says_more:
            left_out.add("plain")
        return [part for part in parts if _spelling(part) not in left_out]

    def _words_of(self, part: Any, spelling: str) -> str:
        """The text of what a part holds in one spelling, attachments left out."""
        texts = []
        for inner in part.walk():
            if inner.get_content_type() == f"text/{spelling}" and inner.get_content_disposition() != "attachment":
                text = content.text if (content := _content(inner, self._source)) else ""
                texts.append(html.parse(text, self._source, whole=True).text if spelling == "html" else text)
        return " ".join(texts)


def _spelling(part: Any) -> str:
    """As what an alternative says its text: ``plain``, ``html`` (perhaps with its pictures), or otherwise."""
    kinds = {inner.get_content_type() for inner in part.walk()}
    return "html" if "text/html" in kinds else "plain" if "text/plain" in kinds else ""


def _narrow(data: bytes) -> bytes:
    """A mail in UTF-16 or UTF-32 as one in UTF-8; any other as it is, without a mark."""
    if encoding := wide_encoding(data[:4096]):
        return data.decode(encoding, "replace").lstrip("\ufeff").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _messages(data: bytes) -> Iterator[EmailMessage]:
    starts = [match for match in _MBOX_START.finditer(data) if _is_separator(data, match)]
    ends = [match.start() for match in starts[1:]] + [len(data)]
    for start, end in zip(starts, ends, strict=True):
        yield _parsed(_QUOTED_FROM.sub(rb"\1", data[start.end() : end]))


def _is_separator(data: bytes, line: re.Match[bytes]) -> bool:
    """Whether a line that begins with "From " begins a message: headers follow, a blank line comes before (or it is
    dated as such lines are), and it names an address or a date."""
    if line.start() == 0 or _DATED.search(line[0]):
        return True
    return data[: line.start()].endswith((b"\n\n", b"\n\r\n")) and _ADDRESSED.match(line[0]) is not None


def _parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(_ENCODED_WORD.sub(_with_known_charset, data), policy=email.policy.default)


def _with_known_charset(word: re.Match[bytes]) -> bytes:
    """The start of an encoded word of a header, its encoding called as Python calls it."""
    codec = codec_of(word[1].decode("ascii"))
    return b"=?%s%s?" % (codec.encode() if codec else word[1], word[2] or b"")


def _header(message: EmailMessage, name: str) -> str:
    """A header on one line; "" where it is missing, or not as mails have them."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    if any("\udc80" <= letter <= "\udcff" for letter in raw):  # bytes beyond ASCII, not encoded as headers should be
        try:
            return one_line(decode(raw.encode("utf-8", "surrogateescape"), name).text)
        except SourceError:
            return one_line(raw.encode("ascii", "replace").decode())
    try:
        return one_line(str(message.get(name) or ""))
    except Exception:  # the parser of headers fails in many ways on what is none
        return one_line(raw)


def _filename(part: Any) -> str:
    try:
        return one_line(part.get_filename() or "")
    except Exception:  # as above
        return ""


def _is_attached_text(part: Any, kind: str, name: str) -> bool:
    """Whether a part that does not call itself text is some, by its name."""
    if kind in ("application/json", "application/xml", "application/xhtml+xml", "message/delivery-status"):
        return True
    suffix = PurePath(name).suffix.lower()
    return part.get_content_maintype() == "application" and (suffix in SUFFIXES or suffix in CODE)


def _content(part: EmailMessage, source: str) -> Decoded | None:
    """The text of a part, whatever it says of its encoding; None if it is none."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64" and part.defects:
        data = _broken_base64(part.get_payload()) or data
    if part.get_content_maintype() != "text" and looks_binary(data[:4096]):
        return None
    try:
        text, errors = decode(data, source, part.get_content_charset())
    except SourceError:
        text = data.decode("utf-8", "replace")
        errors = text.count("\ufffd")
    return Decoded(text.replace("\r\n", "\n"), errors)


def _broken_base64(text: Any) -> bytes:
    """What base64 says in which characters are broken or the end is missing; b"" if nothing."""
    if not isinstance(text, str):
        return b""
    letters = _NO_BASE64.sub(b"", text.encode("ascii", "ignore"))
    letters = letters[: len(letters) // 4 * 4 + (len(letters) % 4 if len(letters) % 4 > 1 else 0)]
    return base64.b64decode(letters + b"=" * (-len(letters) % 4))


def _unfolded(part: Any, text: str) -> str:
    """A text without the soft line breaks of ``format=flowed`` (RFC 3676)."""
    if str(part.get_param("format") or "").lower() != "flowed":
        return text
    deletes_space = str(part.get_param("delsp") or "").lower() == "yes"
    lines: list[str] = []
    joins, depth = False, 0
    for line in text.split("\n"):
        bare = line.lstrip(">")
        quotes = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        if joins and quotes == depth and bare != "-- ":
            lines[-1] += bare
        else:
            lines.append(f"{'>' * quotes} {bare}" if quotes else bare)
        joins, depth = bare.endswith(" ") and bare != "-- ", quotes
        if joins and deletes_space:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)
