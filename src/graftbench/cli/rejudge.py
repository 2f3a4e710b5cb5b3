"""The command `graftbench rejudge`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import add_judge_options, budget_of, judge_named

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.runs.rejudge import Rejudged


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    rejudge = commands.add_parser("rejudge", help="judge the stored completions of a run again; nothing is generated")
    rejudge.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a run")
    rejudge.add_argument("--measure", required=True, help="what is judged: good, insult, refused, ... as in entry.json")
    rejudge.add_argument(
        "--judge",
        required=True,
        help="an installed judge; or with --model llm:RUBRIC, local:RUBRIC, guard:FORMAT, classifier:LABEL, ...",
    )
    add_judge_options(rejudge)
    rejudge.add_argument("--out", type=Path, metavar="DIR", help="where it is written (default RUN-MEASURE-HASH)")
    rejudge.set_defaults(run=_rejudge)


def _rejudge(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.hashing import digest
    from graftbench.benchmark.runs.folder import LEADERBOARD
    from graftbench.benchmark.runs.rejudge import rejudge
    from graftbench.cli.tables import print_failed
    from graftbench.leaderboard.own_runs import write_leaderboard

    spec, measure = judge_named(arguments), arguments.measure
    run = arguments.run_folder.resolve()
    out = _new_folder(run, arguments.out or run.with_name(f"{run.name}-{measure}-{digest(spec)[:8]}"))
    rejudged, console = rejudge(run, measure, spec, out, budget_of(arguments, measure)), Console()
    write_leaderboard(out / LEADERBOARD, [rejudged.entry])
    _print(rejudged, out, console)
    failed = [cell for cell in rejudged.entry.cells if cell.task in rejudged.tasks and cell.status != "ok"]
    print_failed(failed, console)
    return 1 if failed else 0


def _new_folder(run: Path, out: Path) -> Path:
    """Return the folder to write to; UserError where it is the run's own or that of another scored run."""
    if out.resolve() == run:
        raise UserError("The folder of the run itself cannot be written to: name another with --out.")
    if (out / "timings.json").exists():
        raise UserError(f"{out} holds a run that was scored: name another folder with --out.")
    return out


def _print(rejudged: "Rejudged", out: Path, console: "Console") -> None:
    from graftbench.cli.tables import print_entry

    print_entry(rejudged.entry, console)
    for line in (
        f"Judged again: {', '.join(rejudged.tasks)}",
        f"{rejudged.agreement}; {rejudged.agreement.unscored} are unscored now.",
        f"Written to {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True)
