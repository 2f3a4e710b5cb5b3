"""Mapper classes as submissions: a class of a notebook is written to a file, with everything that it uses."""

import ast
import builtins
import re
import symtable
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from graftbench.benchmark.core.errors import UserError, cache_folder
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.plugins import plugin, plugin_names


def source_of(mapper: str | type) -> str:
    """Return a mapper as a command line names it: its name, or `path/to/file.py:Class`.

    A class of a notebook, of a script or of an interactive session is written to a file in the cache folder, together
    with the imports, functions, classes and plain values that it uses. UserError, saying what is missing, where that
    is not possible.
    """
    if isinstance(mapper, str):
        return mapper
    if not isinstance(mapper, type):
        raise UserError(f"A mapper is a name, path/to/file.py:Class or a class, not {type(mapper).__name__}.")
    installed = _installed_name(mapper)
    if installed:
        return installed
    if mapper.__qualname__ != mapper.__name__:
        raise UserError(f"{mapper.__qualname__} is defined inside a function or class: move it to the top level.")
    file = getattr(sys.modules.get(mapper.__module__), "__file__", None)
    if file and mapper.__module__ != "__main__":
        return f"{file}:{mapper.__name__}"
    text = "\n\n".join(_needed(mapper.__name__, _cells())) + "\n"
    path = cache_folder() / "notebooks" / digest(text)[:12] / f"{_snake_case(mapper.__name__)}.py"
    write_text(path, text)
    return f"{path}:{mapper.__name__}"


def _installed_name(kind: type) -> str | None:
    """Return the name of the entry point that a class is, if any: it carries the same name."""
    name = getattr(kind, "name", None)
    return (
        name if isinstance(name, str) and name in plugin_names("mappers") and plugin("mappers", name) is kind else None
    )


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _cells() -> list[str]:
    """Return the cells that IPython has run, oldest first, or the script that is running; none in a plain session."""
    main = sys.modules["__main__"]
    history = getattr(main, "In", None)
    if isinstance(history, list):
        return history
    file = getattr(main, "__file__", None)
    return [Path(file).read_text(encoding="utf-8")] if file else []


def _needed(name: str, cells: Sequence[str]) -> list[str]:
    """Return the statements that define a class and all that it uses, in the order in which they were run."""
    homes = _definitions(cells)
    if name not in homes:
        raise UserError(
            f"The source of the class {name} is not known: write it to a file, and name that as FILE:{name}."
        )
    chosen: dict[tuple[int, int], str] = {}
    wanted, missing = [name], []
    while wanted:
        each = wanted.pop()
        if each not in homes:
            missing.append(each)
            continue
        place, text = homes[each]
        if place not in chosen:
            chosen[place] = text
            wanted += sorted(_globals_of(text) - set(dir(builtins)))
    if missing:
        raise UserError(
            f"The class {name} uses {', '.join(sorted(set(missing)))}, which is no import, function, class or plain "
            "value at the top level of the notebook: define it so, or write the mapper to a file of its own."
        )
    return [text for _, text in sorted(chosen.items())]


Definitions = dict[str, tuple[tuple[int, int], str]]  # by name: cell and line, and the statement


def _definitions(cells: Sequence[str]) -> Definitions:
    """Return the last statement at the top level of some cells that binds each name."""
    definitions: Definitions = {}
    for i, cell in enumerate(cells):
        try:
            statements = ast.parse(cell).body
        except SyntaxError:  # a cell that did not run either
            continue
        for statement in statements:
            bound = dict(_bound(statement, cell))
            for name in _assigned(statement) - bound.keys():
                definitions.pop(name, None)  # bound anew, in a way that has no text to copy
            definitions |= {name: ((i, statement.lineno), text) for name, text in bound.items()}
    return definitions


def _assigned(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds at the top level, in whatever way."""
    top = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
    return {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}


def _bound(statement: ast.stmt, cell: str) -> Iterator[tuple[str, str]]:
    """Yield the names that a statement binds, with its text: an import, function, class or plain value."""
    text = _text(statement, cell)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], text
    elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name, text
    elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and _is_plain(statement.value):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            if isinstance(target, ast.Name) and _still_is(target.id, statement.value):
                yield target.id, text


def _text(statement: ast.stmt, cell: str) -> str:
    """Return the source of a statement, its decorators included."""
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(cell.splitlines()[first - 1 : statement.end_lineno])


def _still_is(name: str, value: ast.expr) -> bool:
    """Return whether a name still has the value that it was given; a list, say, may have grown since."""
    now = vars(sys.modules["__main__"])
    return name not in now or now[name] == ast.literal_eval(value)


def _is_plain(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def _globals_of(text: str) -> set[str]:
    """Return the names that code takes from its module."""

    def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
        yield table
        for child in table.get_children():
            yield from scopes(child)

    top = symtable.symtable(text, "<mapper>", "exec")
    own = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used = {s.get_name() for table in scopes(top) for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return {name for name in used if name not in own and not name.startswith("__")}
