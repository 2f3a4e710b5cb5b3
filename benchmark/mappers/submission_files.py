"""The file of a submitted mapper, copied with its run so that it can be read, and run again by those who trust it."""

from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.mappers.info import MapperInfo

SOURCE = "source"  # the folder in a run's


def hashes_of(info: MapperInfo) -> dict[str, str]:
    """Return the hash of each file of a submission, by name; none where the mapper is installed."""
    return {file.name: sha256_of(file) for file in info.files}


def copy_source(info: MapperInfo, folder: Path) -> None:
    """Copy the file of a submission into a run's folder."""
    copy_files(hashes_of(info), info.files[0].parent if info.files else folder, folder / SOURCE)


def check_files(files: dict[str, str], origin: Path) -> None:
    """Raise UserError where a file differs from its known hash."""
    for name, sha256 in files.items():
        if not (origin / name).is_file() or sha256_of(origin / name) != sha256:
            raise UserError(f"{origin / name} is not the file that was scored: score the mapper again.")


def copy_files(files: dict[str, str], origin: Path, to: Path) -> None:
    """Copy files with known hashes from one folder into another; UserError where one differs from its hash."""
    check_files(files, origin)
    for name in files:
        with atomic_write(to / name) as path:
            path.write_bytes((origin / name).read_bytes())
