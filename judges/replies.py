"""Replies of servers that are kept in an SQLite file, so that nothing is asked, or paid for, twice."""

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from graftbench.benchmark.errors import UserError, cache_folder
from graftbench.benchmark.store import digest


@dataclass(frozen=True)
class Reply:
    """What a server said, why it stopped, and what it counted."""

    text: str
    refusal: str | None
    finish: str
    prompt_tokens: int
    completion_tokens: int


class Replies:
    """The kept replies, each under a hash of all that it depends on; safe to use from many threads."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_folder() / "judges.sqlite"
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self.path, check_same_thread=False, timeout=60)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"The judges' replies cannot be kept in {self.path}: {error}.") from error

    def get(self, asked: Mapping[str, object]) -> Reply | None:
        """The reply to what was asked, where it was asked before."""
        with self._lock:
            row = self._file.execute("SELECT reply FROM replies WHERE key = ?", (digest(asked),)).fetchone()
        return None if row is None else Reply(**json.loads(row[0]))

    def put(self, asked: Mapping[str, object], reply: Reply) -> None:
        """Keep a reply; it is there for good when this returns."""
        with self._lock, self._file:
            row = digest(asked), json.dumps(asdict(reply))
            self._file.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", row)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
