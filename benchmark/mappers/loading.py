"""A mapper by its name, its entry point or its file, made with the options that were given."""

import hashlib
import inspect
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_file, sha256_of, whole
from graftbench.benchmark.core.names import MAPPER, MAPPER_IN_WORDS, SOURCE_FILE
from graftbench.benchmark.core.plugins import files_of_package, nearest, plugin
from graftbench.benchmark.core.text import LONGEST, in_one_line
from graftbench.benchmark.interventions.vectors import VECTOR_RULES, VectorRule
from graftbench.benchmark.mappers.protocol import Mapper

Option = str | int | float | bool
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_WIDTHS = ("d_source", "d_target")
_SUBMISSION = "graftbench_submission_"


@dataclass(frozen=True)
class MapperSpec:
    """Which mapper: a name or `path/to/file.py:Class`, with its options; what goes from process to process."""

    source: str
    options: tuple[tuple[str, Option], ...] = ()


@dataclass(frozen=True)
class MapperInfo:
    """A mapper's class, where it was found and what it is."""

    kind: type[Mapper]
    options: dict[str, Option]
    name: str
    sha256: str  # of the source; of `name/version` where the mapper is built in
    file: Path | None = None  # of a submission

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of a submission; none where the mapper is installed."""
        return () if self.file is None else (self.file,)

    @property
    def deterministic(self) -> bool:
        """Whether the seed changes nothing."""
        return bool(vars_of(self.kind).get("deterministic", False))

    @property
    def vector_rule(self) -> VectorRule:
        """How this mapper carries vectors."""
        rule: VectorRule = vars_of(self.kind).get("vector_rule", "difference")
        return rule

    def make(self, d_source: int, d_target: int) -> Mapper:
        """A mapper that has not been fitted."""
        widths = {"d_source": d_source, "d_target": d_target}
        taken = {name: width for name, width in widths.items() if name in _parameters(self.kind)}
        return self.kind(**taken, **self.options)


def vars_of(kind: type) -> dict[str, Any]:
    """What a class says of itself, its own words before those of its parents."""
    return {name: value for part in reversed(kind.__mro__) for name, value in vars(part).items()}


def find(spec: MapperSpec) -> MapperInfo:
    """The class behind a spec; UserError, in one sentence, where it cannot serve as a mapper."""
    path, colon, class_name = spec.source.rpartition(":")
    file = Path(path) if colon else None
    if not colon and is_file(Path(spec.source)):
        raise UserError(f"{spec.source} is a file: name the class in it, too, as in {spec.source}:Mine.")
    kind = _from_file(spec.source) if colon else plugin("mappers", spec.source)
    _check(kind, spec.source)
    said = vars_of(kind)
    rule = said.get("vector_rule", "difference")
    if rule not in VECTOR_RULES:
        raise UserError(f"{spec.source} asks for a vector rule {rule!r}.{nearest(str(rule), list(VECTOR_RULES))}")
    name = str(said.get("name", kind.__name__))
    if not MAPPER.fullmatch(name):
        raise UserError(f"{spec.source}: a mapper's name is {MAPPER_IN_WORDS}; {name[:80]!r} is not.")
    if file is not None and not SOURCE_FILE.fullmatch(file.name):
        raise UserError(f"{path}: call the file of a mapper by letters, digits and underscores, such as my_mapper.py.")
    sha256 = _installed_hash(kind, name) if file is None else submission_hash(class_name, sha256_of(file))
    return MapperInfo(kind, dict(spec.options), name, sha256, file)


def _installed_hash(kind: type, name: str) -> str:
    """Hash that identifies an installed mapper: `name/version` of one that ships, else the code of its package.

    A built-in mapper is identified as judges are, so that moving or rewording its file changes no entry. Its `version`
    goes up when the same pairs would give another fit.
    """
    if _ships(kind):
        return hashlib.sha256(f"{name}/{vars(kind)['version']}".encode()).hexdigest()
    own = [part for part in kind.__mro__ if part.__module__.partition(".")[0] not in ("torch", "builtins", "typing")]
    files = {Path(file) for part in own if not _ships(part) and (file := _file_of(part))} | set(_package_of(kind))
    total = hashlib.sha256(f"{kind.__qualname__}\n".encode())
    if any(_ships(part) for part in own):
        total.update(f"graftbench {version('graftbench')}\n".encode())
    for path in sorted(files, key=lambda path: (path.name, path)):  # the same wherever they lie
        total.update(path.read_bytes())
    return total.hexdigest()


def _ships(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "graftbench"


def _package_of(kind: type) -> list[Path]:
    """The files that a class from elsewhere may draw on: all of its package, none where it is a file of its own."""
    top = kind.__module__.partition(".")[0]
    return [] if top == kind.__module__ else files_of_package(top)


def _file_of(kind: type) -> str | None:
    try:
        return inspect.getsourcefile(kind)
    except TypeError:  # a class of the interpreter's own
        return None


def spec_of(source: str, options: Sequence[str]) -> MapperSpec:
    """A spec from the command line; `options` are texts such as `hidden=256`."""
    found = find(MapperSpec(source))
    known = _options_of(found.kind)
    parsed: list[tuple[str, Option]] = []
    for text in options:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"The option {text!r} is not of the form name=value.")
        if name not in known:
            raise UserError(f"{source} has no option {name!r}.{nearest(name, sorted(known))}")
        if in_one_line(value) != value:
            raise UserError(f"The option {name} of {source} is no single line of up to {LONGEST} characters.")
        parsed.append((name, _value(source, name, value, known[name])))
    spec = MapperSpec(source, tuple(sorted(parsed)))
    _check_options(found.kind, spec)
    return spec


class _AsItIs(SourceFileLoader):
    """Runs a file as it is: byte code beside it is neither read, for it may be of something else, nor written."""

    def path_stats(self, path: str) -> Mapping[str, Any]:  # noqa: ARG002 (as importlib has it)
        """Nothing, without which importlib leaves byte code alone."""
        raise OSError


def _from_file(source: str) -> Any:
    path, _, name = source.rpartition(":")
    file = Path(path)
    if not is_file(file):
        raise UserError(f"There is no file {path} (a mapper in a file is written path/to/file.py:Class).")
    if file.suffix != ".py":
        raise UserError(f"{path} is not a Python file.")
    module_name = f"{_SUBMISSION}{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]}"
    loader = _AsItIs(module_name, str(file))
    spec = spec_from_file_location(module_name, file, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up
    try:
        loader.exec_module(module)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f" (line {last.lineno} of {last.filename})"
        raise UserError(f"{path} cannot be imported: {type(error).__name__}: {error}{where}.") from error
    classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
    if name not in classes:
        raise UserError(f"{path} has no class {name!r}.{nearest(name, sorted(classes))}")
    return classes[name]


def _check(kind: Any, source: str) -> None:
    if not isinstance(kind, type):
        raise UserError(f"{source} is not a class.")
    for method, example in (("fit", "fit(self, pairs, *, seed)"), ("__call__", "__call__(self, source)")):
        if not callable(vars_of(kind).get(method)):
            raise UserError(
                f"{source} has no method {example}: a mapper is fitted on pairs, then called on activations."
            )
    if "seed" not in inspect.signature(vars_of(kind)["fit"]).parameters:
        raise UserError(f"The method fit of {source} takes no `seed`; it should read fit(self, pairs, *, seed).")


def _parameters(kind: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind).parameters


def _options_of(kind: type) -> dict[str, type]:
    """Options with their types: what the constructor takes, tensors and widths aside, by default or annotation."""
    types: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
    found = {}
    for name, parameter in _parameters(kind).items():
        annotation = types.get(str(parameter.annotation), parameter.annotation)
        if annotation is inspect.Parameter.empty:
            annotation = type(parameter.default)
        if name not in _WIDTHS and annotation in types.values():
            found[name] = annotation
    return found


def _value(source: str, name: str, text: str, kind: type) -> Option:
    if kind is bool and text.lower() in _TRUE + _FALSE:
        return text.lower() in _TRUE
    try:
        if kind is not bool:
            return kind(text)  # type: ignore[no-any-return]
    except ValueError as error:
        raise UserError(f"The option {name} of {source} is of type {kind.__name__}; {text!r} is not.") from error
    raise UserError(f"The option {name} of {source} is true or false, not {text!r}.")


def _check_options(kind: type, spec: MapperSpec) -> None:
    needed = [
        name
        for name, parameter in _parameters(kind).items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name not in _WIDTHS
        and name not in dict(spec.options)
    ]
    if needed:
        raise UserError(f"{spec.source} needs the option {needed[0]}: --option {needed[0]}=...")


def submission_hash(name: str, file_sha256: str) -> str:
    """The hash of a mapper that is a class of this name in a file with this hash."""
    return hashlib.sha256(f"{name}\n{file_sha256}".encode()).hexdigest()


SOURCE = "source"  # the folder in a run's


def hashes_of(found: MapperInfo) -> dict[str, str]:
    """The hash of each file of a submitted mapper, by name; none where the mapper is installed."""
    return {file.name: sha256_of(file) for file in found.files}


def keep_source(found: MapperInfo, folder: Path) -> None:
    """Copy the files of a submitted mapper into a run's folder."""
    copy_files(hashes_of(found), found.files[0].parent if found.files else folder, folder / SOURCE)


def check_files(files: dict[str, str], origin: Path) -> None:
    """UserError where one of the files whose hashes are known is not what it was."""
    for name, sha256 in files.items():
        if not (origin / name).is_file() or sha256_of(origin / name) != sha256:
            raise UserError(f"{origin / name} is not the file that was scored: score the mapper again.")


def copy_files(files: dict[str, str], origin: Path, to: Path) -> None:
    """Copy files whose hashes are known from one folder into another; UserError where one is not what it was."""
    check_files(files, origin)
    for name in files:
        with whole(to / name) as path:
            path.write_bytes((origin / name).read_bytes())
