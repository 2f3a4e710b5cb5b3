"""What a submission's process can read of this machine: Python, installed packages, and graftbench's code for mappers.

The packages are reached through a folder of links, `packages`, which is all that the process searches for modules.
"""

import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError, cache_folder
from graftbench.benchmark.core.unfinished import unfinished_beside

_ROOMS = ("activations", "core", "data", "interventions", "mappers", "metrics", "models", "results")
_FILES = ("__init__.py", "lazy.py", "plugin.py", "py.typed", "benchmark/__init__.py")
_GRAFTBENCH = Path(__file__).parents[3]  # without following links, as it is imported
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives", "/sys/devices/system/cpu")
_OF_GPU = ("/sys/bus/pci", "/sys/devices")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_OF_PROC = (
    "/proc/self",
    "/proc/thread-self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm",
    "/proc/driver",
    "/proc/devices",
)


@dataclass(frozen=True)
class View:
    """Paths that a submission's process sees, at the places that they have outside.

    Args:
        packages: The folder of links in which modules are looked for.
        readable: Files and folders, no path below another's links.
        links: Links of the system, such as /lib, and where they lead.
        devices: Devices that may be read and written.

    """

    packages: Path
    readable: tuple[Path, ...]
    links: tuple[tuple[Path, Path], ...]
    devices: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the view as JSON values."""
        return {
            "packages": str(self.packages),
            "readable": [str(path) for path in self.readable],
            "links": [[str(path), str(target)] for path, target in self.links],
            "devices": [str(path) for path in self.devices],
        }

    @classmethod
    def from_json(cls, words: dict[str, Any]) -> "View":
        """Return the view that JSON values describe."""
        return cls(
            Path(words["packages"]),
            tuple(map(Path, words["readable"])),
            tuple((Path(path), Path(target)) for path, target in words["links"]),
            tuple(map(Path, words["devices"])),
        )

    @property
    def of_proc(self) -> tuple[Path, ...]:
        """The parts of /proc that a process may read about itself and the machine's memory."""
        return tuple(map(Path, _OF_PROC))


def interpreter() -> Path:
    """Return Python itself, rather than the link of a virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


@cache
def view_of(package: str | None, *, on_gpu: bool) -> View:
    """Return what a mapper of an installed package, or of a file where it is None, can read."""
    modules = dict(_modules(package))
    hidden = [_GRAFTBENCH.resolve(), _GRAFTBENCH.parent.resolve() / "graftbench", cache_folder().resolve()]
    system = [*map(Path, _SYSTEM), *_python()]
    roots = sorted({path.resolve() for path in (*system, *modules.values()) if path.exists()})
    packages = _linked(modules)
    shown = [part for root in _topmost([*roots, packages]) for part in around(root, hidden)]
    rooms = [modules[name].resolve() for name in modules if name.startswith("graftbench/")]
    links = tuple((path, path.readlink()) for path in system if path.is_symlink())
    devices = [Path(path) for path in _DEVICES] + (sorted(Path("/dev").glob("nvidia*")) if on_gpu else [])
    gpu = [Path(path) for path in _OF_GPU if on_gpu and Path(path).exists()]
    readable = tuple(_topmost([*shown, *rooms, packages, *gpu]))
    return View(packages, readable, links, tuple(devices))


def _python() -> Iterator[Path]:
    """Yield where Python and its standard library lie."""
    yield interpreter()
    base = Path(sys.base_prefix)
    for name in ("lib", "lib64"):
        if (base / name).is_dir():
            yield base / name
    yield from (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _modules(package: str | None) -> Iterator[tuple[str, Path]]:
    """Yield every installed module by its name in the folder of links, and the parts of graftbench that are shown."""
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        for item in sorted(Path(folder).iterdir()):
            if item.name != "graftbench" and item.suffix != ".pth" and item.name != "__pycache__":
                yield item.name, item
    spec = find_spec(package) if package else None
    if spec is not None and spec.origin:
        place = Path(spec.origin)
        place = place.parent if spec.submodule_search_locations else place
        yield place.name, place
    for name in _FILES:
        yield f"graftbench/{name}", _GRAFTBENCH / name
    for room in _ROOMS:
        yield f"graftbench/benchmark/{room}", _GRAFTBENCH / "benchmark" / room


def _linked(modules: dict[str, Path]) -> Path:
    """Return a folder of links to modules, made once for each set of them."""
    folder = cache_folder() / "isolation" / hashlib.sha256(repr(modules).encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder.resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_beside(folder)
        unfinished.mkdir()
        _link(modules, unfinished)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"{folder.parent} cannot be written: {why}. Set GRAFTBENCH_CACHE to another folder.") from error
    try:
        unfinished.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)
    return folder.resolve()


def _link(modules: dict[str, Path], folder: Path) -> None:
    for name, path in modules.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(path.resolve())
    folder.chmod(0o755)


def _topmost(paths: Sequence[Path]) -> list[Path]:
    """Leave out paths that lie below others."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def around(root: Path, hidden: Sequence[Path]) -> Iterator[Path]:
    """Yield `root`, or the parts of it that hold nothing hidden."""
    if root in hidden:
        return
    if not any(path.is_relative_to(root) for path in hidden):
        yield root
        return
    for item in sorted(root.iterdir()):
        if not item.is_symlink():
            yield from around(item, hidden)


def environment(scratch: str) -> dict[str, str]:
    """Return the environment of a submission's process: numbers of threads, the GPU, and nothing of the user's."""
    passed = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ")
    kept = {name: value for name, value in os.environ.items() if name in passed or name.endswith("_NUM_THREADS")}
    own = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "nobody", "HOME": scratch, "TMPDIR": scratch}
    return kept | own
