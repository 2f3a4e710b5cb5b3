"""What the file of a mapper says of its class, read without being run, beside what an entry says of it."""

import ast
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.entry_files import read_bytes
from graftbench.benchmark.results.schema import MapperRecord

MOST_BYTES = 2**20  # of a file
_WIDTHS = {"d_source", "d_target"}  # which a constructor is given, and no options
Classes = Mapping[str, ast.ClassDef]


def declared_apart(mapper: MapperRecord, folder: Path) -> list[str]:
    """Where an entry says of the mapper whose file lies in a folder what the file does not, in one sentence each.

    What a class gets from elsewhere is not looked for: it has to say itself what is other than usual.
    """
    file = folder / next(iter(mapper.files))
    kind = mapper.source.rpartition(":")[2]
    classes = _classes(file)
    if kind not in classes:
        return [f"{file} has no class {kind!r} that can be seen without running it"]
    lineage = _lineage(kind, classes)
    return [*_said_apart(mapper, kind, lineage, file), *_options_apart(mapper, lineage, file)]


def _classes(file: Path) -> Classes:
    """The classes at the top level of a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is written oddly in it
            tree = ast.parse(read_bytes(file, MOST_BYTES))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # how Python says that it is no Python
        raise UserError(f"{file} cannot be read as Python: {type(error).__name__}.") from error
    return {statement.name: statement for statement in tree.body if isinstance(statement, ast.ClassDef)}


def _lineage(kind: str, classes: Classes) -> list[ast.ClassDef]:
    """A class and those of its file that it comes from, nearest first."""
    found: dict[str, ast.ClassDef] = {}
    waiting = [kind]
    while waiting:
        name = waiting.pop(0)
        if name in classes and name not in found:
            found[name] = classes[name]
            waiting = [base.id for base in classes[name].bases if isinstance(base, ast.Name)] + waiting
    return list(found.values())


def _said_apart(mapper: MapperRecord, kind: str, lineage: list[ast.ClassDef], file: Path) -> Iterator[str]:
    usual: dict[str, str | bool] = {"name": kind, "deterministic": False, "vector_rule": "difference"}
    told = (mapper.name, mapper.deterministic, mapper.vector_rule)
    for (name, default), claim in zip(usual.items(), told, strict=True):
        said = _said(lineage, name, default)
        if claim != said:
            yield (
                f"it says that `{name}` is {repr(claim)[:80]}, and by {file} it is {repr(said)[:80]} "
                f"(what is other than usual the class {kind} has to say itself, in plain words)"
            )


def _said(lineage: list[ast.ClassDef], name: str, usual: str | bool) -> str | bool:
    """What a class, or the nearest that it comes from, says plainly of itself; what is usual where none does."""
    for kind in lineage:
        value = _assigned(kind, name)
        if value is not None:
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str | bool) else usual
    return usual


def _assigned(kind: ast.ClassDef, name: str) -> ast.AST | None:
    """What the body of a class makes of a name at last; the whole statement where that is not plain to see."""
    for statement in reversed(kind.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                return value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                return value
        if _binds(statement, name):
            return statement
    return None


def _binds(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name == name
    return any(
        isinstance(one, ast.Name) and one.id == name and not isinstance(one.ctx, ast.Load)
        for one in ast.walk(statement)
    )


def _options_apart(mapper: MapperRecord, lineage: list[ast.ClassDef], file: Path) -> Iterator[str]:
    known = _options(lineage)
    if known is not None:
        for name in sorted(mapper.options.keys() - known):
            yield f"by {file} it has no option {name[:80]!r}"


def _options(lineage: list[ast.ClassDef]) -> set[str] | None:
    """What the constructor takes, or the fields where it is made from them; None where both may come from elsewhere."""
    for kind in lineage:
        made = [one for one in kind.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
        if made:
            return _taken(made[-1].args)
        if kind.decorator_list:  # a dataclass
            return None if _from_elsewhere(lineage) else {name for one in lineage for name in _fields(one)}
    return None if _from_elsewhere(lineage) else set()


def _taken(arguments: ast.arguments) -> set[str] | None:
    """The names of arguments, the first and widths aside; None where any may be given."""
    if arguments.kwarg is not None:
        return None
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)][1:]
    return {*names, *(one.arg for one in arguments.kwonlyargs)} - _WIDTHS


def _from_elsewhere(lineage: list[ast.ClassDef]) -> bool:
    here = {kind.name for kind in lineage} | {"object"}
    return any(not (isinstance(base, ast.Name) and base.id in here) for kind in lineage for base in kind.bases)


def _fields(kind: ast.ClassDef) -> Iterator[str]:
    for statement in kind.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kept) if not _of_class(kept):
                yield name


def _of_class(annotation: ast.expr) -> bool:
    """Whether it says `ClassVar`, with or without its module."""
    parts = list(ast.walk(annotation))
    names = {one.id for one in parts if isinstance(one, ast.Name)}
    return "ClassVar" in names | {one.attr for one in parts if isinstance(one, ast.Attribute)}
