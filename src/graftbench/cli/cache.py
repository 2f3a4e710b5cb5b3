"""The command `graftbench cache`: what cached work takes, and how it is removed."""

import argparse
import time
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from graftbench.cli.options import not_negative

if TYPE_CHECKING:
    from graftbench.benchmark.core.cached import Cached

_DAY = 24 * 60 * 60  # seconds
_KINDS = {
    "adapters": "adapters beside version switching",
    "completions": "replies",
    "costs": "side effects but those of lm-eval",
    "directions": "candidates of refusal directions",
    "lm_eval": "side effects in tasks of lm-eval",
    "mappers": "fitted mappers",
    "means": "mean activations",
    "model_checks": "checks of models",
    "models": "models that were converted",
    "pairs": "activations that mappers are fitted on, in pairs",
    "perplexities": "perplexities of replies",
    "propensities": "likelihoods of replies",
    "references": "what does not depend on a mapper",
    "site_leads": "sites that were tried for a pair of models",
    "states": "activations at single positions",
    "streams": "activations of one model at all tokens",
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    cache = commands.add_parser("cache", help="what cached work takes on the disk, and how to remove it")
    cache.set_defaults(run=_show)
    verbs = cache.add_subparsers(metavar="COMMAND")
    prune = verbs.add_parser("prune", help="remove what was not used for a while, and what killed runs left")
    prune.add_argument(
        "--days", type=not_negative, default=30, metavar="N", help="days without use (default 30); 0: all there is"
    )
    prune.add_argument("--kind", action="append", default=[], metavar="KIND", help="this kind alone (repeatable)")
    prune.set_defaults(run=_prune)


def _show(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from graftbench.benchmark.core.cached import contents
    from graftbench.benchmark.core.store import Store
    from graftbench.benchmark.core.tables import print_table

    root, console = Store().root, Console()
    work = contents(root)
    table = Table("kind", "what", "pieces", "size", "days since the last use")
    for kind, group in groupby(work, key=lambda each: each.kind):
        pieces = list(group)
        days = (time.time() - max(each.used for each in pieces)) / _DAY
        table.add_row(kind, _KINDS.get(kind, ""), str(len(pieces)), _size(pieces), f"{days:.0f}")
    print_table(table, console)
    console.print(
        f"{_size(work)} in {root}; `graftbench cache prune` removes what was not used for 30 days, or for --days N."
    )
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.cached import contents, remove, remove_locks, unused
    from graftbench.benchmark.core.errors import UserError, cache_folder
    from graftbench.benchmark.core.locks import LOCKS
    from graftbench.benchmark.core.plugins import nearest
    from graftbench.benchmark.core.store import Store

    root = Store().root
    work = contents(root)
    present = sorted({each.kind for each in work})
    for kind in arguments.kind:
        if kind not in present and kind not in _KINDS:
            raise UserError(f"The cache {root} holds no {kind!r}.{nearest(kind, present)}")
    removed = remove(unused(work, arguments.days, arguments.kind))
    for folder in (root, cache_folder() / LOCKS):
        remove_locks(folder)
    Console().print(f"Removed {len(removed)} of {len(work)} pieces, {_size(removed)} of {_size(work)}, from {root}.")
    return 0


def _size(work: "Sequence[Cached]") -> str:
    from graftbench.benchmark.core.byte_sizes import size_in_words

    return size_in_words(sum(each.size for each in work))
