"""Check that a submitted mapper keeps to the protocol, as `graftbench check` does."""

from pathlib import Path

from graftbench.benchmark.core.plugins import is_builtin
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.mappers.loading import SOURCE
from graftbench.benchmark.results.schema import Entry


def protocol_problems(entry: Entry, run: Path) -> list[str]:
    """Return where the mapper of a run breaks the protocol; what comes with graftbench is checked by its tests.

    The mapper is fitted in an isolated process, in seconds. UserError where it is not installed here.
    """
    mapper = entry.mapper
    if is_builtin("mappers", mapper.source):
        return []
    from graftbench.benchmark.mappers.checking import problems_with  # bring torch, for what needs to be fitted alone
    from graftbench.benchmark.mappers.hosts import isolation_of

    source = mapper.source
    if mapper.files:
        path, _, name = source.rpartition(":")
        source = f"{run / SOURCE / Path(path).name}:{name}"
    info = describe(source, mapper.options)
    found = problems_with(info, isolation_of(info))
    return [f"{name}: {problem}" for name, problem in found if problem is not None]
