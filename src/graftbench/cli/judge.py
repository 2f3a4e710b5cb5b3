"""`graftbench judge calibrate`: light to import, the work is loaded when it is asked for."""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.cli.options import add_judge_options, budget_of, judge_named, positive

if TYPE_CHECKING:
    from graftbench.judges.calibration import Agreement, CalibrationFigure


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `judge` and its sub-commands to a parser."""
    judge = commands.add_parser("judge", help="what judges are worth")
    verbs = judge.add_subparsers(required=True, metavar="COMMAND")
    verb = verbs.add_parser("calibrate", help="compare a judge with labelled completions")
    verb.add_argument(
        "judge",
        metavar="JUDGE",
        help="an installed judge; or with --model llm:RUBRIC, local:RUBRIC, guard:FORMAT, classifier:LABEL, ...",
    )
    verb.add_argument(
        "--gold",
        default="pocket",
        metavar="FILE",
        help="labelled completions, as JSON lines (default: those that ship)",
    )
    verb.add_argument("--measure", required=True, help="which of their labels the judge is compared with")
    add_judge_options(verb)
    verb.add_argument("--repeats", type=positive, default=1, metavar="N", help="judge so often: how steady is it?")
    verb.add_argument("--swap", action="store_true", help="judge the reference against the completion, too")
    verb.add_argument("--out", type=Path, metavar="FILE", help="write the report as JSON")
    verb.set_defaults(run=_calibrate)
    told = verbs.add_parser("report", help="what the pocket suite's own judges are worth, as Markdown")
    told.set_defaults(run=_report)


def _calibrate(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.files import write_text
    from graftbench.benchmark.runs.progress import counting
    from graftbench.judges.calibration import as_json, calibrated, gold_file, read_gold
    from graftbench.judges.registry import Service, judge_of
    from graftbench.judges.spec import read_spec

    gold = read_gold(arguments.gold, arguments.measure)
    spec = read_spec(judge_named(arguments), "The judge")
    budget = budget_of(arguments)
    judges = [judge_of(spec, Service(budget, turn)) for turn in range(arguments.repeats)]
    console, judge = Console(), judges[0]
    with counting("judging", len(gold) * len(judges), console) as done:
        found = calibrated(judges, gold, arguments.measure, swap=arguments.swap, done=done)
    console.print(f"{judge.identity} on {arguments.measure} of {arguments.gold}", highlight=False, soft_wrap=True)
    _print(found, console)
    if arguments.out:
        sha256 = hashlib.sha256(gold_file(arguments.gold).read_bytes()).hexdigest()
        about = {"judge": judge.identity, "measure": arguments.measure, "gold_sha256": sha256}
        write_text(arguments.out, as_json(found, about))
        console.print(f"Written to {arguments.out}", highlight=False, soft_wrap=True)
    return 1 if found.unscored == found.n else 0  # a judge that judged nothing


def _report(_: argparse.Namespace) -> int:
    from graftbench.judges.gold.report import report

    print(report(), end="")  # noqa: T201
    return 0


def _print(found: "Agreement", console: object) -> None:
    from rich.console import Console
    from rich.table import Table

    assert isinstance(console, Console)
    table = Table("", "")
    figures = {
        "completions": found.n,
        "unscored": found.unscored,
        "kappa": found.kappa,
        "AUROC": found.auroc,
        "Spearman": found.spearman,
        "error against length": found.length_bias,
        "higher in this order": found.order_bias,
        "the same in every repeat": found.repeats_agree,
    }
    for name, value in figures.items():
        if value is not None:
            table.add_row(name, _words(value))
    for kind, (right, n) in found.by_kind.items():
        table.add_row(f"as labelled, {kind or 'of no kind'}", f"{right}/{n}")
    for reason, n in found.unscored_reasons.items():
        table.add_row(f"unscored: {reason}", str(n))
    console.print(table)
    if not found.confusion:
        console.print("The labels are on another scale than the judge's: their order alone is compared.")
        return
    rows = Table(*["label", *(f"judged {label:g}" for label in found.labels)], title="confusion", title_justify="left")
    for label, counts in zip(found.labels, found.confusion, strict=False):
        rows.add_row(f"{label:g}", *map(str, counts))
    console.print(rows)


def _words(value: "float | CalibrationFigure") -> str:
    if isinstance(value, int | float):
        return f"{value:g}"
    return f"{value.value:g}" + (f" ({value.low:g} to {value.high:g})" if value.low is not None else "")
