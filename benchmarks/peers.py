"""Tokens per second of steered generation, beside that of other packages, in one run on one machine.

    python benchmarks/peers.py --model smollm2-135m-instruct --batch 8

Every one adds the same vector to the output of the same block, at every token of the same prompts, and decodes greedily
with the same weights. A package that is not installed is skipped with a sentence, and none of them is a dependency.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.decoding import Decoding
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model, load

_TEXT = "The river was high that spring, and the old bridge had been closed since the first of the rains. "
_Generate = Callable[[], Tensor]  # the new tokens [rows, n]


@dataclass(frozen=True)
class Task:
    """The model, the tokens of the prompts [rows, tokens], the block, the vector [d], and the number of new tokens."""

    model: Model
    ids: Tensor
    block: int
    vector: Tensor
    n: int

    def generate(self, module: Any = None) -> Tensor:
        """Return the new tokens [rows, n] of transformers' own `generate`."""
        inputs = {"input_ids": self.ids, "attention_mask": torch.ones_like(self.ids)}
        made = (module or self.model.module).generate(**inputs, **self.settings)
        return made[:, self.ids.shape[1] :]

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of `generate`."""
        return {"max_new_tokens": self.n, "do_sample": False, "pad_token_id": 0}


@contextmanager
def ours(task: Task) -> Iterator[_Generate]:
    """Decode with graftbench."""
    row = Row(Chat("", ()), (Add(task.block + 1, task.vector, None),))
    rows, ids = [row] * len(task.ids), task.ids.tolist()
    yield lambda: torch.tensor(Decoding(task.model, rows, ids, task.n, ()).run()[0])


@contextmanager
def hook(task: Task) -> Iterator[_Generate]:
    """Decode with `generate` and a plain forward hook."""

    def add(_: Any, __: Any, output: Any) -> Any:
        return output + task.vector if isinstance(output, Tensor) else (output[0] + task.vector, *output[1:])

    with ExitStack() as stack:
        stack.callback(task.model.blocks[task.block].register_forward_hook(add).remove)
        yield task.generate


@contextmanager
def steering_vectors(task: Task) -> Iterator[_Generate]:
    """Decode with the package steering-vectors."""
    from steering_vectors import SteeringVector

    with SteeringVector({task.block: task.vector}).apply(task.model.module):
        yield task.generate


@contextmanager
def repeng(task: Task) -> Iterator[_Generate]:
    """Decode with the package repeng."""
    from repeng import ControlModel

    wrapped = ControlModel(task.model.module, [task.block])
    wrapped.set_raw_control({task.block: task.vector})
    try:
        yield lambda: task.generate(wrapped)
    finally:
        wrapped.unwrap()


@contextmanager
def pyvene(task: Task) -> Iterator[_Generate]:
    """Decode with the package pyvene, which adds the vector at generated tokens and at the prompt's first one."""
    from pyvene import AdditionIntervention, IntervenableModel

    adds = AdditionIntervention(embed_dim=task.model.d, source_representation=task.vector)
    place = {"layer": task.block, "component": "block_output", "intervention": adds}
    wrapped = IntervenableModel([place], task.model.module)
    base = {"input_ids": task.ids, "attention_mask": torch.ones_like(task.ids)}
    yield lambda: wrapped.generate(base, **task.settings)[1][:, task.ids.shape[1] :]


@contextmanager
def nnsight(task: Task) -> Iterator[_Generate]:
    """Decode with the package nnsight."""
    from nnsight.modeling.transformers import TransformersModel

    traced = TransformersModel(task.model.module, tokenizer=task.model.tokenizer, task="text-generation")

    def generate() -> Tensor:
        with traced.generate(task.ids, **task.settings) as tracer:
            for _ in tracer.iter[: task.n]:
                block = traced.model.layers[task.block]
                block.output = block.output + task.vector
            made = tracer.result.save()
        return made[:, task.ids.shape[1] :]

    yield generate


_PEERS = {
    "graftbench": ours,
    "generate with a hook": hook,
    "steering-vectors": steering_vectors,
    "repeng": repeng,
    "pyvene": pyvene,
    "nnsight": nnsight,
}


def main(arguments: list[str] | None = None) -> None:
    """Measure each in turn, several times, and print a table."""
    given = _parser().parse_args(arguments)
    model = load(given.model, device=given.device)
    model.module.generation_config.eos_token_id = model.tokenizer.eos_token = None  # no reply ends early
    ids = model.tokenizer(_TEXT * 4, add_special_tokens=False).input_ids[: given.prompt + given.batch]
    prompts = torch.tensor([ids[i : i + given.prompt] for i in range(given.batch)], device=model.device)
    vector = torch.randn(model.d, generator=torch.Generator().manual_seed(0)).to(model.device, model.module.dtype)
    task = Task(model, prompts, len(model.blocks) // 2, vector, given.new)
    _say(f"{given.model}, batch {given.batch}, {given.new} new tokens, torch {torch.__version__}\n\n")
    _say("| | tokens/s | times a hook | same tokens as a hook |\n|---|---|---|---|\n")
    took, tokens = _measured(task, given.times)
    for name, times in took.items():
        speed, share = (
            prompts.shape[0] * given.new / median(times),
            median(took["generate with a hook"]) / median(times),
        )
        same = "yes" if torch.equal(tokens[name], tokens["generate with a hook"]) else "no"
        _say(f"| {name} | {speed:.0f} | {share:.2f} | {same} |\n")


@torch.inference_mode()
def _measured(task: Task, times: int) -> tuple[dict[str, list[float]], dict[str, Tensor]]:
    """Return the seconds of every run by name, all in turn, and the tokens that each gives."""
    tokens = {name: made for name, peer in _PEERS.items() if (made := _tried(name, peer, task)) is not None}
    took: dict[str, list[float]] = {name: [] for name in tokens}
    for _ in range(times):
        for name, seconds in took.items():
            with _PEERS[name](task) as generate:
                start = time.perf_counter()
                generate().cpu()
                seconds.append(time.perf_counter() - start)
    return took, tokens


def _tried(name: str, peer: Callable[[Task], AbstractContextManager[_Generate]], task: Task) -> Tensor | None:
    """Return the tokens that a package gives; None, and a sentence, where it is not installed or does not work here."""
    if not _is_installed(name):
        return None
    try:
        with peer(task) as generate:
            return generate().cpu()
    except Exception as error:  # noqa: BLE001  # of a package of others, made for other versions
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        _say(f"{name} is left out, for it does not work here: {reason}\n", sys.stderr)
        return None


def _is_installed(name: str) -> bool:
    module = name.replace("-", "_")
    is_package = name not in ("graftbench", "generate with a hook")
    if is_package and find_spec(module) is None:
        _say(f"{name} is not installed, and is left out.\n", sys.stderr)
        return False
    return True


def _say(text: str, stream: Any = None) -> None:
    (stream or sys.stdout).write(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m-instruct", help="as `graftbench` takes it")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    parser.add_argument("--batch", type=int, default=8, help="rows (default 8)")
    parser.add_argument("--prompt", type=int, default=24, help="tokens of each prompt (default 24)")
    parser.add_argument("--new", type=int, default=48, help="tokens of each reply (default 48)")
    parser.add_argument("--times", type=int, default=3, help="runs of each, in turn (default 3)")
    return parser


if __name__ == "__main__":
    main()
