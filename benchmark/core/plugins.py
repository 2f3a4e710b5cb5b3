"""Tasks, datasets, mappers and judges found by entry point, so that other packages can add their own."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from graftbench.benchmark.core.errors import UserError

Kind = Literal["mappers", "tasks", "judges", "datasets"]
_OWN = "graftbench."


def plugin_names(kind: Kind) -> list[str]:
    """List the names of the installed plugins of a kind."""
    return sorted(_points(kind))


@cache  # a search through the installed packages takes a tenth of a second
def _points(kind: Kind) -> dict[str, dict[str, EntryPoint]]:
    """Return the entry points of a kind by name, then by the object that they lead to."""
    points: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=f"graftbench.{kind}"):
        points.setdefault(point.name, {})[point.value] = point
    return points


def plugin(kind: Kind, name: str, more: Sequence[str] = ()) -> Any:
    """Import the installed plugin `name`; UserError, with the nearest known name, where there is none or several.

    `more` are other names that the message lists as known.
    """
    points = _points(kind)
    if name not in points:
        raise UserError(f"There is no {kind[:-1]} called {name!r}.{nearest(name, [*plugin_names(kind), *more])}")
    if len(points[name]) > 1:
        both = " and ".join(sorted(points[name]))
        raise UserError(f"Two packages bring a {kind[:-1]} called {name!r} ({both}): uninstall one of them.")
    return _loaded(next(iter(points[name].values())))


def is_builtin(kind: Kind, name: str) -> bool:
    """Return True where the plugin `name` comes with this package."""
    return any(value.startswith(_OWN) for value in _points(kind).get(name, {}))


def builtin_source(kind: Kind, name: str) -> tuple[Path, str] | None:
    """Return the file and the class of a plugin that comes with this package, without importing it; None for others."""
    values = _points(kind).get(name, {})
    if len(values) != 1 or not is_builtin(kind, name):
        return None
    module, _, class_name = next(iter(values)).partition(":")
    spec = find_spec(module)
    return None if spec is None or spec.origin is None else (Path(spec.origin), class_name)


def third_party_sources() -> list[Path]:
    """List the Python files of other packages that bring tasks, datasets or judges."""
    kinds: tuple[Kind, ...] = ("tasks", "datasets", "judges")
    values = [value for kind in kinds for points in _points(kind).values() for value in points]
    tops = sorted({value.partition(":")[0].partition(".")[0] for value in values if not value.startswith(_OWN)})
    return [file for top in tops for file in package_files(top)]


def package_files(top: str) -> list[Path]:
    """List the Python files of an installed package, or of a top-level module."""
    spec = find_spec(top)
    if spec is None:
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    module = [Path(spec.origin)] if spec.origin and not folders else []
    return [*module, *(file for folder in folders for file in sorted(folder.rglob("*.py")))]


def nearest(name: str, known: list[str]) -> str:
    """Return a hint at the name that was meant, and the known names."""
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{hint} Known: {', '.join(known)}."


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise UserError(f"The plugin {point.name} ({point.value}) cannot be imported: {error}.") from error
