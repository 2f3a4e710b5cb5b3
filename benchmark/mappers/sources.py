"""The source of a submitted mapper, kept with its run: what was scored can be read, and run again by who trusts it."""

from pathlib import Path

from ..errors import UserError
from ..files import whole
from ..identity import sha256_of
from .finding import Found

SOURCE = "source"  # the folder in a run's


def hashes_of(found: Found) -> dict[str, str]:
    """The hash of each file of a submitted mapper, by name; none where the mapper is installed."""
    return {file.name: sha256_of(file) for file in found.files}


def keep_source(found: Found, folder: Path) -> None:
    """Copy the files of a submitted mapper into a run's folder."""
    copy_files(hashes_of(found), found.files[0].parent if found.files else folder, folder / SOURCE)


def check_files(files: dict[str, str], origin: Path) -> None:
    """UserError where one of the files whose hashes are known is not what it was."""
    for name, sha256 in files.items():
        if not (origin / name).is_file() or sha256_of(origin / name) != sha256:
            raise UserError(f"{origin / name} is not the file that was scored: score the mapper again.")


def copy_files(files: dict[str, str], origin: Path, to: Path) -> None:
    """Copy files whose hashes are known from one folder into another; UserError where one is not what it was."""
    check_files(files, origin)
    for name in files:
        with whole(to / name) as path:
            path.write_bytes((origin / name).read_bytes())
