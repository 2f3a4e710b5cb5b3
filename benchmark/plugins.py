"""Finding tasks, mappers and judges by entry point, so that a package elsewhere adds its own."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from .errors import UserError

Kind = Literal["mappers", "tasks", "judges"]


def names(kind: Kind) -> list[str]:
    """The installed plugins of a kind."""
    return sorted(_points(kind))


@cache  # to look through what is installed takes a tenth of a second
def _points(kind: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"graftbench.{kind}")}


def plugin(kind: Kind, name: str, more: Sequence[str] = ()) -> Any:
    """The installed plugin `name`; UserError, with the nearest known name, where there is none.

    `more` is what may be named in its place.
    """
    points = _points(kind)
    if name not in points:
        raise UserError(f"There is no {kind[:-1]} called {name!r}.{nearest(name, [*names(kind), *more])}")
    return _loaded(points[name])


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


def comes_with(kind: Kind, name: str) -> bool:
    """Whether the plugin `name` comes with this package."""
    points = _points(kind)
    return name in points and points[name].value.startswith("graftbench.")
