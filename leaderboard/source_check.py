"""Compare what an entry states of a submitted mapper with what its file states, which is read and never run."""

from collections.abc import Iterator
from pathlib import Path

from graftbench.benchmark.mappers.source_tree import SourceClass, read_classes
from graftbench.benchmark.results.schema import MapperRecord


def source_mismatches(mapper: MapperRecord, folder: Path) -> list[str]:
    """List where an entry states of a mapper what its file in `folder` does not, in one sentence each.

    A class has to state itself what departs from the defaults: what it inherits from outside its file is not looked
    for. UserError where the file is no Python.
    """
    file = folder / next(iter(mapper.files))
    name = mapper.source.rpartition(":")[2]
    classes = read_classes(file)
    if name not in classes:
        return [f"{file} has no class {name!r} that can be seen without running it"]
    return [*_statement_mismatches(mapper, classes[name]), *_option_mismatches(mapper, classes[name])]


def _statement_mismatches(mapper: MapperRecord, found: SourceClass) -> Iterator[str]:
    defaults: dict[str, str | bool] = {"name": found.name, "deterministic": False, "vector_rule": "difference"}
    claims = (mapper.name, mapper.deterministic, mapper.vector_rule)
    for (name, default), claim in zip(defaults.items(), claims, strict=True):
        stated = found.stated(name, default)
        if claim != stated:
            yield (
                f"it says that `{name}` is {repr(claim)[:80]}, and by {found.file} it is {repr(stated)[:80]} "
                f"(the class {found.name} has to state itself, in plain values, what departs from the defaults)"
            )


def _option_mismatches(mapper: MapperRecord, found: SourceClass) -> Iterator[str]:
    options = found.options()
    if options is not None:
        for name in sorted(mapper.options.keys() - options):
            yield f"by {found.file} it has no option {name[:80]!r}"
