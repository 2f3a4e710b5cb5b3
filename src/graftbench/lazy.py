"""Public names that are imported when they are first used, so that importing the package itself costs nothing."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_names(namespace: dict[str, Any]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of the module whose `globals()` are given.

    The names are those that it imports under `if TYPE_CHECKING:`, so that type checkers and users see the same ones.
    """

    @cache
    def modules() -> dict[str, str]:
        return _type_checking_imports(Path(namespace["__file__"]))

    def get(name: str) -> Any:
        if name not in namespace["__all__"]:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        namespace[name] = getattr(import_module(modules()[name]), name)  # the next look-up does not come here
        return namespace[name]

    def names() -> list[str]:
        return sorted({*namespace, *namespace["__all__"]})

    return get, names


def _type_checking_imports(file: Path) -> dict[str, str]:
    """Return the modules from which a file imports each name under `if TYPE_CHECKING:`."""
    import ast  # not needed to import the package

    blocks = (s.body for s in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(s, ast.If))
    imports = [statement for block in blocks for statement in block if isinstance(statement, ast.ImportFrom)]
    return {alias.name: each.module or "" for each in imports for alias in each.names}
