"""The command `graftbench judge calibrate | report`."""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.cli.options import add_judge_options, budget_of, judge_named, positive

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.judges.agreement import Agreement, CalibrationFigure


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    judge = commands.add_parser("judge", help="what judges are worth")
    verbs = judge.add_subparsers(required=True, metavar="COMMAND")
    calibrate = verbs.add_parser("calibrate", help="compare a judge with labelled completions")
    calibrate.add_argument(
        "judge",
        metavar="JUDGE",
        help="an installed judge; or with --model llm:RUBRIC, local:RUBRIC, guard:FORMAT, classifier:LABEL, ...",
    )
    calibrate.add_argument(
        "--gold",
        default="pocket",
        metavar="SET",
        help="labelled completions: a set that ships, pocket (default) or smollm2, or a file of JSON lines",
    )
    calibrate.add_argument("--measure", required=True, help="which of their labels the judge is compared with")
    add_judge_options(calibrate)
    calibrate.add_argument("--repeats", type=positive, default=1, metavar="N", help="judge so often: how steady is it?")
    calibrate.add_argument("--swap", action="store_true", help="judge the reference against the completion, too")
    calibrate.add_argument("--out", type=Path, metavar="FILE", help="write the report as JSON")
    calibrate.set_defaults(run=_calibrate)
    report = verbs.add_parser("report", help="what the judges are worth that need no other model, as Markdown")
    report.set_defaults(run=_report)


def _calibrate(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.files import write_text
    from graftbench.benchmark.runs.progress import counting
    from graftbench.judges.calibration import as_json, calibrate
    from graftbench.judges.gold.labels import gold_file, read_gold
    from graftbench.judges.registry import ServerPolicy, judge_of
    from graftbench.judges.spec import read_spec

    gold = read_gold(arguments.gold, arguments.measure)
    spec = read_spec(judge_named(arguments), "The judge")
    budget = budget_of(arguments)
    judges = [judge_of(spec, ServerPolicy(budget, turn)) for turn in range(arguments.repeats)]
    console, judge = Console(), judges[0]
    with counting("judging", len(gold) * len(judges), console) as done:
        agreement = calibrate(judges, gold, arguments.measure, swap=arguments.swap, done=done)
    console.print(f"{judge.identity} on {arguments.measure} of {arguments.gold}", highlight=False, soft_wrap=True)
    _print(agreement, console)
    if arguments.out:
        sha256 = hashlib.sha256(gold_file(arguments.gold).read_bytes()).hexdigest()
        header = {"judge": judge.identity, "measure": arguments.measure, "gold_sha256": sha256}
        write_text(arguments.out, as_json(agreement, header))
        console.print(f"Written to {arguments.out}", highlight=False, soft_wrap=True)
    return 1 if agreement.unscored == agreement.n else 0  # a judge that judged nothing


def _report(_: argparse.Namespace) -> int:
    from graftbench.judges.gold.report import report

    print(report(), end="")  # noqa: T201
    return 0


def _print(agreement: "Agreement", console: "Console") -> None:
    from rich.table import Table

    from graftbench.benchmark.core.tables import print_table

    table = Table("", "")
    figures = {
        "completions": agreement.n,
        "unscored": agreement.unscored,
        "kappa": agreement.kappa,
        "AUROC": agreement.auroc,
        "Spearman": agreement.spearman,
        "error against length": agreement.length_bias,
        "higher in this order": agreement.order_bias,
        "the same in every repeat": agreement.repeats_agree,
    }
    for name, value in figures.items():
        if value is not None:
            table.add_row(name, _words(value))
    for kind, (right, n) in agreement.by_kind.items():
        table.add_row(f"as labelled, {kind or 'of no kind'}", f"{right}/{n}")
    for reason, n in agreement.unscored_reasons.items():
        table.add_row(f"unscored: {reason}", str(n))
    print_table(table, console)
    if not agreement.confusion:
        console.print("The labels are on another scale than the judge's: their order alone is compared.")
        return
    columns = ["label", *(f"judged {label:g}" for label in agreement.labels)]
    confusion = Table(*columns, title="confusion", title_justify="left")
    for label, counts in zip(agreement.labels, agreement.confusion, strict=False):
        confusion.add_row(f"{label:g}", *map(str, counts))
    print_table(confusion, console)


def _words(value: "float | CalibrationFigure") -> str:
    if isinstance(value, int | float):
        return f"{value:g}"
    return f"{value.value:g}" + (f" ({value.low:g} to {value.high:g})" if value.low is not None else "")
