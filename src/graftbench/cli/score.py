"""The command lines of `graftbench score`, `graftbench sweep` and `graftbench check`."""

import argparse
from pathlib import Path

from graftbench.cli.options import add_budget_options, add_judge_options, not_negative, positive
from graftbench.cli.rejudge import _rejudge
from graftbench.cli.sweep import _MAPPED, _NATIVE, _sweep


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    score = commands.add_parser("score", help="score a mapper on a suite")
    _mapper(score)
    _suite(score)
    score.add_argument("--seed", type=not_negative, default=0, help="the mapper's first seed (default 0)")
    score.add_argument("--cell-timeout", type=float, metavar="SECONDS", help="stop a cell that takes longer")
    score.add_argument("--out", type=Path, metavar="DIR", help="where the run is written")
    add_budget_options(score)
    score.add_argument("--dry-run", action="store_true", help="print the cells and stop")
    score.set_defaults(run=_score)
    sweep = commands.add_parser("sweep", help="vary where models are steered, or what a mapper is fitted on")
    _suite(sweep)
    sweep.add_argument("--over", choices=[*_NATIVE, *_MAPPED], default="site", help="what is varied (default site)")
    sweep.add_argument("--mapper", help="which mapper is fitted, over fit-size and seed: as in `score`")
    sweep.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the mapper")
    sweep.add_argument("--out", type=Path, metavar="DIR", help="where it is written (default runs/sweep)")
    sweep.set_defaults(run=_sweep)
    again = commands.add_parser("rejudge", help="judge the stored completions of a run again; nothing is generated")
    again.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run")
    again.add_argument("--measure", required=True, help="what is judged: good, insult, refused, ... as in entry.json")
    again.add_argument(
        "--judge",
        required=True,
        help="an installed judge; or with --model llm:RUBRIC, local:RUBRIC, guard:FORMAT, classifier:LABEL, ...",
    )
    add_judge_options(again)
    again.add_argument("--out", type=Path, metavar="DIR", help="where it is written (default RUN-MEASURE-HASH)")
    again.set_defaults(run=_rejudge)
    shown = commands.add_parser("show", help="print a run: its table, its scores, and what was said")
    shown.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run, or an entry's file")
    shown.add_argument(
        "--examples",
        type=not_negative,
        default=1,
        metavar="N",
        help="prompts of each cell that are shown (default 1; an entry's file holds two)",
    )
    shown.set_defaults(run=_show)
    check = commands.add_parser("check", help="take a mapper through its paces, in seconds")
    _mapper(check)
    check.set_defaults(run=_check)


def _mapper(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mapper", metavar="MAPPER", help="a name, or path/to/file.py:Class")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the mapper")


def _suite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", default="pocket", help="a suite that ships, or a YAML file (default pocket)")
    parser.add_argument("--task", action="append", default=[], help="run this task alone (may be repeated)")
    parser.add_argument("--pair", action="append", default=[], help="run this pair alone (may be repeated)")
    parser.add_argument("--batch-size", type=positive, default=256, help="rows at a time (default 256)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default auto)")
    parser.add_argument("--workers", type=positive, default=2, help="cells at a time, on a CPU (default 2)")


def _score(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.mappers.loading import find, spec_of
    from graftbench.benchmark.runs.folder import LEADERBOARD
    from graftbench.benchmark.runs.request import Request
    from graftbench.benchmark.runs.run import run
    from graftbench.benchmark.runs.suite import read_suite
    from graftbench.cli.tables import print_entry
    from graftbench.leaderboard.ranking import write_leaderboard

    console = Console()
    spec = spec_of(arguments.mapper, arguments.option)
    request = Request(
        suite=read_suite(arguments.suite),
        mapper=spec,
        tasks=tuple(arguments.task),
        pairs=tuple(arguments.pair),
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        device=arguments.device,
        workers=arguments.workers,
        cell_timeout=arguments.cell_timeout,
        out=arguments.out,
        judge_requests=arguments.judge_requests,
        judge_dollars=arguments.judge_dollars,
    )
    if arguments.dry_run:
        for cell in request.cells(find(spec)):
            check = " (check)" if cell.check else ""
            sites = f"sites {cell.sites[0]} -> {cell.sites[1]}" if cell.sites else "sites chosen by the task"
            console.print(f"{cell.name}, {sites}{check}", highlight=False)
        return 0
    done = run(request, console)
    write_leaderboard(done.folder / LEADERBOARD, [done.entry])
    print_entry(done.entry, console)
    for failed in done.failed:
        where = f"{failed.variant} {failed.pair} {failed.track}"
        console.print(f"{where} {failed.status}: {failed.reason}", style="red", highlight=False, markup=False)
    console.print(f"Written to {done.folder}", highlight=False, soft_wrap=True)
    return 1 if done.failed else 0


def _show(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.cli.show import show

    show(arguments.run_folder, Console(), arguments.examples)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.mappers.checking import check_mapper
    from graftbench.benchmark.mappers.loading import spec_of

    return check_mapper(spec_of(arguments.mapper, arguments.option), Console())
