"""A wall by bubblewrap, where it is installed (https://github.com/containers/bubblewrap)."""

from collections.abc import Sequence
from shutil import which

from graftbench.benchmark.mappers.isolation.namespaces import SCRATCH
from graftbench.benchmark.mappers.isolation.view import View


def program() -> str | None:
    """Return the path of bubblewrap, None where it is not installed."""
    return which("bwrap")


def arguments(program: str, view: View, scratch_bytes: int, command: Sequence[str]) -> list[str]:
    """Return the command that runs another in namespaces of its own, in which `view` is all there is.

    The environment is the caller's, who passes a short one on.
    """
    words = [program, "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"]
    words += ["--dev", "/dev", "--size", "4096", "--tmpfs", "/dev/shm"]  # noqa: S108 (--dev brings a large one)
    words += ["--proc", "/proc"]
    words += ["--size", str(scratch_bytes), "--tmpfs", str(SCRATCH)]
    for path in view.readable:
        words += ["--ro-bind", str(path), str(path)]
    for path, target in view.links:
        words += ["--symlink", str(target), str(path)]
    for path in view.devices:
        if path.name.startswith("nvidia"):  # --dev brings the others
            words += ["--dev-bind", str(path), str(path)]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--", *command]
