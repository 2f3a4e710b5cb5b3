"""Descriptions of mappers, made without running their code: name, options, identity."""

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_file
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.names import MAPPER_NAME, MAPPER_NAME_RULE, SOURCE_FILE
from graftbench.benchmark.core.plugins import nearest, package_files, plugin
from graftbench.benchmark.interventions.rules import VECTOR_RULES, VectorRule
from graftbench.benchmark.mappers.options import Value, parse_options
from graftbench.benchmark.mappers.source_tree import OPTION_TYPES, WIDTHS, Option, SourceClass, read_classes

_FIT, _CALL = "fit(self, pairs, *, seed)", "__call__(self, source)"


@dataclass(frozen=True)
class MapperInfo:
    """A mapper by its name or its file, with the options that were given.

    Args:
        source: The name of an installed mapper, or `path/to/file.py:Class`.
        sha256: Identity of its code: of the class and file of a submission, of the package of an installed mapper,
            of `name/version` where it is built in.
        deterministic: Whether its fit does not depend on the seed.
        vector_rule: How it carries a vector.
        file: The file of a submission, None where it is installed.

    """

    source: str
    name: str
    sha256: str
    deterministic: bool
    vector_rule: VectorRule
    options: dict[str, Value]
    file: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of a submission; none where the mapper is installed."""
        return () if self.file is None else (self.file,)


@dataclass(frozen=True)
class _Statement:
    """A class's statements about itself; `options` is None where they cannot be known without running it."""

    name: str
    deterministic: bool
    vector_rule: str
    options: dict[str, Option] | None


def describe(source: str, options: Sequence[str] | Mapping[str, Value] = ()) -> MapperInfo:
    """Describe the mapper behind a name or `path/to/file.py:Class`, given options as `name=value` or by name.

    A file is read as a syntax tree and never run; the class of an installed mapper is imported. UserError, in one
    sentence, where it cannot serve as a mapper or an option makes no sense.
    """
    path, colon, class_name = source.rpartition(":")
    if not colon and is_file(Path(source)):
        raise UserError(f"{source} is a file: name the class in it, too, as in {source}:Mine.")
    file = Path(path) if colon else None
    if file is None:
        kind = plugin("mappers", source)
        statement = _of_class(kind, source)
        sha256 = installed_hash(kind, statement.name)
    else:
        statement = _of_source(_submitted(file, class_name), source)
        sha256 = submission_hash(class_name, sha256_of(file))
    return MapperInfo(
        source,
        _checked_name(statement.name, source),
        sha256,
        statement.deterministic,
        _checked_rule(statement.vector_rule, source),
        parse_options(source, options, statement.options),
        file,
    )


def submission_hash(class_name: str, file_sha256: str) -> str:
    """Return the identity of a submission: the hash of its class's name and of its file's hash."""
    return hashlib.sha256(f"{class_name}\n{file_sha256}".encode()).hexdigest()


def installed_hash(kind: type, name: str) -> str:
    """Return the identity of an installed mapper: of `name/version` where it is built in, else of its package's code.

    A built-in mapper is identified as judges are, so that moving or rewording its file changes no entry. Its `version`
    goes up when the same pairs would give another fit.
    """
    if _is_built_in(kind):
        return builtin_hash(name, vars(kind)["version"])
    own = [part for part in kind.__mro__ if part.__module__.partition(".")[0] not in ("torch", "builtins", "typing")]
    files = {Path(file) for part in own if not _is_built_in(part) and (file := _file_of(part))} | set(_package_of(kind))
    total = hashlib.sha256(f"{kind.__qualname__}\n".encode())
    if any(_is_built_in(part) for part in own):
        total.update(f"graftbench {version('graftbench')}\n".encode())
    for path in sorted(files, key=lambda path: (path.name, path)):  # the same wherever they are installed
        total.update(path.read_bytes())
    return total.hexdigest()


def builtin_hash(name: str, version: int) -> str:
    """Return the identity of a built-in mapper."""
    return hashlib.sha256(f"{name}/{version}".encode()).hexdigest()


def _is_built_in(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "graftbench"


def _package_of(kind: type) -> list[Path]:
    """Return the files of the package that a class comes from, none where its module stands alone."""
    top = kind.__module__.partition(".")[0]
    return [] if top == kind.__module__ else package_files(top)


def _file_of(kind: type) -> str | None:
    try:
        return inspect.getsourcefile(kind)
    except TypeError:  # a class of the interpreter's own
        return None


def _submitted(file: Path, class_name: str) -> SourceClass:
    if not is_file(file):
        raise UserError(f"There is no file {file} (a mapper in a file is written path/to/file.py:Class).")
    if file.suffix != ".py":
        raise UserError(f"{file} is not a Python file.")
    if not SOURCE_FILE.fullmatch(file.name):
        raise UserError(f"{file}: call the file of a mapper by letters, digits and underscores, such as my_mapper.py.")
    classes = read_classes(file)
    if class_name not in classes:
        hint = nearest(class_name, sorted(classes)) if classes else ""
        raise UserError(f"{file} has no class {class_name!r} that can be seen without running it.{hint}")
    return classes[class_name]


def _of_source(found: SourceClass, source: str) -> _Statement:
    fit = found.method("fit")
    if fit is None and not found.has_outside_base:
        raise UserError(_no_method(source, _FIT))
    if found.method("__call__") is None and not found.has_outside_base:
        raise UserError(_no_method(source, _CALL))
    if fit is not None and "seed" not in {a.arg for a in (*fit.args.args, *fit.args.kwonlyargs)}:
        raise UserError(_no_seed(source))
    rule = str(found.stated("vector_rule", "difference"))
    deterministic = found.stated("deterministic", default=False) is True
    return _Statement(str(found.stated("name", found.name)), deterministic, rule, found.options())


def _of_class(kind: Any, source: str) -> _Statement:
    check_class(kind, source)
    said = attributes_of(kind)
    name, rule = str(said.get("name", kind.__name__)), str(said.get("vector_rule", "difference"))
    return _Statement(name, bool(said.get("deterministic", False)), rule, _options_of(kind))


def check_class(kind: Any, source: str) -> None:
    """Raise UserError where a class has not the methods of a mapper."""
    if not isinstance(kind, type):
        raise UserError(f"{source} is not a class.")
    said = attributes_of(kind)
    for method, example in (("fit", _FIT), ("__call__", _CALL)):
        if not callable(said.get(method)):
            raise UserError(_no_method(source, example))
    if "seed" not in inspect.signature(said["fit"]).parameters:
        raise UserError(_no_seed(source))


def attributes_of(kind: type) -> dict[str, Any]:
    """Return the attributes of a class, its own before those of its parents."""
    return {name: value for part in reversed(kind.__mro__) for name, value in vars(part).items()}


def _options_of(kind: type) -> dict[str, Option]:
    """Return the options of a class: what its constructor takes, tensors and widths aside."""
    options: dict[str, Option] = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        written = parameter.annotation
        if written is inspect.Parameter.empty:
            written = type(parameter.default)
        option_type = OPTION_TYPES.get(written if isinstance(written, str) else getattr(written, "__name__", ""))
        if option_type is not None and name not in WIDTHS:
            options[name] = Option(option_type, required=parameter.default is inspect.Parameter.empty)
    return options


def _no_method(source: str, example: str) -> str:
    return f"{source} has no method {example}: a mapper is fitted on pairs, then called on activations."


def _no_seed(source: str) -> str:
    return f"The method fit of {source} takes no `seed`; it should read {_FIT}."


def _checked_rule(rule: str, source: str) -> VectorRule:
    for known in VECTOR_RULES:
        if rule == known:
            return known
    raise UserError(f"{source} asks for a vector rule {rule!r}.{nearest(rule, list(VECTOR_RULES))}")


def _checked_name(name: str, source: str) -> str:
    if not MAPPER_NAME.fullmatch(name):
        raise UserError(f"{source}: a mapper's name is {MAPPER_NAME_RULE}; {name[:80]!r} is not.")
    return name
