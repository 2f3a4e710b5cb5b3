"""Read a class from the syntax tree of a file: what it states of itself, without running anything."""

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.entry_files import read_bytes

MOST_BYTES = 2**20  # of a source file
WIDTHS = ("d_source", "d_target")  # arguments that every constructor may take, and that are no options
OptionType = type[str] | type[int] | type[float] | type[bool]
OPTION_TYPES: Mapping[str, OptionType] = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class Option:
    """An option of a mapper: its type, and whether it has to be given."""

    kind: OptionType
    required: bool = False


@dataclass(frozen=True)
class SourceClass:
    """A class in a file, with the classes of the same file that it inherits from, nearest first."""

    name: str
    file: Path
    lineage: tuple[ast.ClassDef, ...]

    @property
    def has_outside_base(self) -> bool:
        """True where it inherits from a class that is not in the file."""
        here = {node.name for node in self.lineage} | {"object"}
        return any(not (isinstance(base, ast.Name) and base.id in here) for node in self.lineage for base in node.bases)

    def stated(self, name: str, default: str | bool) -> str | bool:
        """Return the plain string or boolean that the class assigns to `name`, else `default`."""
        for node in self.lineage:
            value = _last_binding(node, name)
            if value is not None:
                plain = isinstance(value, ast.Constant) and isinstance(value.value, str | bool)
                return value.value if plain else default  # type: ignore[attr-defined]
        return default

    def number(self, name: str) -> int | None:
        """Return the plain integer that the class assigns to `name`; None where it assigns none."""
        for node in self.lineage:
            value = _last_binding(node, name)
            if value is not None:
                return value.value if isinstance(value, ast.Constant) and type(value.value) is int else None
        return None

    def method(self, name: str) -> ast.FunctionDef | None:
        """Return the definition of a method, None where the file has none."""
        for node in self.lineage:
            for statement in reversed(node.body):
                if isinstance(statement, ast.FunctionDef) and statement.name == name:
                    return statement
        return None

    def options(self) -> dict[str, Option] | None:
        """Return the options of the constructor or of the dataclass; None where an outside base may add some."""
        for node in self.lineage:
            constructor = [s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"]
            if constructor:
                return _arguments(constructor[-1].args)
            if node.decorator_list:  # a dataclass
                return None if self.has_outside_base else dict(_fields(self.lineage))
        return None if self.has_outside_base else {}


def read_classes(file: Path) -> dict[str, SourceClass]:
    """Return the classes at the top level of a file, by name; UserError where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd but valid syntax
            tree = ast.parse(read_bytes(file, MOST_BYTES))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # all that ast.parse raises
        where = f" (line {error.lineno}: {error.msg})" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UserError(f"{file} cannot be read as Python: {type(error).__name__}{where}.") from error
    nodes = {statement.name: statement for statement in tree.body if isinstance(statement, ast.ClassDef)}
    return {name: SourceClass(name, file, tuple(_lineage(name, nodes))) for name in nodes}


def _lineage(name: str, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    lineage: dict[str, ast.ClassDef] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        if current in classes and current not in lineage:
            lineage[current] = classes[current]
            waiting = [base.id for base in classes[current].bases if isinstance(base, ast.Name)] + waiting
    return list(lineage.values())


def _last_binding(node: ast.ClassDef, name: str) -> ast.AST | None:
    """Return the value that a class body last assigns to a name, or the statement where that is not a plain value."""
    for statement in reversed(node.body):
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
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for node in ast.walk(statement)
    )


def _arguments(arguments: ast.arguments) -> dict[str, Option] | None:
    """Return the options among a constructor's arguments; None where it takes any keyword."""
    if arguments.kwarg is not None:
        return None
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip(positional[1:], defaults[1:], strict=True)]  # without self
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    options = {argument.arg: _option(argument.annotation, default) for argument, default in pairs}
    return {name: option for name, option in options.items() if option is not None and name not in WIDTHS}


def _fields(lineage: tuple[ast.ClassDef, ...]) -> Iterator[tuple[str, Option]]:
    """Yield the fields of dataclasses that are options, those of parents first."""
    for node in reversed(lineage):
        for statement in node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                    option = _option(annotation, value)
                    if option is not None:
                        yield name, option


def _option(annotation: ast.expr | None, default: ast.expr | None) -> Option | None:
    """Return the option that a parameter is, by its annotation or its default; None where it is no plain value."""
    if annotation is not None:
        written = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
        kind = OPTION_TYPES.get(str(written))
    else:
        value = default.value if isinstance(default, ast.Constant) else None
        kind = OPTION_TYPES.get(type(value).__name__)
    return None if kind is None else Option(kind, required=default is None)
