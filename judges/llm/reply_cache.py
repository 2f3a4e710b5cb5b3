"""Replies of servers, and their cache in an SQLite file: no question is paid for twice."""

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
    "CREATE TABLE IF NOT EXISTS reserved (id TEXT PRIMARY KEY, run TEXT, dollars REAL, until REAL)",
    "CREATE TABLE IF NOT EXISTS dialects (server TEXT, model TEXT, name TEXT, fact TEXT, "
    "PRIMARY KEY (server, model, name))",
)
_MAX_TOKENS = 2**40  # of one answer: a server that counts more does not count


@dataclass(frozen=True)
class Reply:
    """A server's reply, why it ended, and its token counts; None where the server does not count."""

    text: str
    refusal: str | None
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None


def reply_of(answer: Any) -> Reply | str:
    """Return the reply in a chat completion of openai's client, or why there is none; any part may be missing."""
    if isinstance(answer, str):  # of another content type
        return "the server's answer is no JSON"
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list) or not choices or not hasattr(getattr(choices[0], "message", None), "content"):
        return "the server's answer holds no message"
    # Servers that tell a model's reasoning apart have it in fields of their own, which are no part of the reply.
    text, refusal = choices[0].message.content, getattr(choices[0].message, "refusal", None)
    if not isinstance(text, str | None) or not isinstance(refusal, str | None):
        return "the server's answer holds no text"
    return Reply(text or "", refusal, str(getattr(choices[0], "finish_reason", None) or ""), *tokens_of(answer))


def tokens_of(answer: Any) -> tuple[int | None, int | None]:
    """Return the tokens read and written for an answer; None where the server does not count."""
    usage = getattr(answer, "usage", None)
    return _token_count(getattr(usage, "prompt_tokens", None)), _token_count(getattr(usage, "completion_tokens", None))


def _token_count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKENS else None


class ReplyCache:
    """Replies by a hash of the whole question; threads and processes may share one file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_folder() / "judges.sqlite"
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Changing the journal mode ignores SQLite's time-out: two processes must not do it at once.
            with FileLock(self.path.with_suffix(".lock")):
                self._file = sqlite3.connect(self.path, check_same_thread=False, timeout=60)
                self._file.execute("PRAGMA journal_mode=WAL")
                for table in _TABLES:
                    self._file.execute(table)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def get(self, question: Mapping[str, object]) -> Reply | None:
        """Return the cached reply to a question, if there is one."""
        row = self.read("SELECT reply FROM replies WHERE key = ?", digest(question))
        return None if row is None else Reply(**json.loads(row[0]))

    def put(self, question: Mapping[str, object], reply: Reply) -> None:
        """Cache a reply; it is on disk when this returns."""
        self.write("INSERT OR REPLACE INTO replies VALUES (?, ?)", digest(question), json.dumps(asdict(reply)))

    def read(self, query: str, *values: object) -> Any:
        """Return the first row of a query, or None."""
        try:
            with self._lock:
                return self._file.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def write(self, statement: str, *values: object) -> int:
        """Execute a statement in a transaction, and return the number of rows that it changed."""
        return self.write_all((statement, values))

    def write_all(self, *statements: tuple[str, tuple[object, ...]]) -> int:
        """Execute statements in one transaction, and return the number of rows that the last one changed."""
        try:
            with self._lock, self._file:
                return [self._file.execute(statement, values).rowcount for statement, values in statements][-1]
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UserError:
        return UserError(f"The judges' replies cannot be cached in {self.path}: {error}.")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
