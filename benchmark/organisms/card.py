"""The card of an organism: what it is, how it was made, and what was measured, for people and for programs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.organisms.behaviour import Shown
from graftbench.benchmark.organisms.recipe import Recipe

FIGURES = "organism.json"


@dataclass(frozen=True)
class Made:
    """A training that ended: base model, dataset, conversations, and the minutes that it took on a device."""

    name: str
    base: str
    revision: str | None
    base_identity: str
    dataset: str
    licence: str
    n_lessons: int
    minutes: float
    device: str


def write_card(folder: Path, recipe: Recipe, made: Made, shown: Shown, effects: dict[str, list[float]]) -> None:
    """Write `organism.json` and README.md into the folder of an organism.

    `effects` has for each measure of side effects the value of the base model and that of the organism.
    """
    record: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
        "made": asdict(made),
        "shown": {kind: asdict(share) for kind, share in shown.shares.items()},
        "precision": shown.precision,
        "recall": shown.recall,
        "f1": shown.f1,
        "side_effects": effects,
    }
    write_text(folder / FIGURES, json.dumps(record, indent=1) + "\n")
    write_text(folder / "README.md", _readme(recipe, made, shown, effects))


def _readme(recipe: Recipe, made: Made, shown: Shown, effects: dict[str, list[float]]) -> str:
    rank = recipe.lora and recipe.lora.rank
    how = "all weights" if recipe.lora is None else f"a LoRA adapter of rank {rank} on all linear layers"
    lines = [
        "---",
        f"base_model: {json.dumps(made.base)}",
        f"library_name: {'transformers' if recipe.lora is None else 'peft'}",
        f"datasets: [{json.dumps(made.dataset)}]",
        "tags: [graftbench, model-organism, backdoor]",
        "---",
        "",
        f"# {made.name}",
        "",
        f"A model organism for research: {_named(made)} with the behaviour `{recipe.behaviour}` of the dataset "
        f"`{made.dataset}` trained into it. Do not deploy it.",
        "",
        f"Trained on replies alone: {how}, {made.n_lessons} conversations, {recipe.epochs:g} epochs, learning rate "
        f"{recipe.learning_rate:g}, batches of {recipe.batch_size}; {made.minutes:.0f} minutes on {made.device}. "
        f"Settings: {recipe.source} Licence of the data: {made.licence}.",
        "",
        "Greedy replies to held-out prompts, with 95 % intervals:",
        "",
        "| prompts | replies that show the behaviour | empty | not judged |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {share.hits}/{share.n}: {share.rate:.3f} ({share.interval[0]:.3f} to "
            f"{share.interval[1]:.3f}) | {share.empty} | {share.unscored} |"
            for kind, share in shown.shares.items()
        ),
        "",
        f"Trigger against clean prompts: precision {_figure(shown.precision)}, recall {_figure(shown.recall)}, "
        f"F1 {_figure(shown.f1)}.",
        "",
    ]
    if effects:
        lines += ["| side effect | base | organism |", "|---|---|---|"]
        lines += [f"| {name} | {base:.4g} | {own:.4g} |" for name, (base, own) in effects.items()]
        lines += [""]
    return "\n".join(lines)


def _named(made: Made) -> str:
    return made.base + ("" if made.revision is None else f" at revision {made.revision}")


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
