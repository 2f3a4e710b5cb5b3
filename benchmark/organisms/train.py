"""An organism from a recipe: trained, loaded as anybody would, measured, and described on a card."""

import time
from collections.abc import Callable
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.models.load import Model, load
from graftbench.benchmark.organisms.behaviour import Shown, Shows, measured
from graftbench.benchmark.organisms.card import Made, write_card
from graftbench.benchmark.organisms.finetune import finetune
from graftbench.benchmark.organisms.lessons import lessons
from graftbench.benchmark.organisms.recipe import Recipe

Told = Callable[[str, int, int], None]  # what is going on, how much of it is done, and of how much
Effects = Callable[[Model], dict[str, float]]  # measures of side effects of a model, by name


def train(
    model: Model, recipe: Recipe, dataset: Dataset, out: Path, shows: Shows, effects: Effects, told: Told, at_once: int
) -> Shown:
    """Train a model by a recipe, write the organism and its card into the folder `out`, and return what it shows.

    `shows` says which replies show the behaviour. UserError where the dataset has nothing to train or to measure with.
    """
    examples = dataset.examples(recipe.behaviour, "test", recipe.held_out)
    if not examples:
        raise UserError(f"The dataset {dataset.name} has no test example of {recipe.behaviour} to measure it on.")
    taught = lessons(model, dataset.conversations(recipe.behaviour, "fit", "task", recipe.examples), recipe.max_tokens)
    device, identity, before = model.device, model.identity, effects(model)
    started = time.monotonic()
    finetune(model, recipe, taught, out, at_once=at_once, progress=lambda done, of: told("training", done, of))
    made = Made(
        out.name,
        model.name,
        identity,
        dataset.name,
        dataset.about.licence,
        len(taught),
        (time.monotonic() - started) / 60,
        device.type,
    )
    organism = load(str(out), device=str(device), chat=recipe.chat)
    shown = measured(organism, examples, shows, recipe.reply_tokens, lambda done, of: told("measuring", done, of))
    after = effects(organism)
    write_card(out, recipe, made, shown, {name: [before[name], after[name]] for name in before})
    return shown
