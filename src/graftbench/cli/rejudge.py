"""The command `graftbench rejudge`."""

import argparse

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import budget_of, judge_named


def _rejudge(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.hashing import digest
    from graftbench.benchmark.runs.folder import LEADERBOARD
    from graftbench.benchmark.runs.rejudge import rejudge
    from graftbench.cli.tables import print_entry
    from graftbench.leaderboard.ranking import write_leaderboard

    spec, measure = judge_named(arguments), arguments.measure
    run = arguments.run_folder.resolve()
    out = arguments.out or run.with_name(f"{run.name}-{measure}-{digest(spec)[:8]}")
    if out.resolve() == run:
        raise UserError("The folder of the run itself cannot be written to: name another with --out.")
    if (out / "timings.json").exists():
        raise UserError(f"{out} holds a run that was scored: name another folder with --out.")
    console = Console()
    found = rejudge(run, measure, spec, out, budget_of(arguments, measure))
    write_leaderboard(out / LEADERBOARD, [found.entry])
    print_entry(found.entry, console)
    console.print(f"Judged again: {', '.join(found.tasks)}", highlight=False, soft_wrap=True)
    console.print(f"{found.agreement}; {found.unscored} are unscored now.", highlight=False, soft_wrap=True)
    console.print(f"Written to {out}", highlight=False, soft_wrap=True)
    failed = [cell for cell in found.entry.cells if cell.task in found.tasks and cell.status != "ok"]
    for cell in failed:
        where = f"{cell.variant} {cell.pair} {cell.track}"
        console.print(f"{where} {cell.status}: {cell.reason}", style="red", highlight=False, markup=False)
    return 1 if failed else 0
