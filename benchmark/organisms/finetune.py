"""Fine-tuning by a recipe, full or LoRA, into a folder; a run that was killed goes on."""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import TrainerCallback

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import put_in_place, write_text
from graftbench.benchmark.models.chat_formats import OWN
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.weights import quiet_transformers
from graftbench.benchmark.organisms.lessons import Lesson
from graftbench.benchmark.organisms.recipe import Recipe
from graftbench.benchmark.organisms.trainer import Course, save_adapter, trained, with_adapter

_CHECKPOINTS = 10  # of a run
_TORCH_WRITER = "inline_container"  # torch.save names this file of its own where the disk is full, and no errno
_SECONDS = "seconds.txt"
Progress = Callable[[int, int], None]  # steps that are done, and all of them


@dataclass(frozen=True)
class Base:
    """The model that is trained, as an adapter names it."""

    name: str
    revision: str | None = None

    @classmethod
    def of(cls, name: str, revision: str | None) -> "Base":
        """Return a model by name; a folder's path holds from everywhere."""
        return cls(str(Path(name).resolve()) if Path(name).is_dir() else name, revision)


def check_batch(recipe: Recipe, at_once: int) -> None:
    """Raise UserError where the batch of a recipe cannot be divided."""
    if recipe.batch_size % at_once:
        raise UserError(
            f"A batch of {recipe.batch_size} cannot be read {at_once} at a time: choose a divisor of it with --at-once."
        )


def finetune(
    model: Model, base: Base, recipe: Recipe, taught: Sequence[Lesson], out: Path, *, at_once: int, progress: Progress
) -> None:
    """Train a model on lessons and write the result, all weights or an adapter, into the folder `out`.

    Checkpoints lie beside `out`; the same call goes on from the last one.
    """
    work = out.parent
    course = Course(
        steps=math.ceil(math.ceil(len(taught) / recipe.batch_size) * recipe.epochs),
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        at_once=at_once,
        weight_decay=recipe.weight_decay,
        warmup=recipe.warmup,
        seed=recipe.seed,
        checkpoints=_CHECKPOINTS,
    )
    module = model.module if recipe.lora is None else with_adapter(model.module, recipe.lora, recipe.seed)
    with writable(work):
        learned = trained(model, module, taught, course, work, [_Heard(progress, work)])
        with quiet_transformers():
            _write(learned, model, base, out, own_tokenizer=recipe.lora is None or recipe.chat != OWN)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn the errors of a disk that is full or cannot be written to into a UserError."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and _TORCH_WRITER not in str(error):
            raise
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(
            f"{folder} cannot be written: {why}. Make room: the same command goes on from the last checkpoint."
        ) from error


class _Heard(TrainerCallback):
    """Tells how many steps are done, and notes with every checkpoint how long they took."""

    def __init__(self, progress: Progress, work: Path) -> None:
        self._progress, self._work = progress, work
        self._before, self._started = seconds_of(work), time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - as Trainer calls it
        """Report the step."""
        self._progress(state.global_step, state.max_steps)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - as above
        """Note the time so far."""
        self._note()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - as above
        """Note the whole time."""
        self._note()

    def _note(self) -> None:
        write_text(self._work / _SECONDS, str(self._before + time.monotonic() - self._started))


def seconds_of(work: Path) -> float:
    """Return how long a training took up to its last checkpoint, in seconds."""
    path = work / _SECONDS
    return float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0


def _write(learned: Any, model: Model, base: Base, out: Path, *, own_tokenizer: bool) -> None:
    """Write the weights, and the tokenizer where it is not the base's, into a folder that appears when it is whole."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if hasattr(learned, "peft_config"):
        named = learned.peft_config["default"]
        named.base_model_name_or_path, named.revision = base.name, base.revision
        for name, weight in learned.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.half()  # half the size; merging is in float32
        save_adapter(learned, unfinished)
    else:
        learned.save_pretrained(unfinished)
    if own_tokenizer:
        model.tokenizer.save_pretrained(unfinished)
    put_in_place(unfinished, out)
