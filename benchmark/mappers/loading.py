"""The class of a mapper, imported where its code is to run."""

import hashlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.plugins import nearest, plugin
from graftbench.benchmark.mappers.info import MapperInfo, check_class, installed_hash, submission_hash
from graftbench.benchmark.mappers.running import instance_of, run_source

if TYPE_CHECKING:
    from graftbench.benchmark.mappers.protocol import Mapper

_SUBMISSION = "graftbench_submission_"


def make_mapper(info: MapperInfo, d_source: int, d_target: int) -> "Mapper":
    """Return a mapper from width `d_source` to `d_target` that has not been fitted."""
    return instance_of(mapper_class(info), info.options, d_source, d_target)


@dataclass(frozen=True)
class Code:
    """The code of a mapper, as a process of its own runs it.

    Args:
        file: The name of a submission's file, None where the mapper is installed.
        source: What is in the file.
        name: The class in the file, or `module:Class` of an installed one.
        package: The package of an installed one.

    """

    file: str | None
    source: bytes
    name: str
    package: str | None


def code_of(info: MapperInfo) -> Code:
    """Read the code of a mapper, and run nothing of a submission; UserError where it is not that of `info`."""
    if info.file is None:
        kind = mapper_class(info)
        top = kind.__module__.partition(".")[0]
        return Code(None, b"", f"{kind.__module__}:{kind.__qualname__}", top)
    source, name = info.file.read_bytes(), info.source.rpartition(":")[2]
    if submission_hash(name, hashlib.sha256(source).hexdigest()) != info.sha256:
        raise _changed(info.source)
    return Code(info.file.name, source, name, None)


def _changed(source: str) -> UserError:
    return UserError(f"{source} was changed while the run was going on. Start it again.")


def mapper_class(info: MapperInfo) -> "type[Mapper]":
    """Import the class of a mapper; that of a submission runs its file.

    UserError where it cannot be imported, is no mapper, or is not the code that `info` was made from.
    """
    return _loaded(info.source, info.name, info.sha256, info.file)


@cache
def _loaded(source: str, name: str, sha256: str, file: Path | None) -> "type[Mapper]":
    if file is None:
        kind = plugin("mappers", source)
        now = installed_hash(kind, name)
    else:
        class_name = source.rpartition(":")[2]
        now = submission_hash(class_name, sha256_of(file))
        kind = _class_in(_executed(file), class_name, file) if now == sha256 else None
    if now != sha256:
        raise _changed(source)
    check_class(kind, source)
    checked: type[Mapper] = kind
    return checked


def _executed(file: Path) -> dict[str, Any]:
    """Run a file and return the names that it defines."""
    module_name = f"{_SUBMISSION}{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]}"
    try:
        return run_source(file.read_bytes(), str(file), module_name)
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f" (line {last.lineno} of {last.filename})"
        raise UserError(f"{file} cannot be imported: {type(error).__name__}: {error}{where}.") from error


def _class_in(names: Mapping[str, Any], class_name: str, file: Path) -> Any:
    classes = {name: value for name, value in names.items() if isinstance(value, type)}
    if class_name not in classes:
        raise UserError(f"{file} has no class {class_name!r}.{nearest(class_name, sorted(classes))}")
    return classes[class_name]


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
