"""What can be seen of a plan before anything runs: sites that a model lacks, and prompts that are too few to count."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import get_args

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.data.dataset import Asked
from graftbench.benchmark.results.scores import MIN_TEST_PROMPTS, MIN_VALIDATION_PROMPTS
from graftbench.benchmark.runs.model_files import config_of
from graftbench.benchmark.runs.plan import Cell, dataset_of, judges_of_task, task_named
from graftbench.benchmark.runs.suite import ModelSpec, Suite

_LEAST: Mapping[Asked, int] = {"test": MIN_TEST_PROMPTS, "validation": MIN_VALIDATION_PROMPTS}
_N_BLOCKS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")  # as configurations call it


def check_sites(suite: Suite, cells: Sequence[Cell]) -> None:
    """Raise UserError where a cell names a site that the configuration of its model rules out."""
    for cell in cells:
        if cell.sites is None:
            continue
        for family, site in zip(split_pair(cell.pair), cell.sites, strict=True):
            for spec in suite.models[family].values():
                n = _n_blocks(spec)
                if n is not None and not 0 <= site < n:
                    raise UserError(
                        f"{spec.model} has no site {site}, which {cell.variant} on {cell.pair} names; its sites are 0 "
                        f"to {n - 1}."
                    )


def shortages(suite: Suite, cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a sentence for each task that asks for fewer prompts than count, or for more than its dataset has.

    Checks never count, and may ask for few.
    """
    counted = {cell.task for cell in cells if not cell.check}
    for name in dict.fromkeys(cell.task for cell in cells):
        settings, dataset = suite.tasks[name].settings, dataset_of(suite, name)
        asked = {split: n for split in get_args(Asked) if isinstance(n := settings.get(split), int)}  # else its own
        if name in counted:
            yield from _too_few(name, asked, judged=bool(judges_of_task(suite, name)))
        variants = task_named(name).variants(dataset)
        for split, n in asked.items():
            for variant in dict.fromkeys(cell.variant for cell in cells if cell.task == name):
                there = len(dataset.examples(variants[variant].name, split, n))
                if there < n:
                    yield f"{dataset.name} has {there} of the {n} prompts on {split} that {variant} asks for."


def _too_few(task: str, asked: Mapping[Asked, int], *, judged: bool) -> Iterator[str]:
    """Yield a sentence on the splits of which a task asks for fewer prompts than count; `judged`: some may leave."""
    few = [split for split in _LEAST if asked.get(split, inf) < (1.1 if judged else 1) * _LEAST[split]]
    if few:
        asks = " and ".join(f"{asked[split]} prompts on {split}" for split in few)
        least = " and ".join(str(_LEAST[split]) for split in few)
        leaving = "Those without a good clean answer leave, where the task asks for one. " if judged else ""
        yield f"{task} asks {asks}, and a cell counts where {least} are left. {leaving}Ask for more."


def _n_blocks(spec: ModelSpec) -> int | None:
    """Return the number of blocks of a model that is here, None where it cannot be told without loading it."""
    if spec.model is None:
        return None
    config = config_of(spec.model, spec.revision)
    found = [config[key] for key in _N_BLOCKS if isinstance(config.get(key), int)]
    return found[0] if found else None
