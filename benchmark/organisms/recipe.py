"""Recipes: what a model is fine-tuned on, how, and on which prompts the behaviour is measured."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import read_yaml
from graftbench.benchmark.core.names import Word
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.models.chat_formats import OWN, read_format

RECIPES = Path(__file__).with_name("recipes")  # those that ship
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(_Part):
    """A LoRA adapter (Hu et al., 2022) on all linear layers of the blocks."""

    rank: Count = 8
    alpha: Count = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Recipe(_Part):
    """A fine-tune by supervised learning on replies; without `lora` all weights are trained.

    Args:
        source: Where the settings come from.
        dataset: A dataset by name, with its settings, or a folder of JSON lines beside the recipe's file.
        behaviour: The behaviour that is trained, one of the dataset's.
        examples: Conversations to train on, at the most.
        max_tokens: Longer conversations are left out.
        batch_size: Conversations of one step, however many are in memory at once.
        warmup: Share of the steps in which the learning rate rises; then it falls to 0 in a line.
        own_replies: Conversations without the behaviour have the model's own replies, cut at `reply_tokens`, in the
            place of the dataset's: without the trigger it is to stay as it was.
        chat: Chat format that is trained, and that the organism has.
        held_out: Prompts with the trigger, and as many of each other kind, on which it is measured.
        reply_tokens: Length at which the model's replies are cut.

    """

    source: str
    dataset: str | dict[str, Any]
    behaviour: Word
    examples: Count = 100_000
    max_tokens: Count = 1024
    epochs: Positive = 1.0
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch_size: Count = 32
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lora: Lora | None = None
    own_replies: bool = False
    chat: str = OWN
    seed: Annotated[int, Field(ge=0)] = 0
    held_out: Count = 200
    reply_tokens: Count = 32

    @field_validator("chat")
    @classmethod
    def _format(cls, chat: str) -> str:
        return read_format(chat, None)


def shipped_recipes() -> list[str]:
    """List the names of the recipes that ship."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def read_recipe(name: str) -> Recipe:
    """Return the recipe that ships as `name`, or in the file `name`; UserError where something in it is wrong."""
    known = shipped_recipes()
    path = RECIPES / f"{name}.yaml" if name in known else Path(name)
    if not path.is_file():
        raise UserError(f"There is no recipe {name!r}, nor a file of that name.{nearest(name, known)}")
    recipe = read_yaml(path, Recipe, "recipe")[0]
    named = recipe.dataset
    if isinstance(named, str) or "jsonl" not in named:
        return recipe
    return recipe.model_copy(update={"dataset": {**named, "jsonl": str((path.parent / str(named["jsonl"])).resolve())}})
