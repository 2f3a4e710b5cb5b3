"""Finding tasks, mappers and judges by entry point, so that a package elsewhere adds its own."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from graftbench.benchmark.core.errors import UserError

Kind = Literal["mappers", "tasks", "judges"]
_OWN = "graftbench."


def names(kind: Kind) -> list[str]:
    """The installed plugins of a kind."""
    return sorted(_points(kind))


@cache  # to look through what is installed takes a tenth of a second
def _points(kind: Kind) -> dict[str, dict[str, EntryPoint]]:
    """What is installed of a kind by name, and by what it leads to."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=f"graftbench.{kind}"):
        found.setdefault(point.name, {})[point.value] = point
    return found


def plugin(kind: Kind, name: str, more: Sequence[str] = ()) -> Any:
    """The installed plugin `name`; UserError, with the nearest known name, where there is none, or more than one.

    `more` is what may be named in its place.
    """
    points = _points(kind)
    if name not in points:
        raise UserError(f"There is no {kind[:-1]} called {name!r}.{nearest(name, [*names(kind), *more])}")
    if len(points[name]) > 1:
        both = " and ".join(sorted(points[name]))
        raise UserError(f"Two packages bring a {kind[:-1]} called {name!r} ({both}): uninstall one of them.")
    return _loaded(next(iter(points[name].values())))


def comes_with(kind: Kind, name: str) -> bool:
    """Whether the plugin `name` comes with this package."""
    return any(value.startswith(_OWN) for value in _points(kind).get(name, {}))


def sources_from_elsewhere() -> list[Path]:
    """The Python files of the packages that bring tasks and judges, this one aside."""
    kinds: tuple[Kind, ...] = ("tasks", "judges")
    values = [value for kind in kinds for points in _points(kind).values() for value in points]
    tops = sorted({value.partition(":")[0].partition(".")[0] for value in values if not value.startswith(_OWN)})
    return [file for top in tops for file in files_of_package(top)]


def files_of_package(top: str) -> list[Path]:
    """The Python files of an installed package, or of a module that is alone."""
    spec = find_spec(top)
    if spec is None:
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    alone = [Path(spec.origin)] if spec.origin and not folders else []
    return [*alone, *(file for folder in folders for file in sorted(folder.rglob("*.py")))]


def nearest(name: str, known: list[str]) -> str:
    """A hint at the name that was meant, and the known ones."""
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{hint} Known: {', '.join(known)}."


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise UserError(f"The plugin {point.name} ({point.value}) cannot be imported: {error}.") from error
