"""Replies of servers that are kept in an SQLite file, so that nothing is asked, or paid for, twice."""

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from graftbench.benchmark.core.errors import UserError, cache_folder
from graftbench.benchmark.core.hashing import digest

_TABLES = (
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS spent (run TEXT PRIMARY KEY, requests INTEGER, kept INTEGER, "
    "prompt_tokens INTEGER, completion_tokens INTEGER, dollars REAL)",
)


@dataclass(frozen=True)
class Reply:
    """What a server said, why it stopped, and the tokens that it counted, None where it did not."""

    text: str
    refusal: str | None
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Replies:
    """The kept replies, each under a hash of all that it depends on; many threads and processes may use one file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_folder() / "judges.sqlite"
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock")):  # to change the journal does not wait for its turn
                self._file = sqlite3.connect(self.path, check_same_thread=False, timeout=60)
                self._file.execute("PRAGMA journal_mode=WAL")
                for table in _TABLES:
                    self._file.execute(table)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def get(self, asked: Mapping[str, object]) -> Reply | None:
        """The reply to what was asked, where it was asked before."""
        row = self.read("SELECT reply FROM replies WHERE key = ?", digest(asked))
        return None if row is None else Reply(**json.loads(row[0]))

    def put(self, asked: Mapping[str, object], reply: Reply) -> None:
        """Keep a reply; it is there for good when this returns."""
        self.write("INSERT OR REPLACE INTO replies VALUES (?, ?)", digest(asked), json.dumps(asdict(reply)))

    def read(self, words: str, *values: object) -> Any:
        """The first row that is found, None where there is none."""
        try:
            with self._lock:
                return self._file.execute(words, values).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def write(self, words: str, *values: object) -> int:
        """Change the file; gives how many rows were changed."""
        try:
            with self._lock, self._file:
                return self._file.execute(words, values).rowcount
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UserError:
        return UserError(f"The judges' replies cannot be kept in {self.path}: {error}.")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
