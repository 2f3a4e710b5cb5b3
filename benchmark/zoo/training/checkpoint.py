"""Checkpoints of training: weights and optimizer state as safetensors, progress as JSON."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from graftbench.benchmark.core.files import put_in_place
from graftbench.benchmark.zoo.training.loop import Optimizers


@dataclass
class Progress:
    """Progress of a phase: the hash of its recipe, steps, seconds, a running hash of the data, the last loss."""

    recipe: str
    step: int = 0
    seconds: float = 0.0
    data_hash: str = ""
    loss: float | None = None


def save(folder: Path, model: PreTrainedModel, optimizers: Optimizers, progress: Progress) -> None:
    """Write a checkpoint, replacing the one before atomically."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file({name: p.detach() for name, p in model.named_parameters()}, partial / "model.safetensors")
    save_file(optimizers.state(), partial / "optimizer.safetensors")
    (partial / "progress.json").write_text(json.dumps(asdict(progress)))
    replace_folder(partial, folder)


def load(folder: Path, model: PreTrainedModel, optimizers: Optimizers) -> Progress:
    """Restore a checkpoint's weights and moments, and return its progress."""
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    optimizers.restore(load_file(folder / "optimizer.safetensors"))
    return progress_in(folder)


def progress_in(folder: Path) -> Progress:
    """Return the progress of a checkpoint."""
    return Progress(**json.loads((folder / "progress.json").read_text()))


def replace_folder(new: Path, old: Path) -> None:
    """Rename the folder `new` to `old`, replacing it; there is never a half-written folder."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    put_in_place(new, old)
    shutil.rmtree(aside, ignore_errors=True)
