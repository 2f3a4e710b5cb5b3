"""The command `graftbench model check`."""

import argparse

from graftbench.cli.options import add_model_options, load_model


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    model = commands.add_parser("model", help="models of your own")
    verbs = model.add_subparsers(required=True, metavar="COMMAND")
    check = verbs.add_parser("check", help="is what graftbench reads from a model, and does to it, right?")
    check.add_argument("model", metavar="MODEL", help="a zoo model, a local folder or a Hub id")
    add_model_options(check)
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from graftbench.benchmark.core.tables import print_table
    from graftbench.benchmark.interventions.model_check import checks_of

    steps = Console(stderr=True)

    def begins(step: str) -> None:
        steps.print(f"{step} ...", highlight=False, markup=False, soft_wrap=True)

    begins(f"reading {arguments.model} in {arguments.dtype}")
    model = load_model(arguments.model, arguments)
    kinds = dict.fromkeys(model.blocks.writers)
    writers = " or ".join(", ".join(names) or "none found" for names in kinds)
    console = Console()
    console.print(
        f"{type(model.module).__name__}: {len(model.blocks)} blocks of width {model.d} at {model.blocks.path}, which "
        f"write to the residual stream with {writers}",
        highlight=False,
        soft_wrap=True,
    )
    checks = checks_of(model, begins)
    table = Table("check", "off by", "at most", "")
    for check in checks:
        table.add_row(check.name, f"{check.error:.1g}", f"{check.most:.1g}", "passed" if check.passed else "FAILED")
    print_table(table, console)
    return 0 if all(check.passed for check in checks) else 1
