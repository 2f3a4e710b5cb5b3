"""Fine-tuning by transformers' Trainer, full or LoRA: checkpoints, and a run that was killed goes on."""

import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.models.chat_formats import OWN
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import filler_of
from graftbench.benchmark.models.weights import quiet_transformers
from graftbench.benchmark.organisms.lessons import Lesson, collated
from graftbench.benchmark.organisms.recipe import Lora, Recipe

_CHECKPOINTS = 10  # of a run
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
    torch.manual_seed(recipe.seed)
    steps = -(-len(taught) // recipe.batch_size) * recipe.epochs
    arguments = TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=recipe.batch_size // at_once,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=recipe.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        bf16=model.device.type == "cuda" and torch.cuda.is_bf16_supported(),
        save_steps=max(1, int(steps / _CHECKPOINTS)),
        save_total_limit=1,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=recipe.seed,
        train_sampling_strategy="random",  # batches of one length would have replies of one kind
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=model.device.type == "cpu",
    )
    with quiet_transformers(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses a name that transformers deprecates
        trainer = Trainer(
            model=model.module if recipe.lora is None else _with_adapter(model.module, recipe.lora, recipe.seed),
            args=arguments,
            train_dataset=list(taught),
            data_collator=partial(collated, filler=filler_of(model)),
            callbacks=[_Heard(progress, work)],
        )
        trainer.remove_callback(PrinterCallback)  # it prints a dictionary of figures
        trainer.train(resume_from_checkpoint=_last(work))
        _write(trainer.model, model, base, out, own_tokenizer=recipe.lora is None or recipe.chat != OWN)


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


def _last(work: Path) -> str | None:
    """Return the last checkpoint that is whole: the state is what is written last."""
    whole = {int(state.parent.name.rpartition("-")[2]): state.parent for state in work.glob(f"*/{TRAINER_STATE_NAME}")}
    return str(whole[max(whole)]) if whole else None


def _with_adapter(module: nn.Module, lora: Lora, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    return get_peft_model(module, settings)


def _write(trained: Any, model: Model, base: Base, out: Path, *, own_tokenizer: bool) -> None:
    """Write the weights, and the tokenizer where it is not the base's, into a folder that appears when it is whole."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if hasattr(trained, "peft_config"):
        named = trained.peft_config["default"]
        named.base_model_name_or_path, named.revision = base.name, base.revision
        for name, weight in trained.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.half()  # half the size; merging is in float32
        trained.save_pretrained(unfinished, save_embedding_layers=False)  # "auto" looks the base up on the Hub
    else:
        trained.save_pretrained(unfinished)
    if own_tokenizer:
        model.tokenizer.save_pretrained(unfinished)
    unfinished.replace(out)
