"""What `benchmarks/gpu.py` measures, section by section."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from measuring import Limits, Line, seconds
from models import Prompts, ablating, mixed, prompts_of, vector_of

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.interventions.decoding import Decoding
from graftbench.benchmark.interventions.graphed import FixedDecoding
from graftbench.benchmark.mappers.builtin.closed_forms import Ridge
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad
from graftbench.benchmark.runs.suite import SUITES


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    small: Sequence[int]  # batches that memory bandwidth limits
    large: int  # rows of a large batch
    prompt: int  # tokens
    new: int  # tokens
    capture: tuple[int, int]  # rows, tokens
    pairs: int  # that a mapper is fitted on


_LONGER = 4  # times as many tokens where steps are replayed: each takes less time than its recording varies by
FULL = Sizes((1, 2, 4, 8), 256, 64, 48, (32, 512), 40_960)
SMALL = Sizes((1, 2), 8, 6, 6, (2, 8), 512)


def small_batches(model: Model, limits: Limits, sizes: Sizes) -> Iterator[Line]:
    """Measure the time of a token at small batches beside that of reading the weights and the cache once."""
    for decoding in (Decoding, FixedDecoding):
        for n in sizes.small:
            prompts = prompts_of(model, n, sizes.prompt, mixed(model)[:1])
            new = sizes.new if decoding is Decoding else _LONGER * sizes.new
            step = _seconds_per_token(model, prompts, new, decoding)
            share = _bytes_of_step(model, n, sizes.prompt + new) / step / limits.bandwidth
            figure = f"{1000 * step:.2f} ms a token, {n / step:.0f} tokens/s"
            yield Line(f"batch {n}, {_name(decoding)}", model.name, figure, f"{share:.1%} of bandwidth")


def large_batch(model: Model, _: Limits, sizes: Sizes) -> Iterator[Line]:
    """Measure a large batch, each row with a vector added at every token, beside `generate` with a hook."""
    prompts = prompts_of(model, sizes.large, sizes.prompt, mixed(model)[:1])
    theirs = seconds(lambda: _hooked_generate(model, prompts, sizes.new), model.device)
    n_tokens = sizes.large * sizes.new
    yield Line(f"batch {sizes.large}, generate with a hook", model.name, f"{n_tokens / theirs:.0f} tokens/s", "1")
    for decoding in (Decoding, FixedDecoding):
        ours = seconds(lambda d=decoding: _decoded(model, prompts, sizes.new, d), model.device)
        figure, share = f"{n_tokens / ours:.0f} tokens/s", f"{theirs / ours:.2f} times generate"
        yield Line(f"batch {sizes.large}, {_name(decoding)}", model.name, figure, share)


def interventions(model: Model, _: Limits, sizes: Sizes) -> Iterator[Line]:
    """Measure rows under interventions beside the same rows without."""
    free = prompts_of(model, sizes.large, sizes.prompt, [()])
    without = seconds(lambda: _decoded(model, free, sizes.new, Decoding), model.device)
    for what, steps in (("mixed interventions", mixed(model)), ("an ablated direction", ablating(model))):
        rows = prompts_of(model, sizes.large, sizes.prompt, steps)
        took = seconds(lambda rows=rows: _decoded(model, rows, sizes.new, Decoding), model.device)
        speed = sizes.large * sizes.new / took
        yield Line(f"batch {sizes.large}, {what}", model.name, f"{speed:.0f} tokens/s", f"{without / took:.2f} of free")


def capture(model: Model, limits: Limits, sizes: Sizes) -> Iterator[Line]:
    """Measure the capture of activations in the middle, by the products with the weights below it."""
    n, length = sizes.capture
    inputs, site = pad(prompts_of(model, n, length, [()]).ids, model), len(model.blocks) // 2
    took = seconds(lambda: residuals(model, inputs, [site]), model.device)
    weights = sum(p.numel() for block in list(model.blocks.modules)[:site] for p in block.parameters())
    share = 2 * weights * n * length / took / limits.operations
    yield Line(f"capture at site {site}", model.name, f"{n * length / took:.0f} tokens/s", f"{share:.1%} of products")


def fit(model: Model, _: Limits, sizes: Sizes) -> Iterator[Line]:
    """Measure the fit of `ridge`, which is done on the CPU in float64, beside its products alone."""
    rng = np.random.default_rng(0)
    source, target = (rng.standard_normal((sizes.pairs, model.d), dtype=np.float32) for _ in range(2))
    pairs = ActivationPairs(source, target, np.arange(0, sizes.pairs, 64))
    cpu = torch.device("cpu")
    ours = seconds(lambda: Ridge().fit(pairs, seed=0), cpu, times=1)
    x, y = (torch.from_numpy(each).double() for each in (source, target))
    products = seconds(lambda: (x.T @ x, x.T @ y), cpu, times=1)
    yield Line(f"ridge on {sizes.pairs} pairs, CPU", model.name, f"{ours:.2f} s", f"{products / ours:.0%} of products")


def cells(device: torch.device, seconds_left: float) -> Iterator[Line]:
    """Run the first cell of each task of the pocket suite, with the map of everything to zero."""
    until = time.monotonic() + seconds_left
    for task, suite in suites_of_one_cell().items():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "one_cell.yaml"
            path.write_text(suite, encoding="utf-8")
            start = time.monotonic()
            _score(path, device, max(1.0, until - start))
            yield Line(f"one cell of {task}", "pocket", f"{time.monotonic() - start:.0f} s")


def suites_of_one_cell() -> dict[str, str]:
    """Return by task a suite, as YAML, that is the pocket suite without all but the first cell of the task."""
    pocket = yaml.safe_load((SUITES / "pocket.yaml").read_text(encoding="utf-8"))
    return {
        task: yaml.safe_dump({**pocket, "name": "one_cell", "tasks": {task: {**about, "cells": about["cells"][:1]}}})
        for task, about in pocket["tasks"].items()
    }


def _score(suite: Path, device: torch.device, limit: float) -> None:
    """Run a suite in a process of its own, with nothing in its cache; all that it says goes to stderr."""
    command = [sys.executable, "-m", "graftbench", "score", "zero", "--suite", str(suite)]
    more = ["--workers", "1", "--device", str(device), "--out", str(suite.parent / "run")]
    settings = {**os.environ, "GRAFTBENCH_CACHE": str(suite.parent / "cache")}
    subprocess.run([*command, *more], check=True, stdout=sys.stderr, timeout=limit, env=settings)  # noqa: S603


def _decoded(model: Model, prompts: Prompts, n: int, decoding: type[Decoding]) -> None:
    decoding(model, prompts.rows, prompts.ids, n, ()).run()


def _seconds_per_token(model: Model, prompts: Prompts, n: int, decoding: type[Decoding]) -> float:
    """Return the time of one token: that of more tokens less that of few, for both read the prompt."""
    few = max(2, n // 6)
    short, long = (seconds(lambda k=k: _decoded(model, prompts, k, decoding), model.device) for k in (few, n))
    return (long - short) / (n - few)


def _bytes_of_step(model: Model, n: int, n_tokens: int) -> float:
    """Return the bytes of all weights, and of the keys and values of `n` rows, that a step has to read."""
    config, size = model.module.config, model.module.dtype.itemsize
    of_token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    return size * (sum(p.numel() for p in model.module.parameters()) + n * n_tokens * of_token)


def _hooked_generate(model: Model, prompts: Prompts, n: int) -> None:
    """Decode by transformers' own `generate`, a hook adding a vector at every token."""
    site, vector = len(model.blocks) // 2, vector_of(model).to(model.device, model.module.dtype)
    ids = torch.tensor(prompts.ids, device=model.device)

    def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return (args[0] + vector, *args[1:]), kwargs

    with ExitStack() as stack, torch.inference_mode():
        stack.callback(model.blocks[site].register_forward_pre_hook(hook, with_kwargs=True).remove)
        model.module.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, do_sample=False)


def _name(decoding: type[Decoding]) -> str:
    return "ours" if decoding is Decoding else "ours, steps replayed"
