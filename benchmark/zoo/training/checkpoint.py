"""A half-trained model on disk: weights and optimizer state as safetensors, progress as JSON."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from graftbench.benchmark.zoo.training.loop import Optimizers


@dataclass
class Progress:
    """How far a phase has come: steps done, seconds spent, a running hash of the data, the recipe's own hash."""

    recipe: str
    step: int = 0
    seconds: float = 0.0
    data_hash: str = ""
    loss: float | None = None


def save(folder: Path, model: PreTrainedModel, optimizers: Optimizers, progress: Progress) -> None:
    """Write a checkpoint whole: it replaces the one before in a single rename."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file({name: p.detach() for name, p in model.named_parameters()}, partial / "model.safetensors")
    save_file(optimizers.state(), partial / "optimizer.safetensors")
    (partial / "progress.json").write_text(json.dumps(asdict(progress)))
    replace_folder(partial, folder)


def load(folder: Path, model: PreTrainedModel, optimizers: Optimizers) -> Progress:
    """Put a checkpoint's weights and moments back; returns how far it had come."""
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    optimizers.restore(load_file(folder / "optimizer.safetensors"))
    return progress_in(folder)


def progress_in(folder: Path) -> Progress:
    """What a checkpoint says of its progress."""
    return Progress(**json.loads((folder / "progress.json").read_text()))


def replace_folder(new: Path, old: Path) -> None:
    """Put the folder `new` in the place of `old`; at no moment does a half-written folder stand there."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)
