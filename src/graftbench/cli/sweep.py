"""The command `graftbench sweep`."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import add_mapper_options, add_suite, where_of

_OVER_NATIVE = ("site", "strength", "position")
_OVER_FITS = ("fit-size", "seed")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    sweep = commands.add_parser("sweep", help="vary where models are steered, or what a mapper is fitted on")
    add_suite(sweep)
    sweep.add_argument(
        "--over", choices=[*_OVER_NATIVE, *_OVER_FITS], default="site", help="what is varied (default site)"
    )
    sweep.add_argument("--mapper", help="which mapper is fitted, over fit-size and seed: as in `score`")
    add_mapper_options(sweep)
    sweep.add_argument("--out", type=Path, metavar="DIR", help="where it is written (default: below runs/sweep)")
    sweep.set_defaults(run=_sweep, goes_on=True)


def _sweep(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.hashing import digest
    from graftbench.benchmark.mappers.info import describe
    from graftbench.benchmark.runs.plan import planned
    from graftbench.benchmark.runs.suite import read_suite
    from graftbench.benchmark.runs.sweeps.fits import refit
    from graftbench.benchmark.runs.sweeps.native import sweep

    _check_mapper_options(arguments)
    suite, console = read_suite(arguments.suite), Console()
    cells = planned(
        suite,
        deterministic=True,
        tasks=arguments.task,
        pairs=arguments.pair,
        variants=arguments.variant,
        tracks=arguments.track,
    )
    settings = {"batch_size": arguments.batch_size, "device": arguments.device, "where": where_of(arguments)}
    default = Path("runs/sweep") / f"{suite.name}-{digest(suite.hash, [cell.name for cell in cells])[:8]}"
    if arguments.mapper:
        info = describe(arguments.mapper, arguments.option)
        out = arguments.out or default / info.name
        refit(suite, cells, info, arguments.over, out, console, **settings)
    else:
        out = arguments.out or default
        sweep(suite, cells, arguments.over, out, console, **settings)
    console.print(f"Written to {out}", highlight=False, soft_wrap=True)
    return 0


def _check_mapper_options(arguments: argparse.Namespace) -> None:
    """Raise UserError where a mapper is missing, or given where none is fitted."""
    if (arguments.over in _OVER_FITS) != (arguments.mapper is not None):
        needs = "needs" if arguments.over in _OVER_FITS else "fits no mapper: leave out"
        raise UserError(f"A sweep over {arguments.over} {needs} --mapper.")
    if arguments.option and arguments.mapper is None:
        raise UserError("--option is for a mapper: name one with --mapper, or leave it out.")
