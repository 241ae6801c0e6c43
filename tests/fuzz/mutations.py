"""Changes of files: of bytes, of JSON values, of rows and schemas of a catalog.

Checksums are mended more often than not, so that what lies behind them is reached.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import sqlite3
import struct
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

from ctxsearch.catalog.rows import CONTEXT, DOCUMENT
from ctxsearch.catalog.schema import WORDS, checksum
from ctxsearch.catalog.vectors import data_checksum

DEEP = 100_000

full_text_changed = False
"""Whether the last case changed the records of the full-text index."""


def values(random: Random) -> Any:
    """A value that nobody expects."""
    return random.choice(
        [
            *(None, True, False, 0, 1, -1, 2, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**300, 10**4000),
            *(0.5, -0.0, 1e308, "", "x", "\0", "\x1b[2J\u202e", "../../victim", "/etc/passwd", "x" * 100_000),
            *("1", "null", "[]", [], {}, [[]], [1, 2, 3], [None] * 1000, {"a": {"b": [1]}}, {"": ""}, ["x"] * 3),
            *(base64.b64encode(b"\xff" * 34).decode(), "2024-05-01T00:00:00Z", "\ud800", "\u0130" * 50),
        ]
    )


def json_bytes(random: Random, value: Any) -> bytes:
    """A value as JSON; now and then with what Python's writer does not write."""
    text = json.dumps(value)
    if random.random() < 0.05:
        text = text.replace("1", random.choice(["1e999", "NaN", "-Infinity", "1" + "0" * 5000]), 1)
    if random.random() < 0.03:
        text = random.choice(["[", '{"a":', '"']) * DEEP
    return text.encode()


def change_json(random: Random, value: Any) -> Any:
    """Change one or several places inside of a JSON value: another value, one more, one less, one of elsewhere."""
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        places: list[tuple[Any, Any]] = []

        def walk(one: Any, places: list[tuple[Any, Any]] = places) -> None:
            keys: Any = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
            for key in keys:
                places.append((one, key))
                walk(one[key])

        walk(value)
        if not places:
            return values(random)
        within, key = random.choice(places)
        kind = random.randrange(6)
        if kind < 3:
            within[key] = values(random)
        elif kind == 3:
            del within[key]
        elif kind == 4 and isinstance(within[key], int) and not isinstance(within[key], bool):
            within[key] += random.choice([-1, 1, 2**20, -(2**20)])
        else:
            other, place = random.choice(places)
            with suppress(KeyError, IndexError):
                within[key] = json.loads(json.dumps(other[place]))
    return value


def change_bytes(random: Random, content: bytes) -> bytes:
    """Flip bits, cut, splice, repeat, fill with zeros, write numbers."""
    changed = bytearray(content or b"\0")
    for _ in range(random.choice([1, 1, 2, 8, 64])):
        if not changed:
            break
        at = random.randrange(len(changed))
        length = random.choice([1, 2, 4, 8, 100, 4096])
        match random.randrange(7):
            case 0 | 1:
                changed[at] ^= 1 << random.randrange(8)
            case 2 if random.random() < 0.3:
                del changed[at:]
            case 3:
                other = random.randrange(len(changed))
                changed[at : at + length] = changed[other : other + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case 5:
                changed[at : at + length] = bytes(length)
            case _:
                number = random.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1])
                changed[at : at + 8] = struct.pack(random.choice("<>") + "Q", number)
    return bytes(changed)


def index_json(random: Random, folder: Path) -> None:
    """A small checked file of an index: the pointer, a seal, the holder of the lock."""
    path = random.choice([folder / "index.json", folder / "index.json", *sorted(folder.glob("*.seal"))])
    if random.random() < 0.3:
        path.write_bytes(change_bytes(random, path.read_bytes()))
        return
    said = json.loads(path.read_text())
    said.pop("sha256", None)
    said = change_json(random, said)
    if isinstance(said, dict) and random.random() < 0.8:
        said["sha256"] = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    path.write_bytes(json_bytes(random, said))


def any_file(random: Random, folder: Path) -> None:
    """The bytes of any file, whose seal may go."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".lock")
    path = random.choice(files)
    path.write_bytes(change_bytes(random, path.read_bytes()))
    if random.random() < 0.7:
        for seal in folder.glob("*.seal"):
            seal.unlink()


def vectors(random: Random, folder: Path) -> None:
    """A file of vectors: its rows, tables and header, with the checksums mended."""
    path = random.choice(sorted([*folder.glob("*.rows"), *folder.glob("*.lists")]))
    content = bytearray(path.read_bytes())
    if path.suffix == ".rows" and random.random() < 0.8:
        dim, contexts, rows = struct.unpack_from("<IQQ", content, 12)
        tables = 4096 + rows * dim * 2
        if random.random() < 0.6:
            at = tables + 8 * random.randrange(max(1, 2 * contexts + 1))
            content[at : at + 8] = struct.pack("<q", random.choice([0, -1, 1, 2, 2**62, -(2**62), 2**20]))
        if random.random() < 0.4:
            at, form = random.choice([(12, "<I"), (16, "<Q"), (24, "<Q"), (8, "<I")])
            struct.pack_into(form, content, at, random.choice([0, 1, 3, 2**31, 2**32 - 1]))
        content[32:64] = hashlib.sha256(content[tables:]).digest()
        struct.pack_into("<I", content, 4092, zlib.crc32(content[:4092]))
        path.write_bytes(content)
        (header,) = struct.unpack_from("<I", content, 4092)
        _note_header(folder, header)
    else:
        path.write_bytes(change_bytes(random, bytes(content)))
        if path.suffix == ".lists" and random.random() < 0.7:
            _note_lists(folder, path)


def _segments(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    for path in folder.glob("catalog-*.sqlite3"):
        with closing(sqlite3.connect(path, isolation_level=None)) as db, suppress(sqlite3.Error):
            (said,) = db.execute("SELECT value FROM meta WHERE key = 'segments'").fetchone()
            found = json.loads(said)
            for segment in found["segments"]:
                change(segment)
            db.execute("UPDATE meta SET value = ? WHERE key = 'segments'", [json.dumps(found)])
    for seal in folder.glob("*.seal"):
        seal.unlink()


def _note_header(folder: Path, header: int) -> None:
    _segments(folder, lambda segment: segment.update(header=header))


def _note_lists(folder: Path, path: Path) -> None:
    content = path.read_bytes()

    def change(segment: dict[str, Any]) -> None:
        if segment["lists"]:
            head = hashlib.sha256(content[: segment["lists"]["head"]]).hexdigest()
            segment["lists"] |= {"bytes": len(content), "sha256": head, "crc": zlib.crc32(content)}

    _segments(folder, change)


SCHEMA = (
    "DROP TABLE {table}",
    "DROP INDEX documents_source",
    "ALTER TABLE {table} RENAME TO elsewhere",
    "ALTER TABLE {table} RENAME COLUMN {column} TO another",
    "ALTER TABLE {table} ADD COLUMN another TEXT DEFAULT 'x'",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} LIMIT 1 OFFSET {number})",
    "INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
    "CREATE TRIGGER evil AFTER INSERT ON documents BEGIN DELETE FROM contexts; END",
    "CREATE TRIGGER evil AFTER INSERT ON contexts BEGIN UPDATE meta SET value = '[]'; END",
    "CREATE TRIGGER evil BEFORE UPDATE ON meta BEGIN SELECT randomblob(900000000); END",
    "CREATE TABLE other AS SELECT * FROM {table}; DROP TABLE {table}; CREATE VIEW {table} AS SELECT * FROM other",
    "DROP TABLE {table}; CREATE VIEW {table} AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
    "SELECT id, id AS context_id, id AS document_id, 'x' AS key, 'x' AS value, id AS generation FROM n",
    "DROP VIEW searched; CREATE VIEW searched AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
    "SELECT id, 'x' title, 'x' headings, 'x' text FROM n",
    "DROP VIEW searched",
    "PRAGMA user_version = 99",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = -5",
    "PRAGMA application_id = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA encoding = 'UTF-16'",
    "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "UPDATE sqlite_sequence SET seq = 'x'",
    "UPDATE contexts_fts_config SET v = 99",
    "UPDATE contexts_fts_data SET block = noise(length(block))",
    "UPDATE contexts_fts_data SET block = zeroblob(1000000)",
    "DELETE FROM contexts_fts_docsize",
)
TABLES = (
    *("meta", "documents", "contexts", "sentences", "vectors", "removed", WORDS, "document_metadata"),
    *("contexts_fts_data", "sqlite_sequence"),
)


def catalog(random: Random, folder: Path) -> None:
    """Rows and schema of a catalog. Checksums of rows are mended, the seal goes."""
    path = random.choice(sorted(folder.glob("catalog-*.sqlite3")))
    with closing(sqlite3.connect(path, isolation_level=None)) as db, suppress(sqlite3.Error):
        db.create_function("noise", 1, random.randbytes)
        db.set_progress_handler(lambda: 1, 10_000_000)  # a view without an end is for ctxsearch to meet
        for _ in range(random.choice([1, 1, 2, 4])):
            with suppress(sqlite3.Error, ValueError, TypeError, RecursionError):
                match random.randrange(8):
                    case 0 | 1:
                        _change_schema(random, db)
                    case 2 | 3:
                        _change_fact(random, db)
                    case _:
                        _change_row(random, db)
        if random.random() < 0.8:
            _mend(db)
    for seal in folder.glob("*.seal"):
        seal.unlink()


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def _change_schema(random: Random, db: sqlite3.Connection) -> None:
    global full_text_changed
    table = random.choice(TABLES)
    column = random.choice(_columns(db, table) or ["id"])
    names = {"table": table, "column": f'"{column}"', "number": random.randrange(8)}
    for statement in random.choice(SCHEMA).format(**names).split("; "):
        full_text_changed |= statement.startswith("UPDATE contexts_fts_data")
        db.execute(statement)


def _change_fact(random: Random, db: sqlite3.Connection) -> None:
    facts = dict(db.execute("SELECT key, value FROM meta"))
    key = random.choice(sorted(facts))
    changed = change_json(random, [json.loads(facts[key])])
    value = json_bytes(random, changed[0] if isinstance(changed, list) and changed else None).decode()
    db.execute("UPDATE meta SET value = ? WHERE key = ?", [value, key])


def _change_row(random: Random, db: sqlite3.Connection) -> None:
    table = random.choice(TABLES[1:7])
    column = random.choice(_columns(db, table) or ["id"])
    value = values(random)
    if isinstance(value, list | dict) or (isinstance(value, int) and abs(value) >= 2**63):
        value = json.dumps(value)
    value = random.choice([value, value, b"\xff" * random.choice([0, 1, 32, 64, 4096]), "\xff"])
    key = "rowid" if table not in ("sentences", "document_metadata") else "context_id"
    some = db.execute(f"SELECT {key} FROM {table} LIMIT 1 OFFSET {random.randrange(8)}").fetchone()
    if some:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(f'UPDATE {table} SET "{column}" = ? WHERE {key} = ?', [value, some[0]])


def _mend(db: sqlite3.Connection) -> None:
    """Give rows the checksums that fit them."""
    with suppress(sqlite3.Error, TypeError, UnicodeEncodeError):
        for row in db.execute(f"SELECT {', '.join(DOCUMENT)} FROM documents").fetchall():
            db.execute("UPDATE documents SET checksum = ? WHERE id = ?", [checksum(*row), row[0]])
    with suppress(sqlite3.Error, TypeError, UnicodeEncodeError):
        for row in db.execute(f"SELECT {', '.join(CONTEXT)} FROM contexts").fetchall():
            spans = db.execute(
                'SELECT "start", "end" FROM sentences WHERE context_id = ? ORDER BY ordinal', [row[0]]
            ).fetchall()
            db.execute("UPDATE contexts SET checksum = ? WHERE id = ?", [checksum(*row, tuple(spans)), row[0]])
    with suppress(sqlite3.Error, TypeError):
        for table in ("vectors", WORDS):
            for context_id, data in db.execute(f"SELECT context_id, data FROM {table}").fetchall():
                mended = [data_checksum(context_id, data), context_id]
                db.execute(f"UPDATE {table} SET checksum = ? WHERE context_id = ?", mended)


def export(random: Random, path: Path) -> None:
    """An export: lines changed, left out, repeated, with the checksum mended."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if random.random() < 0.25:
        content = change_bytes(random, content)
    else:
        lines: list[Any] = [json.loads(line) for line in content.splitlines()][:-1]
        match random.randrange(6):
            case 0:
                lines.insert(random.randrange(len(lines) + 1), json.loads(json.dumps(random.choice(lines))))
            case 1:
                del lines[random.randrange(len(lines))]
            case _:
                at = random.randrange(len(lines))
                lines[at] = change_json(random, lines[at])
        written = b"".join(json_bytes(random, line) + b"\n" for line in lines)
        content = written + json.dumps({"sha256": hashlib.sha256(written).hexdigest()}).encode() + b"\n"
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    if path.suffix == ".gz" and random.random() < 0.2:
        path.write_bytes(change_bytes(random, path.read_bytes()))


def model(random: Random, folder: Path) -> None:
    """A file of a model folder: its card, its vocabulary, its weights of words."""
    path = random.choice([folder / "model.json", *sorted(folder.iterdir())])
    if path.name == "model.json" and random.random() < 0.8:
        path.write_bytes(json_bytes(random, change_json(random, json.loads(path.read_text()))))
    else:
        path.write_bytes(change_bytes(random, path.read_bytes()))


def planted(random: Random, folder: Path) -> None:
    """Something in the place of a file: a link out, a hard link, a FIFO, a folder, a device, a name of another case."""
    names = [path.name for path in folder.iterdir()]
    names += ["writer.json", "catalog-2.sqlite3", "vectors-1-9.rows", "vectors-1-9.lists", "catalog-1.sqlite3-journal"]
    path = folder / random.choice(names)
    kind = random.randrange(8)
    content = path.read_bytes() if path.is_file() else b""
    path.unlink(missing_ok=True)
    victim = folder.parent / "victim"
    match kind:
        case 0:
            path.symlink_to("../victim")
        case 1:
            path.symlink_to(victim.absolute())
        case 2:
            path.hardlink_to(victim)
        case 3:
            import os

            os.mkfifo(path)
        case 4:
            path.mkdir()
            (path / "inside").write_text("x")
        case 5:
            path.symlink_to("/dev/zero")
        case 6:
            path.with_name(path.name.upper()).write_bytes(content)
        case _:
            path.symlink_to(path.name)
    if random.random() < 0.2:
        (folder / ("x" * 200)).write_text("x")
