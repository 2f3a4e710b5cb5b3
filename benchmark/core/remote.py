"""The remote side of a store: finished folders behind an address of fsspec, such as `s3://bucket/folder`.

A file lies under its SHA-256, and a folder is a list of its files that is put last. So a folder is there whole or not
at all, and two machines that put the same one do no harm.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of

_log = logging.getLogger("graftbench.store")


def is_address(place: str) -> bool:
    """Return True for an address such as `s3://bucket/folder`, False for a folder of this machine."""
    return "://" in place


class Remote:
    """The folders that machines share behind an address."""

    def __init__(self, address: str) -> None:
        """Raise UserError where the address makes no sense, or its kind needs a package that is not installed."""
        import fsspec  # with asyncio: commands that need no such address do without

        self.address = address
        local = {"auto_mkdir": True} if address.startswith("file:") else {}
        try:
            # Another machine may have put a file since its folder was listed.
            self._files, self._root = fsspec.core.url_to_fs(address, use_listings_cache=False, **local)
        except (ImportError, ValueError) as error:
            raise UserError(f"The cache {address} cannot be used: {error}.") from error

    def fetch(self, name: str, folder: Path) -> bool:
        """Fill an empty folder with the files of the remote one called `name`; False where it is not there or damaged.

        The log reports damage. UserError where the address cannot be reached.
        """
        with self._reached():
            try:
                files: dict[str, str] = json.loads(self._files.cat_file(self._manifest(name)))
                for file, sha256 in files.items():
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    self._files.get_file(self._content(sha256), str(folder / file))
            except FileNotFoundError:
                return False
        damaged = [file for file, sha256 in files.items() if sha256_of(folder / file) != sha256]
        if damaged:
            _log.warning("%s at %s is damaged (%s); it is made again", name, self.address, ", ".join(damaged))
        return not damaged

    def put(self, name: str, folder: Path, files: dict[str, str]) -> None:
        """Copy a folder, whose files have these hashes, to the address as `name`; UserError where that fails."""
        with self._reached():
            for file, sha256 in files.items():
                self._put_once(folder / file, self._content(sha256))
            self._pipe(self._manifest(name), json.dumps(files).encode())

    def write(self, name: str, text: str) -> None:
        """Write a small file next to the folders; UserError where that fails."""
        with self._reached():
            self._pipe(f"{self._root}/{name}", text.encode())

    def read(self, name: str) -> str | None:
        """Return the text of such a file, None where it is not there."""
        with self._reached():
            try:
                return str(self._files.cat_file(f"{self._root}/{name}"), encoding="utf-8")
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        """Remove such a file."""
        with self._reached():
            self._files.rm_file(f"{self._root}/{name}")

    def _put_once(self, file: Path, path: str) -> None:
        """Put a file where it is not there yet, or is there in part, as after a machine that died."""
        if not self._files.exists(path) or self._files.size(path) != file.stat().st_size:
            self._files.put_file(str(file), path)

    def _pipe(self, path: str, content: bytes) -> None:
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(path, content)

    def _manifest(self, name: str) -> str:
        return f"{self._root}/{name}.json"

    def _content(self, sha256: str) -> str:
        return f"{self._root}/files/{sha256[:2]}/{sha256}"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Turn errors of the file system behind the address into a UserError."""
        try:
            yield
        except OSError as error:
            reason = " ".join(str(error.strerror or error).split())
            raise UserError(f"The cache {self.address} cannot be reached: {reason}.") from error
