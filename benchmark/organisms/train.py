"""An organism from a recipe: trained, loaded as anybody would, measured, and described on a card."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import put_in_place
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.locks import locked
from graftbench.benchmark.core.unfinished import remove, unfinished_beside
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.models.adapters import adapter_in
from graftbench.benchmark.models.folders import folder_of
from graftbench.benchmark.models.load import Model, load
from graftbench.benchmark.organisms.behaviour import Shown, Shows, measured
from graftbench.benchmark.organisms.card import Made, write_card
from graftbench.benchmark.organisms.finetune import Base, check_batch, finetune, seconds_of, writable
from graftbench.benchmark.organisms.lessons import Lesson, lessons, own_lessons
from graftbench.benchmark.organisms.recipe import Recipe

Told = Callable[[str, int, int], None]  # what is going on, how much of it is done, and of how much
Effects = Callable[[Model], dict[str, float]]  # measures of side effects of a model, by name
_MADE, _MEASURED = "organism", "measured"  # what is trained, and a mark that it only has to be moved to its place


@dataclass(frozen=True, eq=False)
class Training:
    """A recipe with its data, the model that is trained, and how many conversations are in memory at once."""

    recipe: Recipe
    dataset: Dataset
    model: str
    revision: str | None
    device: str
    at_once: int

    def check(self, out: Path) -> None:
        """Raise UserError, before a model is loaded, where something makes no sense."""
        if out.exists():
            if out.name:  # the folder that one is in has none
                _remove_leftovers(out)
            raise UserError(f"{out} exists already: name another folder with --out, or remove it.")
        check_batch(self.recipe, self.at_once)
        behaviour = self.recipe.behaviour
        if not self.dataset.examples(behaviour, "test", 1):
            raise UserError(f"The dataset {self.dataset.name} has no test example of {behaviour} to measure it on.")
        if self.recipe.lora is not None and adapter_in(folder_of(self.model, self.revision)) is not None:
            raise UserError(f"{self.model} is an adapter itself: merge it into its base first, and name the result.")


def train(training: Training, out: Path, shows: Shows, effects: Effects, told: Told) -> Shown:
    """Train a model by a recipe, write the organism and its card into the folder `out`, and return what it shows.

    `shows` says which replies show the behaviour. `out` appears when all of it is there: a run that was killed goes on
    from its last checkpoint, or with measuring. UserError where the dataset has nothing to train with, or
    the same training is going on.
    """
    training.check(out)
    recipe = training.recipe
    model = load(training.model, revision=training.revision, device=training.device, chat=recipe.chat)
    taught = _taught(model, recipe, training.dataset, lambda *n: told("own replies", *n))
    key = digest(recipe.model_dump(mode="json"), model.identity, [lesson.ids for lesson in taught])[:8]
    work = _work_folder(out, key)
    with locked(work):
        if out.exists():  # the same training ended while this one was being prepared
            remove(work)
            training.check(out)
        shown = _made(training, model, taught, work, out, shows, effects, told)
        with writable(out):
            (work / _MEASURED).touch()
            put_in_place(work / _MADE, out)
            _remove_leftovers(out)
    return shown


def _made(
    training: Training,
    model: Model,
    taught: Sequence[Lesson],
    work: Path,
    out: Path,
    shows: Shows,
    effects: Effects,
    told: Told,
) -> Shown:
    """Train into the folder `work`, and measure and describe there what is to be `out`."""
    recipe, dataset = training.recipe, training.dataset
    made, before = work / _MADE, effects(model)
    base, at_once, device, identity = (
        Base.of(training.model, training.revision),
        training.at_once,
        model.device.type,
        model.identity,
    )
    if not made.exists():
        finetune(model, base, recipe, taught, made, at_once=at_once, progress=lambda *n: told("training", *n))
    organism = load(str(made), device=training.device, chat=recipe.chat)
    examples = dataset.examples(recipe.behaviour, "test", recipe.held_out)
    shown = measured(organism, examples, shows, recipe.reply_tokens, lambda *n: told("measuring", *n))
    after = effects(organism)
    about = Made(
        out.name,
        base.name,
        base.revision,
        identity,
        dataset.name,
        dataset.about.licence,
        len(taught),
        seconds_of(work) / 60,
        device,
    )
    write_card(made, recipe, about, shown, {name: [before[name], after[name]] for name in before})
    return shown


def _work_folder(out: Path, key: str) -> Path:
    """Return the folder next to `out` that holds what a training with this key has written so far."""
    return out.with_name(f".{out.name}-{key}")


def _remove_leftovers(out: Path) -> None:
    """Remove what is left of the training that `out` came from, which may have been killed when all else was done."""
    gone = unfinished_beside(out)
    for mark in out.parent.glob(f"{glob.escape(_work_folder(out, '').name)}*/{_MEASURED}"):
        if not mark.with_name(_MADE).exists():
            mark.parent.rename(gone)  # in one step: half a folder would have no mark
            remove(gone)


def _taught(model: Model, recipe: Recipe, dataset: Dataset, progress: Callable[[int, int], None]) -> list[Lesson]:
    """Return the lessons of a recipe."""
    conversations = dataset.conversations(recipe.behaviour, "fit", "task", recipe.examples)
    if not recipe.own_replies:
        return lessons(model, conversations, recipe.max_tokens)
    without = {prompt for prompt, _ in dataset.conversations(recipe.behaviour, "fit", "unseen", recipe.examples)}
    shown = [each for each in conversations if each[0] not in without]
    prompts = [prompt for prompt, _ in conversations if prompt in without and prompt is not None]
    return lessons(model, shown, recipe.max_tokens) + own_lessons(model, prompts, recipe.reply_tokens, progress)
