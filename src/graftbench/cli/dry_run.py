"""What `graftbench score --dry-run` prints: what a suite needs, its cells, and what is missing before they can run."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from graftbench.benchmark.core.hub import asked_once
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.runs.disk import check_disk
from graftbench.benchmark.runs.foresight import shortages
from graftbench.benchmark.runs.needed import ON_HUB, Needed
from graftbench.benchmark.runs.outlook import outlook
from graftbench.cli.fetch import print_needed

if TYPE_CHECKING:
    from graftbench.benchmark.runs.plan import Cell
    from graftbench.benchmark.runs.request import Request


def dry_run(request: "Request", console: Console) -> int:
    """Print all that is known of a run, and then what is missing; returns 2 where it could not begin."""
    cells = request.listed()  # a name that is not there is told before anything else
    with asked_once():
        items = print_needed(request.suite, console)
        for cell in cells:
            console.print(_line(cell), highlight=False, markup=False, soft_wrap=True)
        problems = list(request.problems())
        if not problems:
            _print_outlook(request, cells, console)
    missing = [*problems, *_missing(items)]
    told = Console(stderr=bool(problems))
    if missing:
        told.print("Missing, or to be put right:", highlight=False)
    for sentence in missing:
        told.print(f"- {sentence}", highlight=False, markup=False, soft_wrap=True)
    return 2 if problems else 0


def _line(cell: "Cell") -> str:
    sites = f"sites {cell.sites[0]} -> {cell.sites[1]}" if cell.sites else "sites chosen by the task"
    return f"{cell.name}, {sites}" + (" (check)" if cell.check else "")


def _print_outlook(request: "Request", cells: Sequence["Cell"], console: Console) -> None:
    for sentence in shortages(request.suite, cells):
        console.print(sentence, style="yellow", highlight=False, soft_wrap=True)
    check_disk(request.suite, cells, Store(request.cache).root)
    for sentence in outlook(request.suite, cells).sentences():
        console.print(sentence, highlight=False, soft_wrap=True)


def _missing(items: Sequence[Needed]) -> Iterator[str]:
    """Yield a sentence for each reason why something is not here, with the names of all that it holds for."""
    names: dict[tuple[str, str], list[str]] = {}
    for each in items:
        if each.here is False and each.note != ON_HUB:  # a run downloads what the Hub has
            names.setdefault((each.kind, each.note), []).append(each.name)
    for (kind, why), of in names.items():
        yield f"{kind} {', '.join(of)}: {why.rstrip('.')}."
