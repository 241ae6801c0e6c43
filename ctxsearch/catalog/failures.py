"""Sources that could not be read, and why; so that they are tried again when they change, and not before.

The table is made with the first of them. It says nothing about what the index answers, so no generation begins.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctxsearch.catalog.connection import Connection, translating
from ctxsearch.records import FailedSource

TABLE = """
CREATE TABLE IF NOT EXISTS failures (
    source TEXT, origin TEXT, error TEXT, signature TEXT, failed_at TEXT, PRIMARY KEY (origin, source, error)
) WITHOUT ROWID;
"""


class Failures(Connection):
    """The table of failures."""

    @translating
    def failures(self) -> list[FailedSource]:
        """All that failed and was not read since, by origin."""
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'failures'").fetchone():
            return []
        columns = ", ".join(FailedSource._fields)
        rows = self._db.execute(f"SELECT {columns} FROM failures ORDER BY origin, source, error")
        return [FailedSource(*map(str, row)) for row in rows]

    @translating
    def put_failures(self, origins: Iterable[str], failures: Iterable[FailedSource]) -> None:
        """Forget the failures of some origins, then keep others."""
        self._db.execute(TABLE)
        for origin in origins:
            self._db.execute("DELETE FROM failures WHERE origin = ?", [origin])
        for failure in failures:
            self._db.execute(
                f"INSERT OR REPLACE INTO failures ({', '.join(FailedSource._fields)}) VALUES (?, ?, ?, ?, ?)", failure
            )
