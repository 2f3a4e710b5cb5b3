"""The command `graftbench sweep`."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.errors import UserError

_NATIVE = ("site", "strength", "position")
_MAPPED = ("fit-size", "seed")


def _sweep(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.mappers.loading import find, spec_of
    from graftbench.benchmark.runs.plan import planned
    from graftbench.benchmark.runs.suite import read_suite
    from graftbench.benchmark.runs.sweeps.mapped import refit
    from graftbench.benchmark.runs.sweeps.native import sweep

    if (arguments.over in _MAPPED) != (arguments.mapper is not None):
        needs = "needs" if arguments.over in _MAPPED else "fits no mapper: leave out"
        raise UserError(f"A sweep over {arguments.over} {needs} --mapper.")
    if arguments.option and arguments.mapper is None:
        raise UserError("--option is for a mapper: name one with --mapper, or leave it out.")
    suite, console = read_suite(arguments.suite), Console()
    cells = planned(suite, deterministic=True, tasks=arguments.task, pairs=arguments.pair)
    settings = {"batch_size": arguments.batch_size, "device": arguments.device, "workers": arguments.workers}
    if arguments.mapper:
        spec = spec_of(arguments.mapper, arguments.option)
        out = arguments.out or Path("runs/sweep") / find(spec).name
        refit(suite, cells, spec, arguments.over, out, console, **settings)
    else:
        out = arguments.out or Path("runs/sweep")
        sweep(suite, cells, arguments.over, out, console, **settings)
    console.print(f"Written to {out}", highlight=False, soft_wrap=True)
    return 0
