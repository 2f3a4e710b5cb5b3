"""What a model is, as a hash of the files that decide what it answers; large files are read once and remembered."""

import hashlib
import json
from pathlib import Path

from .errors import UserError, cache_folder
from .files import is_file, write_text

_WEIGHTS = (".safetensors", ".bin")
_SMALL = ("config.json", "generation_config.json", "chat_template.jinja", "special_tokens_map.json")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt")
_REMEMBER = 2**22  # bytes from which on a hash is remembered


def identity_of(folder: Path) -> str:
    """The hash of weights, configuration and tokenizer of a model folder, in 16 hexadecimal digits."""
    files = [f for f in sorted(folder.iterdir()) if f.suffix in _WEIGHTS or f.name in _SMALL + _TOKENIZER]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name} {sha256_of(file)}\n".encode())
    return total.hexdigest()[:16]


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file; that of a large one is remembered by path, size and time of change.

    UserError where there is no file, but a pipe or a device, which may never end.
    """
    if not is_file(file):
        raise UserError(f"{file} cannot be read: it is not there, or no file.")
    status = file.stat()
    if status.st_size < _REMEMBER:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    key = f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"
    memo = cache_folder() / "hashes" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    if memo.is_file():
        known = json.loads(memo.read_text())
        if known["key"] == key:
            return str(known["sha256"])
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    write_text(memo, json.dumps({"key": key, "sha256": found}))
    return found


def submission_hash(name: str, file_sha256: str) -> str:
    """The hash of a mapper that is a class of this name in a file with this hash."""
    return hashlib.sha256(f"{name}\n{file_sha256}".encode()).hexdigest()
