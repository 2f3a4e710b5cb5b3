"""Hashes of JSON values and of files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError, cache_folder
from graftbench.benchmark.core.files import is_file, write_text

_CACHED_FROM = 2**22  # bytes: hashing a smaller file is faster than finding its hash in the cache


def digest(*parts: Any) -> str:
    """Return the SHA-256 of values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file; large files are cached by path, size and time of change.

    UserError where the path is missing, a pipe or a device, which may never end.
    """
    if not is_file(file):
        raise UserError(f"{file} cannot be read: it is not there, or no file.")
    status = file.stat()
    if status.st_size < _CACHED_FROM:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    key = f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"
    cached = cache_folder() / "hashes" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    if cached.is_file():
        entry = json.loads(cached.read_text())
        if entry["key"] == key:
            return str(entry["sha256"])
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    write_text(cached, json.dumps({"key": key, "sha256": sha256}))
    return sha256
