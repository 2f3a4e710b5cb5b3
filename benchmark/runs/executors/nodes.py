"""The nodes of a cluster: whether they have the same code as this machine, and see the same cache."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.remote import Remote, is_address
from graftbench.benchmark.core.store import package_version

_LIBRARIES = ("graftbench", "torch", "transformers", "tokenizers")
_FOLDER = "GRAFTBENCH_CACHE"
_CHOSEN = (_FOLDER, "GRAFTBENCH_DATA", "GRAFTBENCH_REMOTE_CACHE")  # variables that a node takes over


@dataclass(frozen=True)
class Setup:
    """What the processes on the nodes have in common with this one.

    Args:
        folder: The working directory, for paths in a suite.
        variables: Environment variables.
        threads: Of torch.
        place: The store's.
        nonce: What a small file in the store holds.
        versions: Of the code.

    """

    folder: str
    variables: tuple[tuple[str, str], ...]
    threads: int
    place: str
    nonce: str
    versions: tuple[tuple[str, str], ...]


@contextmanager
def setup_of(place: str, threads: int) -> Iterator[Setup]:
    """Yield the setup of this process for jobs with a store at `place`; its nonce lies there meanwhile."""
    nonce = uuid4().hex
    # Where the store is behind an address, each node has a folder of its own.
    chosen = [name for name in _CHOSEN if name in os.environ and (name != _FOLDER or not is_address(place))]
    variables = tuple((name, os.environ[name]) for name in chosen)
    _leave(place, nonce)
    try:
        yield Setup(str(Path.cwd()), variables, threads, place, nonce, tuple(versions().items()))
    finally:
        _take_away(place, nonce)


def versions() -> dict[str, str]:
    """Return the versions of what results depend on, and a hash of this package's code."""
    return {name: _version(name) for name in _LIBRARIES} | {"the code of graftbench": package_version()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def adopt(setup: Setup) -> None:
    """Make this process like the driver's: its variables and, where it is here, its working directory.

    UserError, without a subject, where the code is not the same or the cache is not seen.
    """
    os.environ.update(setup.variables)
    if Path(setup.folder).is_dir():
        os.chdir(setup.folder)
    here = versions()
    for name, there in setup.versions:
        if here[name] != there:
            raise UserError(f"has {name} {here[name]}, and this machine {there}: install the same on both.")
    if _read(setup.place, setup.nonce) != setup.nonce:
        raise UserError(
            f"does not see the cache {setup.place} of this machine: set GRAFTBENCH_CACHE to a folder that all nodes "
            "share, or GRAFTBENCH_REMOTE_CACHE to an address such as s3://bucket/folder."
        )


def _name(nonce: str) -> str:
    return f"nonces/{nonce}"


def _leave(place: str, nonce: str) -> None:
    if is_address(place):
        Remote(place).write(_name(nonce), nonce)
    else:
        write_text(Path(place) / _name(nonce), nonce)


def _read(place: str, nonce: str) -> str | None:
    if is_address(place):
        return Remote(place).read(_name(nonce))
    file = Path(place) / _name(nonce)
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _take_away(place: str, nonce: str) -> None:
    if is_address(place):
        Remote(place).remove(_name(nonce))
    else:
        (Path(place) / _name(nonce)).unlink(missing_ok=True)
