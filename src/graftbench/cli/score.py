"""The command `graftbench score`."""

import argparse
from pathlib import Path

from graftbench.cli.options import add_budget, add_isolation, add_mapper, add_suite, not_negative, where_of


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    score = commands.add_parser("score", help="score a mapper on a suite")
    add_mapper(score)
    add_suite(score)
    add_isolation(score)
    score.add_argument("--seed", type=not_negative, default=0, help="the mapper's first seed (default 0)")
    score.add_argument("--cell-timeout", type=float, metavar="SECONDS", help="stop a cell that takes longer")
    score.add_argument("--out", type=Path, metavar="DIR", help="where the run is written")
    add_budget(score)
    score.add_argument("--dry-run", action="store_true", help="print what is needed and the cells, and stop")
    score.set_defaults(run=_score, goes_on=True)


def _score(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.mappers.info import describe
    from graftbench.benchmark.runs.folder import LEADERBOARD
    from graftbench.benchmark.runs.foresight import shortages
    from graftbench.benchmark.runs.request import Request
    from graftbench.benchmark.runs.run import run
    from graftbench.benchmark.runs.suite import read_suite
    from graftbench.cli.dry_run import dry_run
    from graftbench.cli.tables import print_entry, print_failed
    from graftbench.leaderboard.own_runs import write_leaderboard

    console = Console()
    info = describe(arguments.mapper, arguments.option)
    request = Request(
        suite=read_suite(arguments.suite),
        mapper=info,
        tasks=tuple(arguments.task),
        pairs=tuple(arguments.pair),
        variants=tuple(arguments.variant),
        tracks=tuple(arguments.track),
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        device=arguments.device,
        where=where_of(arguments),
        cell_timeout=arguments.cell_timeout,
        out=arguments.out,
        judge_requests=arguments.judge_requests,
        judge_dollars=arguments.judge_dollars,
        isolate=arguments.isolate,
    )
    if arguments.dry_run:
        return dry_run(request, console)
    for sentence in shortages(request.suite, request.cells()):
        console.print(sentence, style="yellow", highlight=False, soft_wrap=True)
    done = run(request, console)
    write_leaderboard(done.folder / LEADERBOARD, [done.entry])
    print_entry(done.entry, console)
    print_failed(done.failed, console)
    console.print(f"Written to {done.folder}", highlight=False, soft_wrap=True)
    return 1 if done.failed else 0
