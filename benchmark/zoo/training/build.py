"""Build a zoo model from scratch: tokenizer, weights, folder. Same seed, threads and CPU type give the same bytes.

On a GPU sums are rounded in another order, and not always in the same one: a model is one of many that are alike.
"""

import hashlib
import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from graftbench.benchmark.models.load import load
from graftbench.benchmark.zoo.corpus import tokenizer_texts
from graftbench.benchmark.zoo.families import Family
from graftbench.benchmark.zoo.names import ZooName
from graftbench.benchmark.zoo.training import checkpoint
from graftbench.benchmark.zoo.training.ahead import batches_of
from graftbench.benchmark.zoo.training.batches import batch_at
from graftbench.benchmark.zoo.training.checkpoint import Progress
from graftbench.benchmark.zoo.training.loop import Optimizers, rate_scale, train_step
from graftbench.benchmark.zoo.training.replayed import ReplayedSteps, are_replayed
from graftbench.benchmark.zoo.training.tokenizers import train_bpe, train_qwen2, train_unigram

CHECKPOINT_EVERY = 100  # steps
LOSS_EVERY = 50  # steps: to read a loss, a GPU has to be waited for
_LATER = 10  # times: a checkpoint takes longer than many steps on a GPU
TOKENIZER_SAMPLES = 6000  # of each mixture

Report = Callable[[int, float], None]  # step, loss

CPU = torch.device("cpu")


def tokenizer_for(family: Family) -> PreTrainedTokenizerFast:
    """Train the tokenizer of a family on the mixtures of text that its versions meet."""
    train = {"llama": train_bpe, "qwen2": train_qwen2, "gemma2": train_unigram}[family.tokenizer]
    return train(tokenizer_texts(TOKENIZER_SAMPLES), family.vocabulary, family.chat)


def new_model(family: Family, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Return an untrained model of the family's shape, initialised from its seed."""
    classes = {
        "LlamaForCausalLM": transformers.LlamaForCausalLM,
        "Qwen2ForCausalLM": transformers.Qwen2ForCausalLM,
        "Gemma2ForCausalLM": transformers.Gemma2ForCausalLM,
    }
    architecture: Any = classes[family.architecture]
    config = architecture.config_class(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **family.shape,
    )
    torch.manual_seed(family.seed)
    model: PreTrainedModel = architecture(config)
    return model


def build(name: ZooName, out: Path, report: Report, device: torch.device = CPU, n_ahead: int = 0) -> Path:
    """Train a model into the folder `out`/name, resuming an interrupted run of the same recipe.

    Its parent must be in `out` already. `report` is called after every step, on a GPU now and then. A finished model of
    the same recipe is left as it is. `n_ahead` other processes make the batches, this one where it is 0.
    """
    parent = load(str(out / str(name.parent)), device="cpu") if name.parent else None
    tokenizer = parent.tokenizer if parent else tokenizer_for(name.family)
    recipe = recipe_hash(name, out, tokenizer, device)
    if _recorded_recipe(out / str(name)) == recipe:
        return out / str(name)
    schedule = name.family.phases[name.version]
    model = parent.module if parent else new_model(name.family, tokenizer)
    model.train()
    optimizers = Optimizers(model, schedule, device if are_replayed(device) else None)
    model.to(device)  # type: ignore[arg-type]  # the optimizers keep its parameters
    progress = _resumed(_checkpoint_folder(out, name), recipe, model, optimizers)
    every = _LATER * CHECKPOINT_EVERY if are_replayed(device) else CHECKPOINT_EVERY
    begun = time.monotonic() - progress.seconds
    for loss in _losses(name, model, tokenizer, optimizers, progress, n_ahead):
        progress.seconds = time.monotonic() - begun
        if progress.step % every == 0:
            checkpoint.save(_checkpoint_folder(out, name), model, optimizers, progress)
        if loss is not None:
            report(progress.step, loss)
    return _publish(name, out, model, tokenizer, progress)


def _losses(
    name: ZooName,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    optimizers: Optimizers,
    progress: Progress,
    n_ahead: int,
) -> Iterator[float | None]:
    """Do the steps that are left, noted in `progress`; yield the loss of each, None where a GPU is not waited for."""
    schedule, seed, replayed = name.family.phases[name.version], name.family.seed, are_replayed(model.device)
    make = partial(
        batch_at, version=name.version, seed=seed, size=schedule.batch, tokenizer=tokenizer, in_one_part=replayed
    )
    train = ReplayedSteps(model, optimizers) if replayed else partial(train_step, model, optimizers)
    every = LOSS_EVERY if replayed else 1
    for batch in batches_of(range(progress.step, schedule.steps), make, n_ahead):
        loss = train(batch, rate_scale(schedule, progress.step))
        progress.step += 1
        progress.data_hash = hashlib.sha256(bytes.fromhex(progress.data_hash) + batch.digest).hexdigest()
        if progress.step % every and progress.step < schedule.steps:
            yield None
        else:
            progress.loss = float(loss)
            yield progress.loss


def recipe_hash(name: ZooName, out: Path, tokenizer: PreTrainedTokenizerFast, device: torch.device = CPU) -> str:
    """Return a hash of all that decides a model's bytes: family, schedule, parent, data, tokenizer, threads or device.

    On a GPU it is the kind of device that counts.
    """
    schedule = name.family.phases[name.version]
    parent = name.parent and hashlib.sha256((out / str(name.parent) / "model.safetensors").read_bytes()).hexdigest()
    first = batch_at(0, name.version, name.family.seed, schedule.batch, tokenizer).digest.hex()
    vocabulary = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    family = {key: value for key, value in asdict(name.family).items() if key != "phases"}
    settings = {key: value for key, value in asdict(schedule).items() if value}
    place = torch.get_num_threads() if device.type == "cpu" else device.type
    recipe = [family, name.version, settings, parent, first, vocabulary, place]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _recorded_recipe(folder: Path) -> str | None:
    path = folder / "training.json"
    return json.loads(path.read_text())["recipe_sha256"] if path.exists() else None


def _checkpoint_folder(out: Path, name: ZooName) -> Path:
    return out / ".checkpoints" / str(name)


def _resumed(folder: Path, recipe: str, model: PreTrainedModel, optimizers: Optimizers) -> Progress:
    if folder.exists() and checkpoint.progress_in(folder).recipe == recipe:
        return checkpoint.load(folder, model, optimizers)
    return Progress(recipe)


def _publish(
    name: ZooName, out: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, progress: Progress
) -> Path:
    """Write the model's folder: float16 weights, with a config that loads them as float32."""
    folder, device = out / ".checkpoints" / f"{name}.folder", model.device
    model.to("cpu").half().save_pretrained(folder)  # type: ignore[arg-type]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2, sort_keys=True) + "\n")
    tokenizer.save_pretrained(folder)
    GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    ).save_pretrained(folder)
    record = asdict(name.family.phases[name.version]) | {
        "name": str(name),
        "seed": name.family.seed,
        "recipe_sha256": progress.recipe,
        "data_sha256": progress.data_hash,
        "loss": round(progress.loss or 0.0, 4),
        "seconds": round(progress.seconds),
        **_place(device),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "machine": platform.machine(),
    }
    (folder / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    checkpoint.replace_folder(folder, out / str(name))
    shutil.rmtree(_checkpoint_folder(out, name), ignore_errors=True)
    return out / str(name)


def _place(device: torch.device) -> dict[str, Any]:
    """Return where a model was trained, for its record."""
    if device.type == "cpu":
        return {"threads": torch.get_num_threads()}
    return {"device": torch.cuda.get_device_name(device)}
