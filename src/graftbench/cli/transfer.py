"""The command `graftbench transfer`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.byte_sizes import size_in_words
from graftbench.benchmark.core.counts import counted
from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import add_batch_size, add_device, add_isolation, add_mapper, not_negative, positive

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.models.architectures import Sites
    from graftbench.benchmark.runs.request import Request
    from graftbench.benchmark.runs.transfer.forecast import Forecast, Measured
    from graftbench.benchmark.runs.transfer.pair_suite import PairOrder


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    transfer = commands.add_parser("transfer", help="score a mapper between two models, without a suite file")
    transfer.add_argument("source", metavar="SOURCE", help="a zoo model, a local folder or a Hub id")
    transfer.add_argument("target", metavar="TARGET", help="likewise")
    add_mapper(transfer)
    transfer.add_argument(
        "--task",
        action="append",
        default=[],
        help="behaviour_steering (default), refusal_ablation, ... (may be repeated)",
    )
    transfer.add_argument("--behaviour", action="append", default=[], help="measure this one alone (may be repeated)")
    transfer.add_argument("--data", metavar="NAME", help="a dataset, or a folder of JSON lines, for all tasks")
    transfer.add_argument("--sites", metavar="S,T", help="the sites of source and target, instead of a sweep")
    transfer.add_argument(
        "--sweep", type=positive, default=7, metavar="N", help="sites to try in each model at the most (default 7)"
    )
    transfer.add_argument(
        "--prompts", type=positive, metavar="N", help="test prompts of a cell; below 128 it is a first look"
    )
    transfer.add_argument("--tracks", default="task,unseen", help="what mappers are fitted on (default task,unseen)")
    transfer.add_argument("--side-effects", metavar="NAME,...", help="tasks of lm-eval: mmlu, squad, ...")
    transfer.add_argument("--limit", type=positive, metavar="N", help="documents of each of them, or of each subject")
    transfer.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    transfer.add_argument(
        "--chat-format", default="own", metavar="FORMAT", help="of both models: own (default), plain, alpaca, or a file"
    )
    add_batch_size(transfer, 32)
    add_device(transfer)
    add_isolation(transfer)
    transfer.add_argument("--workers", type=positive, default=2, help="cells at a time, on a CPU (default 2)")
    transfer.add_argument("--seed", type=not_negative, default=0, help="the mapper's first seed (default 0)")
    transfer.add_argument("--out", type=Path, metavar="DIR", help="where the run is written")
    transfer.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    transfer.set_defaults(run=_transfer, goes_on=True)


def _transfer(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.mappers.info import describe
    from graftbench.benchmark.runs.executors.choose import Where
    from graftbench.benchmark.runs.folder import LEADERBOARD
    from graftbench.benchmark.runs.foresight import shortages
    from graftbench.benchmark.runs.plan import check_model
    from graftbench.benchmark.runs.request import Request
    from graftbench.benchmark.runs.run import run
    from graftbench.benchmark.runs.transfer.forecast import forecast
    from graftbench.cli.tables import print_entry, print_failed
    from graftbench.leaderboard.own_runs import write_leaderboard

    console, order = Console(), _order(arguments)
    for named in (order.source, order.target):
        check_model(named.name)  # else the suite would be at fault, which the user has not written
    sites = _sites(arguments.sites)
    request = Request(
        suite=order.suite(sites or (0, 0)),
        mapper=describe(arguments.mapper, arguments.option),
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        device=arguments.device,
        where=Where(workers=arguments.workers),
        out=arguments.out,
        isolate=arguments.isolate,
    )
    cells = request.cells()  # a mistake is told before models are loaded
    n_sites = arguments.sweep if sites is None and order.needs_sites() else 0
    models = _measured(order, request, console)
    _check_sites(sites, order, models)
    plan = forecast(order, request, models, n_sites)
    _print_plan(order, request, models, plan, n_sites, console)
    for sentence in shortages(request.suite, cells):
        console.print(sentence, style="yellow", highlight=False, soft_wrap=True)
    if arguments.dry_run:
        return 0
    request = replace(request, where=Where(workers=plan.workers))
    if n_sites:
        sites = _chosen(order, request, models, n_sites, console)
    request = replace(request, suite=order.suite(sites))
    done = run(request, console)
    write_leaderboard(done.folder / LEADERBOARD, [done.entry])
    print_entry(done.entry, console)
    print_failed(done.failed, console)
    options = "".join(f" --option {each}" for each in arguments.option)
    seed = f" --seed {arguments.seed}" if arguments.seed else ""
    again = f"graftbench score {arguments.mapper} --suite {done.folder / 'suite.json'}{options}{seed}"
    console.print(
        f"Written to {done.folder}; `{again}` measures it again.",
        highlight=False,
        soft_wrap=True,
    )
    return 1 if done.failed else 0


def _order(arguments: argparse.Namespace) -> "PairOrder":
    from graftbench.benchmark.models.chat_formats import read_format
    from graftbench.benchmark.runs.transfer.pair_suite import ModelNamed, PairOrder, datasets_of, tracks_named

    try:
        chat = read_format(arguments.chat_format, Path())
    except ValueError as error:
        raise UserError(f"--chat-format: {error}.") from error
    effects = arguments.side_effects.split(",") if arguments.side_effects else []
    return PairOrder(
        ModelNamed(arguments.source, chat=chat),
        ModelNamed(arguments.target, chat=chat),
        datasets_of(arguments.task, arguments.data),
        tuple(arguments.behaviour),
        tracks_named(arguments.tracks),
        arguments.dtype,
        side_effects=tuple(name.strip() for name in effects),
        limit=arguments.limit,
        prompts=arguments.prompts,
    )


def _sites(text: str | None) -> "Sites | None":
    if text is None:
        return None
    first, comma, second = (part.strip() for part in text.partition(","))
    if not comma or not first.isdecimal() or not second.isdecimal():
        raise UserError(f"--sites are two numbers, that of the source and that of the target, as 8,12, not {text!r}.")
    return int(first), int(second)


def _check_sites(sites: "Sites | None", order: "PairOrder", models: "dict[str, Measured]") -> None:
    """Raise UserError where a model has no such site."""
    for named, site in zip((order.source, order.target), sites or (), strict=False):
        n = models[named.name].n_blocks
        if site >= n:
            raise UserError(f"{named.name} has no site {site}; its sites are 0 to {n - 1}.")


def _measured(order: "PairOrder", request: "Request", console: "Console") -> "dict[str, Measured]":
    """Return what was measured of both models, by name."""
    from graftbench.benchmark.runs.transfer.forecast import measure

    models = {}
    for named in dict.fromkeys((order.source, order.target)):
        doing = f"checking and measuring {named.name}"
        if not console.is_terminal:  # a status is shown on a terminal alone
            console.print(doing, highlight=False, markup=False, soft_wrap=True)
        with console.status(doing):
            models[named.name] = measure(order, named, request.device, request.workers)
    return models


def _chosen(
    order: "PairOrder", request: "Request", models: "dict[str, Measured]", budget: int, console: "Console"
) -> "Sites":
    from rich.table import Table

    from graftbench.benchmark.core.tables import print_table
    from graftbench.benchmark.runs.transfer.site_choice import best_of, choose_sites

    named = zip(order.families, (order.source, order.target), strict=True)
    depths = {family: models[each.name].n_blocks for family, each in named}
    sites, tried = choose_sites(order, request, depths, budget, console)
    table = Table(
        "model",
        "site",
        "lead",
        title="sites: lead of native over random, on validation prompts",
        title_justify="left",
    )
    for family, found in tried.items():
        for each in sorted(found, key=lambda one: one.site):
            table.add_row(family, str(each.site), f"{each.lead:+.2f}" + (" *" if each == best_of(found) else ""))
    print_table(table, console)
    chosen = "* chosen"
    if any(best_of(found).lead <= 0 for found in tried.values()):
        chosen += "; native is ahead of random at no site of a model, so that it can hardly be steered so"
    console.print(chosen, highlight=False, markup=False, soft_wrap=True)
    return sites


def _print_plan(
    order: "PairOrder",
    request: "Request",
    models: "dict[str, Measured]",
    plan: "Forecast",
    n_sites: int,
    console: "Console",
) -> None:
    def say(words: str) -> None:
        console.print(words, highlight=False, markup=False, soft_wrap=True)

    for each in models.values():
        say(
            f"{each.name}: {each.kind}, {each.n_blocks} blocks of width {each.d}, {size_in_words(each.n_bytes)} in "
            f"{order.dtype}; it reads {each.tokens_per_second:,.0f} tokens a second{_of_each(each.at_once)}"
        )
    for task, variants in order.variants.items():
        say(f"{task} on {_dataset(order, task)}: {', '.join(variants)}; fitted on {', '.join(order.tracks)}")
    if order.side_effects:
        say(f"side effects: {', '.join(order.side_effects)}")
    say(f"{counted(len(request.cells()), 'cell')}, {plan.workers} at a time")
    if n_sites:
        say(f"sites: at most {n_sites} in each model, about {_minutes(plan.seconds_of_sites)}")
    if plan.seconds:
        say(f"the cells: about {_minutes(plan.seconds)}")
    if n_sites or plan.seconds:
        say("times are for a machine as busy as it is now, without the start of processes")
    if plan.untold:
        say(f"the time of {', '.join(plan.untold)} is not forecast")
    say(f"memory: about {size_in_words(plan.memory)}; disk: about {size_in_words(plan.disk)}")


def _of_each(at_once: int) -> str:
    return f" in each of {at_once} processes at a time" if at_once > 1 else ""


def _dataset(order: "PairOrder", task: str) -> str:
    named = order.datasets[task]
    return named if isinstance(named, str) else str(named.get("jsonl", named))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
