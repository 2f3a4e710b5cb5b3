"""The command `graftbench vector`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def _vector(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.interventions.vector_files import from_prompts, read_prompts, save_vector
    from graftbench.benchmark.models.load import load

    pairs = read_prompts(arguments.prompts)
    model = load(arguments.model, device=arguments.device)
    kind = "ablate" if arguments.ablate else "add"
    found = from_prompts(
        model, pairs, arguments.site, arguments.read_at, (kind, arguments.positions, arguments.strength)
    )
    save_vector(found, arguments.out)
    Console().print(
        f"A vector of norm {float(found.vector.norm()):.4g} from {len(pairs)} pairs, written to {arguments.out}",
        highlight=False,
        soft_wrap=True,
    )
    return 0
