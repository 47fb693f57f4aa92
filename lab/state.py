"""What the lab remembers over a restart: one SQLite file, written through at every change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_VERSION = 1
"""Of the schema; a file of another one is refused."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account (phone TEXT PRIMARY KEY, lid TEXT NOT NULL UNIQUE, json TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS picture (phone TEXT PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    id TEXT NOT NULL, image BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device (phone TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    number INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (phone, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prekey (phone TEXT NOT NULL, number INTEGER NOT NULL, id BLOB NOT NULL,
    value BLOB NOT NULL, PRIMARY KEY (phone, number, id),
    FOREIGN KEY (phone, number) REFERENCES device ON DELETE CASCADE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stanza (seq INTEGER PRIMARY KEY AUTOINCREMENT, phone TEXT NOT NULL,
    number INTEGER NOT NULL, body BLOB NOT NULL,
    FOREIGN KEY (phone, number) REFERENCES device ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS phone_session (phone TEXT NOT NULL, number INTEGER NOT NULL,
    json TEXT NOT NULL, PRIMARY KEY (phone, number),
    FOREIGN KEY (phone, number) REFERENCES device ON DELETE CASCADE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS past (seq INTEGER PRIMARY KEY AUTOINCREMENT, phone TEXT NOT NULL,
    chat TEXT NOT NULL, json TEXT NOT NULL, UNIQUE (phone, chat));
CREATE TABLE IF NOT EXISTS app_key (phone TEXT PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    id BLOB NOT NULL, key BLOB NOT NULL, made_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS app_patch (phone TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    collection TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (phone, collection, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS media (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, phone TEXT NOT NULL, device INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS newsletter (id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chat_group (id TEXT PRIMARY KEY, json TEXT NOT NULL, picture TEXT, image BLOB)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contact (phone TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arrival (position INTEGER PRIMARY KEY AUTOINCREMENT, contact TEXT NOT NULL,
    sender TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS arrival_of_contact ON arrival (contact, position);
CREATE INDEX IF NOT EXISTS arrival_of_message ON arrival (contact, id, sender);
CREATE TABLE IF NOT EXISTS receipt (contact TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
    count INTEGER NOT NULL, PRIMARY KEY (contact, id, kind)) WITHOUT ROWID;
"""


class State:
    """A thin cover of the file. Everything is durable against the death of the lab's process.

    Raises OSError if the file was written by another version.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # Without a sync a power cut may lose the last changes, the death of the process does not; the lab
        # answers hundreds of stanzas a second from here.
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON", "busy_timeout=5000"):
            self._db.execute(f"PRAGMA {pragma}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and version != _VERSION:
            self._db.close()
            raise OSError(f"{path} was written by another version of the lab: delete it to start anew")
        self._db.executescript(f"{_SCHEMA}PRAGMA user_version = {_VERSION};")

    def run(self, statement: str, *values: Any) -> int:
        """Execute one statement; the rowid of what it inserted."""
        return self._db.execute(statement, values).lastrowid or 0

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute one statement for every row, all or none."""
        with self.transaction():
            self._db.executemany(statement, rows)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._db.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is inside happens as a whole, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def get(self, name: str) -> bytes | None:
        """A remembered value."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return bytes(rows[0][0]) if rows else None

    def put(self, name: str, value: bytes) -> None:
        """Remember a value."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, value)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
