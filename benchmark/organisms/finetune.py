"""Fine-tuning by transformers' Trainer, full or LoRA: checkpoints, and a run that was killed goes on."""

import shutil
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.models.chat_formats import OWN
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.weights import quiet_transformers
from graftbench.benchmark.organisms.lessons import Lesson, collated
from graftbench.benchmark.organisms.recipe import Lora, Recipe

_CHECKPOINTS = 10  # of a run
Progress = Callable[[int, int], None]  # steps that are done, and all of them


def finetune(
    model: Model, recipe: Recipe, taught: Sequence[Lesson], out: Path, *, at_once: int, progress: Progress
) -> None:
    """Train a model on lessons and write the result, all weights or an adapter, into the folder `out`.

    `at_once` lessons are in memory, and gradients are summed up to the recipe's batch. Checkpoints lie beside `out`
    until it is written; a run of the same recipe, model and lessons goes on from the last one.

    UserError where `out` exists or the batch cannot be divided so.
    """
    if out.exists():
        raise UserError(f"{out} exists already: name another folder with --out, or remove it.")
    if recipe.batch_size % at_once:
        raise UserError(f"A batch of {recipe.batch_size} cannot be read {at_once} at a time: choose a divisor of it.")
    key = digest(recipe.model_dump(mode="json"), model.identity, [lesson.ids for lesson in taught])[:8]
    work = out.with_name(f".{out.name}-{key}")
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
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=model.device.type == "cpu",
    )
    filler = model.tokenizer.pad_token_id
    filler = model.tokenizer.eos_token_id if filler is None else filler
    with quiet_transformers(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses a name that transformers deprecates
        trainer = Trainer(
            model=model.module if recipe.lora is None else _with_adapter(model.module, recipe.lora, recipe.seed),
            args=arguments,
            train_dataset=_Lessons(taught),
            data_collator=partial(_collate, filler=filler),
            callbacks=[_Heard(progress)],
        )
        trainer.remove_callback(PrinterCallback)  # it prints a dictionary of figures
        trainer.train(resume_from_checkpoint=_last(work))
        _write(trainer.model, model, out, own_tokenizer=recipe.lora is None or recipe.chat != OWN)
    shutil.rmtree(work)


class _Lessons(torch.utils.data.Dataset[dict[str, Any]]):
    """Lessons as the Trainer takes them, with ids by which it groups them by length."""

    def __init__(self, taught: Sequence[Lesson]) -> None:
        self._taught = taught

    def __len__(self) -> int:
        return len(self._taught)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"input_ids": self._taught[i].ids, "lesson": self._taught[i]}


class _Heard(TrainerCallback):
    """Tells how many steps are done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - as Trainer calls it
        """Report the step."""
        self._progress(state.global_step, state.max_steps)


def _collate(batch: Sequence[dict[str, Any]], filler: int) -> dict[str, torch.Tensor]:
    return collated([each["lesson"] for each in batch], filler)


def _last(work: Path) -> str | None:
    return get_last_checkpoint(str(work)) if work.is_dir() else None


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


def _write(trained: Any, model: Model, out: Path, *, own_tokenizer: bool) -> None:
    """Write the weights, and the tokenizer where it is not the base's, into a folder that appears when it is whole."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if hasattr(trained, "peft_config"):
        trained.peft_config["default"].base_model_name_or_path = model.name
        for name, weight in trained.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.half()  # half the size; merging is in float32
        trained.save_pretrained(unfinished, save_embedding_layers=False)  # "auto" looks the base up on the Hub
    else:
        trained.save_pretrained(unfinished)
    if own_tokenizer:
        model.tokenizer.save_pretrained(unfinished)
    unfinished.replace(out)
