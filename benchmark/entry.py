"""The entry of a run: what came out of its cells, with the suite, the mapper, the judges and where it ran."""

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version

import pyarrow as pa

from graftbench.leaderboard.schema import Cell as CellResult
from graftbench.leaderboard.schema import Entry, MapperRecord, SuiteIdentity

from .headline import headline
from .mappers.finding import Found
from .mappers.sources import hashes_of
from .models import device_of
from .plan import Cell
from .plugins import plugin
from .request import Request
from .rows import rows_that_took, what_they_took


def entry_of(
    request: Request, found: Found, cells: Sequence[Cell], results: Sequence[CellResult], tables: Iterable[pa.Table]
) -> Entry:
    """The entry of these cells, given the result of each and the tables of their answers."""
    tasks = dict.fromkeys(cell.task for cell in cells)
    judges = {name: plugin("tasks", name)().judges(request.suite.tasks[name].judges) for name in tasks}
    return Entry(
        graftbench_version=version("graftbench"),
        suite=SuiteIdentity(name=request.suite.name, hash=request.suite.hash),
        judges=judges,
        mapper=MapperRecord(
            name=found.name,
            source=request.mapper.source,
            sha256=found.sha256,
            files=hashes_of(found),
            options=found.options,
            deterministic=found.deterministic,
            vector_rule=found.vector_rule,
        ),
        judging=what_they_took(rows_that_took(tables), judges),
        environment=_environment(request),
        headline=headline(results, filtered=bool(request.left_out(found, cells))),
        cells=list(results),
    )


def _environment(request: Request) -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "peft", "sacrebleu")}
    return packages | {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": str(device_of(request.device)),
        "dtype": request.suite.dtype,
        "batch_size": str(request.batch_size),
    }
