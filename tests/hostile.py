"""Files that are made to do harm, and readers that do: what `test_hostile` ingests.

`make` writes the set into a folder and says what to expect of each file. `read_kind` stands in for the readers' own in
a worker process, and crashes, hangs or eats memory by the file's name.
"""

from __future__ import annotations

import gzip
import os
import signal
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ctxsearch.readers import dispatch
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

READ = "read"
"""What to expect of a file that goes in all the same."""

NOT_MET = "not met"
"""What to expect of a file that is hidden, or a link."""

SECRET = "the secret stands outside"

_CONTENT_TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def make(folder: Path) -> dict[str, str]:
    """Write the set; beside the folder, a file that nothing in it may reach.

    Returns:
        For each file's name a part of the reason why it is not read, or `READ`.
    """
    folder.mkdir()
    secret = folder.parent / "secret.txt"
    secret.write_text(SECRET)
    made = {
        **_archives(folder),
        **_markup(folder, secret),
        **_pdfs(folder),
        **_texts(folder),
        **_names(folder),
    }
    assert {path.name for path in folder.iterdir() if path.is_file()} == set(made)
    return made


def docx(body: bytes) -> bytes:
    """The main part of a Word document."""
    space = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return b'<w:document xmlns:w="%s"><w:body>%s</w:body></w:document>' % (space, body)


def paragraph(text: bytes) -> bytes:
    """A paragraph of a Word document."""
    return b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % text


def write_docx(path: Path, main: bytes, **others: bytes) -> None:
    """A Word document of its main part and others."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr("word/document.xml", main)
        for name, content in others.items():
            archive.writestr(name, content)


def _archives(folder: Path) -> dict[str, str]:
    with zipfile.ZipFile(folder / "bomb.docx", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(b"<a>")
            for _ in range(300):
                part.write(b"<b>" + b" " * (2**20 - 7) + b"</b>")
    with zipfile.ZipFile(folder / "overlap.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr("word/document.xml", docx(paragraph(b"x" * 100_000_000)))
    with zipfile.ZipFile(folder / "members.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        for number in range(25_000):
            archive.writestr(f"word/{number}.xml", b"")
    write_docx(folder / "declared.docx", docx(paragraph(b"small")))
    _patch_directory(folder / "declared.docx", 24, struct.pack("<I", 2**30))
    write_docx(folder / "locked.docx", docx(paragraph(b"small")))
    _patch_directory(folder / "locked.docx", 8, struct.pack("<H", 1))
    inner = b"x"
    for _ in range(5):
        path = folder.parent / "inner.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.zip", inner)
        inner = path.read_bytes()
    (folder / "nested.zip").write_bytes(inner)
    write_docx(folder / "cut.docx", docx(paragraph(os.urandom(20_000).hex().encode())))
    (folder / "cut.docx").write_bytes((folder / "cut.docx").read_bytes()[:9_000])
    with zipfile.ZipFile(folder / "escape.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'
        )
        names = ["../secret.txt", "../../escaped.xhtml", "/tmp/absolute.xhtml", "good.xhtml"]
        items = "".join(f'<item id="i{n}" href="{name}" media-type="text/html"/>' for n, name in enumerate(names))
        spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
        archive.writestr("a.opf", f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>")
        for name in names[1:]:
            archive.writestr(name, "<p>a chapter of the book</p>")
    with gzip.open(folder / "bomb.txt.gz", "wb", 9) as packed:
        for _ in range(300):
            packed.write(b"a " * 2**19)
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016) + "EncryptedPackage".encode("utf-16-le").ljust(128, b"\0")
    (folder / "encrypted.docx").write_bytes(ole)
    return {
        "bomb.docx": "would unpack to",
        "overlap.docx": "would unpack to",
        "members.docx": "an archive of 25,001 members",
        "declared.docx": "would unpack to",
        "locked.docx": "is encrypted",
        "nested.zip": "a zip archive and not a document",
        "cut.docx": "is damaged",
        "escape.epub": READ,
        "bomb.txt.gz": "larger than 256 MB",
        "encrypted.docx": "is encrypted",
    }


def _patch_directory(path: Path, offset: int, value: bytes) -> None:
    """Make an archive's directory lie about its last member."""
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02") + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)


def _markup(folder: Path, secret: Path) -> dict[str, str]:
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'.encode()
    (folder / "external.xml").write_bytes(entity + b"<a>before &x; after</a>")
    parameter = f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{secret.as_uri()}"> %x;]><a>only this</a>'
    (folder / "parameter.xml").write_text(parameter)
    write_docx(folder / "external.docx", entity + docx(paragraph(b"before &x; after")))
    lines = ["<!ENTITY e0 'ha'>"] + [f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 11)]
    (folder / "laughs.xml").write_text(f"<?xml version='1.0'?><!DOCTYPE a [{''.join(lines)}]><a>&e10;</a>")
    (folder / "deep.xml").write_bytes(b"<a>" * 300_000 + b"x" + b"</a>" * 300_000)
    (folder / "deep.html").write_bytes(b"<html>" + b"<div>" * 2_000_000 + b"x")
    (folder / "spans.html").write_bytes(b"<html><p>" + b"<b><i>" * 1_000_000 + b"x")
    write_docx(folder / "deep.docx", docx(b"<w:sdt>" * 3_000 + paragraph(b"x") + b"</w:sdt>" * 3_000))
    return {
        "external.xml": READ,
        "parameter.xml": READ,
        "external.docx": READ,
        "laughs.xml": "is not well-formed XML: limit on input amplification",
        "deep.xml": "is nested too deeply",
        "deep.html": "nested more than 100,000 deep",
        "spans.html": "nested more than 100,000 deep",
        "deep.docx": "is nested too deeply",
    }


def _pdfs(folder: Path) -> dict[str, str]:
    kids = b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9999999>>endobj "
    (folder / "kids.pdf").write_bytes(b"%PDF-1.4\n" + kids + b"trailer<</Root 1 0 R>>")
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    loop = b"xref\n0 1\n0000000000 65535 f \ntrailer<</Root 1 0 R/Size 3/Prev %d>>\nstartxref\n%d\n%%%%EOF"
    (folder / "loop.pdf").write_bytes(head + loop % (len(head), len(head)))
    form = b"q /F Do Q BT /T 9 Tf (x) Tj ET "
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</XObject<</F 4 0 R>>>>/Contents 5 0 R>>",
        b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 4 0 R>>>>/Length %d>>stream\n%s\nendstream"
        % (len(form), form),
        b"<</Length %d>>stream\n%s\nendstream" % (len(form), form),
    ]
    write_pdf(folder / "recursion.pdf", objects)
    locked = b"<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (b"11" * 32, b"22" * 32)
    write_pdf(folder / "locked.pdf", [*objects[:3], *objects[3:], locked], b"/Encrypt 6 0 R/ID[<11><11>]")
    (folder / "noise.pdf").write_bytes(b"%PDF-1.7\n" + os.urandom(100_000))
    return {
        "kids.pdf": "is damaged",
        "loop.pdf": "is damaged",
        "recursion.pdf": READ,
        "locked.pdf": "is encrypted",
        "noise.pdf": "is damaged",
    }


def write_pdf(path: Path, objects: list[bytes], trailer: bytes = b"") -> None:
    """A PDF of its objects, the first of which is its catalog."""
    data = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer<</Root 1 0 R/Size %d%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, table)
    path.write_bytes(data)


def _texts(folder: Path) -> dict[str, str]:
    (folder / "deep.json").write_bytes(b"[" * 5_000_000)
    (folder / "deep.ipynb").write_bytes(b'{"cells":' * 1_000_000)
    (folder / "quoted.csv").write_bytes(b'a,b\n1,"' + b"x y\n" * 5_000)
    (folder / "setext.md").write_bytes(b"a\n=\n" * 2_000)
    with (folder / "sparse.txt").open("wb") as sparse:
        sparse.truncate(2**30)
    (folder / "zeros.txt").write_bytes(bytes(50_000_000))
    (folder / "yaml.md").write_text("---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n\nthe text below\n")
    return {
        "deep.json": "is nested too deeply",
        "deep.ipynb": "is nested too deeply",
        "quoted.csv": READ,
        "setext.md": READ,
        "sparse.txt": "larger than 256 MB",
        "zeros.txt": "is not text: a NUL byte",
        "yaml.md": READ,
    }


def _names(folder: Path) -> dict[str, str]:
    names = ["line\nend.txt", "escape\x1b[31m.txt", "tab\t.html", os.fsdecode(b"\xff\xfe.html"), "..txt", "-rf.md"]
    for name in names:
        (folder / name).write_text("<html><p>a text of a file with an odd name")
    os.mkfifo(folder / "endless")
    (folder / "away.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "loop").symlink_to(folder)
    shown = {name: READ if name.isascii() else "a name that is not UTF-8" for name in names}
    return {**shown, "..txt": NOT_MET, "away.txt": NOT_MET}


def read_kind(file: File, kind: str) -> Iterator[dispatch.Item]:
    """A reader that does harm by the file's name, and reads all others."""
    match file.path.stem:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "hang":
            while True:
                time.sleep(0.01)
        case "spin":
            while True:
                pass
        case "eat":
            held = []
            while True:
                held.append(bytearray(2**27))
        case "flood":
            while True:
                yield Document("x" * 2**20, file.source, origin=str(file.origin))
        case "print":
            print("not JSON", flush=True)
            os.write(1, b"not JSON either\n")
        case "write":
            (file.path.parent / "written.txt").write_text("x" * 100)
        case "throw":
            raise RuntimeError("a parser that raises\nwhat nobody foresaw")
    yield from dispatch.read_kind(file, kind)
