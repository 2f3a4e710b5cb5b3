"""Build a zoo model from scratch: tokenizer, weights, folder. Same seed, threads and CPU type give the same bytes."""

import hashlib
import json
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
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
from graftbench.benchmark.zoo.training.batches import batch_at
from graftbench.benchmark.zoo.training.checkpoint import Progress
from graftbench.benchmark.zoo.training.loop import Optimizers, rate_scale, train_step
from graftbench.benchmark.zoo.training.tokenizers import train_bpe, train_qwen2, train_unigram

CHECKPOINT_EVERY = 100  # steps
TOKENIZER_SAMPLES = 6000  # of each mixture

Report = Callable[[int, float], None]  # step, loss


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


def build(name: ZooName, out: Path, report: Report) -> Path:
    """Train a model into the folder `out`/name, resuming an interrupted run of the same recipe.

    Its parent must be in `out` already. `report` is called after every step. A finished model of the same recipe is
    left as it is.
    """
    parent = load(str(out / str(name.parent)), device="cpu") if name.parent else None
    tokenizer = parent.tokenizer if parent else tokenizer_for(name.family)
    recipe = recipe_hash(name, out, tokenizer)
    if _recorded_recipe(out / str(name)) == recipe:
        return out / str(name)
    schedule = name.family.phases[name.version]
    model = parent.module if parent else new_model(name.family, tokenizer)
    model.train()
    optimizers = Optimizers(model, schedule)
    progress = _resumed(_checkpoint_folder(out, name), recipe, model, optimizers)
    begun = time.monotonic() - progress.seconds
    for step in range(progress.step, schedule.steps):
        batch = batch_at(step, name.version, name.family.seed, schedule.batch, tokenizer)
        progress.loss = train_step(model, optimizers, batch, rate_scale(schedule, step))
        progress.step = step + 1
        progress.data_hash = hashlib.sha256(bytes.fromhex(progress.data_hash) + batch.digest).hexdigest()
        progress.seconds = time.monotonic() - begun
        if progress.step % CHECKPOINT_EVERY == 0:
            checkpoint.save(_checkpoint_folder(out, name), model, optimizers, progress)
        report(progress.step, progress.loss)
    return _publish(name, out, model, tokenizer, progress)


def recipe_hash(name: ZooName, out: Path, tokenizer: PreTrainedTokenizerFast) -> str:
    """Return a hash of all that decides a model's bytes: family, schedule, parent, data, tokenizer, threads."""
    schedule = name.family.phases[name.version]
    parent = name.parent and hashlib.sha256((out / str(name.parent) / "model.safetensors").read_bytes()).hexdigest()
    first = batch_at(0, name.version, name.family.seed, schedule.batch, tokenizer).digest.hex()
    vocabulary = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    family = {key: value for key, value in asdict(name.family).items() if key != "phases"}
    settings = {key: value for key, value in asdict(schedule).items() if value}
    recipe = [family, name.version, settings, parent, first, vocabulary, torch.get_num_threads()]
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
    partial = out / ".checkpoints" / f"{name}.folder"
    model.half().save_pretrained(partial)
    config = json.loads((partial / "config.json").read_text())
    (partial / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2, sort_keys=True) + "\n")
    tokenizer.save_pretrained(partial)
    GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    ).save_pretrained(partial)
    record = asdict(name.family.phases[name.version]) | {
        "name": str(name),
        "seed": name.family.seed,
        "recipe_sha256": progress.recipe,
        "data_sha256": progress.data_hash,
        "loss": round(progress.loss or 0.0, 4),
        "seconds": round(progress.seconds),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "machine": platform.machine(),
    }
    (partial / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    checkpoint.replace_folder(partial, out / str(name))
    shutil.rmtree(_checkpoint_folder(out, name), ignore_errors=True)
    return out / str(name)
