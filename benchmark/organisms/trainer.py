"""Training on lessons by transformers' Trainer: all weights of a model, or a LoRA adapter."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import filler_of
from graftbench.benchmark.models.weights import quiet_transformers
from graftbench.benchmark.organisms.lessons import Lesson, collated
from graftbench.benchmark.organisms.recipe import Lora

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments


@dataclass(frozen=True)
class Course:
    """How a model is trained, beside the lessons: by AdamW, with gradients clipped at a norm of 1.

    Args:
        steps: Batches, each of lessons drawn at random; all lessons are drawn before one is drawn again.
        learning_rate: Its peak, from which it falls to 0 in a line.
        batch_size: Lessons of one step.
        at_once: Lessons in memory at once, a divisor of `batch_size`.
        warmup: Share of the steps in which the learning rate rises to its peak.
        checkpoints: Checkpoints that are written on the way.

    """

    steps: int
    learning_rate: float
    batch_size: int
    at_once: int
    weight_decay: float = 0.0
    warmup: float = 0.0
    seed: int = 0
    checkpoints: int = 0


def trained(
    model: Model,
    module: nn.Module,
    lessons: Sequence[Lesson],
    course: Course,
    work: Path,
    callbacks: Sequence["TrainerCallback"] = (),
) -> Any:
    """Train `module`, the model's own or one with an adapter, where it lies in memory, and return it.

    Checkpoints are written into the folder `work`, and the same call goes on from the last one there.
    """
    from transformers import PrinterCallback, Trainer

    with quiet_transformers(), _quiet_peft():
        trainer = Trainer(
            model=module,
            args=_arguments(model, course, work),
            train_dataset=list(lessons),
            data_collator=partial(collated, filler=filler_of(model)),
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)  # it prints a dictionary of figures
        trainer.train(resume_from_checkpoint=_last(work))
    return trainer.model


def _arguments(model: Model, course: Course, work: Path) -> "TrainingArguments":
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=course.at_once,
        gradient_accumulation_steps=course.batch_size // course.at_once,
        max_steps=course.steps,
        learning_rate=course.learning_rate,
        weight_decay=course.weight_decay,
        warmup_steps=course.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        bf16=model.device.type == "cuda" and torch.cuda.is_bf16_supported(),
        save_strategy="steps" if course.checkpoints else "no",
        save_steps=max(1, course.steps // max(1, course.checkpoints)),
        save_total_limit=1,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=course.seed,
        train_sampling_strategy="random",  # batches of one length would have replies of one kind
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=model.device.type == "cpu",
    )


def _last(work: Path) -> str | None:
    """Return the last checkpoint that is whole: the state is what is written last."""
    from transformers.trainer import TRAINER_STATE_NAME

    states = [state for state in work.glob(f"*/{TRAINER_STATE_NAME}") if _is_json(state)]
    whole = {int(state.parent.name.rpartition("-")[2]): state.parent for state in states}
    return str(whole[max(whole)]) if whole else None


def _is_json(file: Path) -> bool:
    """Return whether a file was written to its end."""
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return False
    return True


def with_adapter(module: nn.Module, lora: Lora, seed: int) -> Any:
    """Put an untrained adapter on all linear layers of a module, which it changes, and return the whole."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    with _quiet_peft():
        return get_peft_model(module, settings)


def save_adapter(adapted: Any, folder: Path) -> None:
    """Write an adapter, without the weights of its base, into a folder."""
    adapted.save_pretrained(folder, save_embedding_layers=False)  # "auto" looks the base up on the Hub


def _quiet_peft() -> "warnings.catch_warnings[None]":
    return warnings.catch_warnings(action="ignore", category=FutureWarning)  # it uses a name that is deprecated
