"""A cache of finished work on disk, keyed by content.

A key covers everything that a result depends on, the code in `ROOMS` included (what is no result, such as a model that
was converted, does without it), and never a name.
"""

import hashlib
import json
import logging
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from graftbench.benchmark.core.errors import UserError, cache_folder
from graftbench.benchmark.core.files import unsynced, write_text
from graftbench.benchmark.core.hashing import digest, sha256_of
from graftbench.benchmark.core.plugins import third_party_sources
from graftbench.benchmark.core.remote import Remote, is_address

_log = logging.getLogger("graftbench.store")
MANIFEST, UNFINISHED = "manifest.json", ".unfinished-"

# The rooms whose code decides what is cached. A change elsewhere (runs, results, the command line, ...) keeps it.
ROOMS = (
    "benchmark/data",
    "benchmark/metrics",
    "benchmark/models",
    "benchmark/activations",
    "benchmark/interventions",
    "benchmark/mappers",
    "benchmark/organisms",
    "benchmark/experiments",
    "benchmark/capability",
    "benchmark/zoo/world",
    "tasks",
    "judges",
)
_PACKAGE = Path(__file__).parents[2]


@cache
def code_version() -> str:
    """Hash the code that results depend on: the Python files of `ROOMS` and of installed tasks and judges.

    The main libraries enter by their versions.
    """
    total = hashlib.sha256("".join(version(name) for name in ("torch", "transformers", "tokenizers")).encode())
    for room in ROOMS:
        for file in sorted((_PACKAGE / room).rglob("*.py")):
            total.update(f"{file.relative_to(_PACKAGE)}\n".encode() + file.read_bytes())
    for file in third_party_sources():
        total.update(f"{file.name}\n".encode() + file.read_bytes())
    return total.hexdigest()[:16]


@cache
def package_version() -> str:
    """Hash all Python files of the package, with those that `code_version` covers."""
    total = hashlib.sha256(code_version().encode())
    for folder in ("", "benchmark", "tasks", "judges"):  # the folders below are links, which a glob does not follow
        for file in sorted((_PACKAGE / folder).rglob("*.py") if folder else _PACKAGE.glob("*.py")):
            total.update(f"{file.relative_to(_PACKAGE)}\n".encode() + file.read_bytes())
    return total.hexdigest()[:16]


class Store:
    """A cache of folders and JSON values under `root`, by default in the user's cache.

    Several machines may share it: the folder itself, or an address (`GRAFTBENCH_REMOTE_CACHE` by default) from which
    each of them fetches what its own folder lacks, and to which it puts what it makes.
    """

    def __init__(self, root: Path | None = None, address: str | None = None) -> None:
        """Raise UserError where the address cannot be used."""
        if root is None and address is None:
            address = os.environ.get("GRAFTBENCH_REMOTE_CACHE") or None
        self.root = root or cache_folder() / "work"
        self._remote = Remote(address) if address else None

    @classmethod
    def at(cls, place: str) -> "Store":
        """Return the store at a place: the address that machines share, or a folder."""
        return cls(address=place) if is_address(place) else cls(Path(place))

    @property
    def place(self) -> str:
        """The address that machines share, or else the folder."""
        return str(self.root) if self._remote is None else self._remote.address

    def folder(self, kind: str, parts: Any, make: Callable[[Path], None], *, by_code: bool = True) -> Path:
        """Return the cached folder that `make` fills, calling it only where the folder is missing or damaged.

        The folder appears atomically, and another process that wants the same one waits, where the disk knows locks;
        elsewhere the work is done twice, and the first folder stays. The log reports damage. What does not depend on
        the code that decides results is not `by_code`: another version of it uses the folder on. UserError where the
        disk is full or cannot be written to, or the address cannot be reached.
        """
        key = digest(kind, code_version() if by_code else "", parts)
        folder = self.root / kind / key[:2] / key
        if _intact(folder):
            with suppress(OSError):  # the cache may be another user's, who lets this one read it
                (folder / MANIFEST).touch()  # the time of its last use
            return folder
        with self._writable():
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.with_suffix(".lock"))
            lock.acquire()
        try:
            if not _intact(folder):
                self._obtain(folder, make)
        finally:
            lock.release()  # its file stays: another process may hold it by now
        return folder

    def value(self, kind: str, parts: Any, make: Callable[[], Any]) -> Any:
        """Return the cached JSON value of `make()`, computing it on the first call."""
        folder = self.folder(
            kind, parts, lambda f: write_text(f / "value.json", json.dumps(make(), ensure_ascii=False))
        )
        return json.loads((folder / "value.json").read_text(encoding="utf-8"))

    def _obtain(self, folder: Path, make: Callable[[Path], None]) -> None:
        """Fetch a folder, or make it and put it where other machines find it."""
        name = folder.relative_to(self.root).as_posix()
        if self._remote is not None:
            with self._unfinished(folder) as unfinished:
                if self._remote.fetch(name, unfinished):
                    self._finish(unfinished, folder)
                    return
        with self._unfinished(folder) as unfinished:
            make(unfinished)
            files = self._finish(unfinished, folder)
        if self._remote is not None:
            self._remote.put(name, folder, files)

    @contextmanager
    def _unfinished(self, folder: Path) -> Iterator[Path]:
        """Yield an empty folder next to `folder`, in place of what is damaged there; it is gone after the block."""
        with self._writable():
            # Each machine has its own: on a shared disk without locks, another may be making the same folder.
            unfinished = folder.with_name(f"{UNFINISHED}{folder.name}-{platform.node()}")
            for stale in (folder, unfinished):  # a damaged folder, and one that a killed process left
                shutil.rmtree(stale, ignore_errors=True)
            unfinished.mkdir()
        try:
            with unsynced():  # there may be thousands of files, and what a power cut leaves of one fails its hash
                yield unfinished
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _finish(self, unfinished: Path, folder: Path) -> dict[str, str]:
        """Move a folder to its place with a manifest of its files, and return their hashes."""
        with self._writable():
            files = {str(file.relative_to(unfinished)): sha256_of(file) for file in sorted(unfinished.rglob("*"))}
            write_text(unfinished / MANIFEST, json.dumps(files))
            try:
                unfinished.replace(folder)
            except OSError:
                if not _intact(folder):  # else another machine was faster, where the disk knows no locks
                    raise
        return files

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Turn errors of the file system into a UserError."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"The cache {self.root} cannot be written: {error.strerror or error}. "
                "Make room, or set GRAFTBENCH_CACHE to another folder."
            ) from error


def _intact(folder: Path) -> bool:
    """Return True where a folder exists and every file is as it was written."""
    if not folder.is_dir():
        return False
    try:
        files = json.loads((folder / MANIFEST).read_text())
        damaged = [name for name, sha256 in files.items() if sha256_of(folder / name) != sha256]
    except (OSError, ValueError, UserError) as error:
        damaged = [str(error)]
    if damaged:
        _log.warning("cached work in %s is damaged (%s); it is computed again", folder, ", ".join(damaged))
    return not damaged
