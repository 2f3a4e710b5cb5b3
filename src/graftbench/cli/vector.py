"""The command `graftbench vector`."""

import argparse
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import add_model_options, load_model


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    vector = commands.add_parser("vector", help="write a steering vector from contrastive prompts")
    vector.add_argument("model", metavar="MODEL", help="a zoo model, a local folder or a Hub id")
    vector.add_argument("prompts", type=Path, metavar="FILE", help='JSON lines: {"desired": "...", "undesired": "..."}')
    vector.add_argument("--site", type=int, required=True, help="the block at whose input it is read and used")
    vector.add_argument("--read-at", default="last", help="last, or an index from the right such as -2 (default last)")
    vector.add_argument("--positions", default="all", help="where it is used: all, prompt, last, -2, ... (default all)")
    vector.add_argument("--strength", type=float, default=1.0, help="how many times it is added (default 1)")
    vector.add_argument("--ablate", action="store_true", help="a direction to be ablated, and not a vector to be added")
    add_model_options(vector)
    vector.add_argument("--out", type=Path, required=True, metavar="FILE", help="the safetensors file")
    vector.set_defaults(run=_vector)


def _vector(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.core.store import Store
    from graftbench.benchmark.interventions.model_check import check_once
    from graftbench.benchmark.interventions.vector_files import read_pairs, save_vector, vector_from_pairs

    if arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a folder: name a file with --out.")
    pairs = read_pairs(arguments.prompts)
    model = load_model(arguments.model, arguments)
    check_once(Store(), model)
    operation = ("ablate" if arguments.ablate else "add", arguments.positions, arguments.strength)
    steering = vector_from_pairs(model, pairs, arguments.site, arguments.read_at, operation)
    save_vector(steering, arguments.out)
    Console().print(
        f"A vector of norm {float(steering.vector.norm()):.4g} from {len(pairs)} pairs, written to {arguments.out}",
        highlight=False,
        soft_wrap=True,
    )
    return 0
