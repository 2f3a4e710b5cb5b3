"""The command `graftbench dataset list | show | check | export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.errors import UserError

if TYPE_CHECKING:
    from graftbench.benchmark.data.dataset import Dataset


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    dataset = commands.add_parser("dataset", help="prompts and replies that tasks are run on")
    verbs = dataset.add_subparsers(required=True, metavar="COMMAND")
    listing = verbs.add_parser("list", help="the datasets that are installed, and whether their files are here")
    listing.set_defaults(run=_list)
    show = verbs.add_parser("show", help="sizes by split, licence and five examples")
    _add_name(show)
    show.set_defaults(run=_show)
    check = verbs.add_parser("check", help="hold a dataset to what it promises, and name the line that breaks it")
    _add_name(check)
    check.set_defaults(run=_check)
    export = verbs.add_parser("export", help="write a dataset as a folder of JSON lines")
    _add_name(export)
    export.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    export.add_argument(
        "--behaviour", action="append", default=[], metavar="NAME", help="this behaviour alone (may be repeated)"
    )
    export.set_defaults(run=_export)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a name from `dataset list`, or a folder of JSON lines")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="a setting of the dataset")


def _named(arguments: argparse.Namespace) -> "Dataset":
    """Return the dataset of the command line; a path, or a folder of that name, is one of JSON lines."""
    from graftbench.benchmark.core.plugins import nearest, plugin_names
    from graftbench.benchmark.data.registry import dataset_named

    name, settings, known = arguments.name, _settings(arguments.option), plugin_names("datasets")
    is_path = "/" in name or (name not in known and Path(name).is_dir())
    if not is_path and name not in known:
        raise UserError(f"There is no dataset called {name!r}, and no folder of that name here.{nearest(name, known)}")
    return dataset_named({"jsonl" if is_path else "name": name, **settings})


def _settings(options: list[str]) -> dict[str, str]:
    settings = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or name in ("name", "jsonl"):
            raise UserError(f"{option!r} is no setting of a dataset: write NAME=VALUE.")
        settings[name] = value
    return settings


def _list(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Column, Table

    from graftbench.benchmark.core.plugins import plugin_names
    from graftbench.benchmark.core.tables import print_table
    from graftbench.benchmark.data.registry import dataset_named

    table = Table(Column("name", no_wrap=True), "what it is", "for", "licence", "here")
    for name in plugin_names("datasets"):
        dataset = dataset_named(name)
        kinds = dict.fromkeys(behaviour.kind for behaviour in dataset.behaviours.values())
        here = "no" if dataset.missing() is not None else "on the Hub" if _from_hub(dataset) else "yes"
        table.add_row(name, dataset.about.title, ", ".join(kinds) or "general text", dataset.about.licence, here)
    print_table(table, Console())
    return 0


def _from_hub(dataset: "Dataset") -> bool:
    """Return True where a dataset is read from the Hub, or from what was downloaded before."""
    from graftbench.benchmark.data.rows import mirror

    return bool(dataset.about.source) and mirror() is None


def _show(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.data.checking import check_dataset
    from graftbench.cli.dataset_tables import print_about, print_examples, print_sizes

    dataset, console = _named(arguments), Console()
    print_about(dataset, console)
    _require(dataset)
    print_sizes(dataset, check_dataset(dataset), console)
    print_examples(dataset, console)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.data.checking import check_dataset
    from graftbench.cli.dataset_tables import print_sentences
    from graftbench.tasks.dataset_checks import shown_unseen, unreadable_judges, unused

    dataset, console = _named(arguments), Console()
    _require(dataset)
    check = check_dataset(dataset)
    broken = check.broken or list(unreadable_judges(dataset)) or list(shown_unseen(dataset))
    print_sentences("Broken", broken, console)
    print_sentences("Too few for a cell that counts", check.few, console)
    left = list(unused(dataset))
    print_sentences("Not used as it stands", left, console)
    if not broken:
        n = sum(check.counts.values())
        but = ", and see above what is missing" if left or check.few else ""
        console.print(f"{dataset.identity}: {n} lines keep every promise{but}.", highlight=False, soft_wrap=True)
    return 1 if broken else 0


def _export(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.plugins import nearest
    from graftbench.benchmark.data.export import export

    dataset = _named(arguments)
    _require(dataset)
    for name in arguments.behaviour:
        if name not in dataset.behaviours:
            known = sorted(dataset.behaviours)
            raise UserError(f"The dataset {dataset.name} has no behaviour {name!r}.{nearest(name, known)}")
    counts = export(dataset, arguments.folder, arguments.behaviour or list(dataset.behaviours))
    sizes = ", ".join(f"{file} ({n} lines)" for file, n in counts.items())
    Console().print(f"Written to {arguments.folder}: dataset.yaml, {sizes}.", highlight=False, soft_wrap=True)
    return 0


def _require(dataset: "Dataset") -> None:
    missing = dataset.missing()
    if missing is not None:
        raise UserError(missing)
