"""What the cache holds, and how it is made smaller."""

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import MANIFEST, UNFINISHED

_DAY = 24 * 60 * 60  # seconds
_KEY = 64  # characters of a key, with which the name of a folder begins


@dataclass(frozen=True)
class Cached:
    """A piece of cached work: its kind, its folder, its bytes, and the time of its last use in seconds of the epoch.

    An unfinished one is what a killed run left, or what another process is making.
    """

    kind: str
    folder: Path
    size: int
    used: float
    unfinished: bool = False


def contents(root: Path) -> list[Cached]:
    """Return the cached work below the root of a store, by kind."""
    return [each for kind in _folders(root) for group in _folders(kind) for each in _pieces(kind.name, group)]


def unused(work: Collection[Cached], days: float, kinds: Collection[str] = ()) -> list[Cached]:
    """Return what was not used for so many days, of some kinds or of all, and what is unfinished."""
    since = time.time() - days * _DAY
    return [each for each in work if (not kinds or each.kind in kinds) and (each.unfinished or each.used <= since)]


def remove(work: Collection[Cached]) -> list[Cached]:
    """Remove cached work, and return what was removed: what another process makes at the moment stays.

    UserError where a folder cannot be removed.
    """
    return [each for each in work if _removed(each)]


def remove_locks(folder: Path) -> None:
    """Remove the locks below a folder that nobody holds and that stand beside nothing.

    Whoever waits for one meanwhile sees that its file is gone, and makes a new one.
    """
    for path in sorted(folder.rglob("*.lock")):
        with suppress(Timeout, OSError), FileLock(path).acquire(blocking=False):
            if not path.with_suffix("").exists():
                path.unlink()


def _pieces(kind: str, group: Path) -> Iterator[Cached]:
    for folder in _folders(group):
        manifest = folder / MANIFEST
        unfinished = folder.name.startswith(UNFINISHED) or not manifest.is_file()
        try:
            files = [file.stat() for file in folder.rglob("*") if file.is_file()]
            used = (folder if unfinished else manifest).stat().st_mtime
        except FileNotFoundError:  # another process finished or removed it
            continue
        yield Cached(kind, folder, sum(file.st_size for file in files), used, unfinished)


def _removed(piece: Cached) -> bool:
    key = piece.folder.name.removeprefix(UNFINISHED)[:_KEY]
    try:
        with FileLock(piece.folder.with_name(f"{key}.lock")).acquire(blocking=False):
            shutil.rmtree(piece.folder)
    except (Timeout, FileNotFoundError):  # another process makes it, or has removed it
        return False
    except OSError as error:
        raise UserError(f"{piece.folder} cannot be removed: {error.strerror or error}.") from error
    return True


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
