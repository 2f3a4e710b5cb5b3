"""A suite of two models: what can be measured without a suite file of one's own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.examples import Track
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat_formats import OWN
from graftbench.benchmark.models.load import Dtype
from graftbench.benchmark.runs.plan import task_named
from graftbench.benchmark.runs.suite import NamedDataset, Suite

STEERING = "behaviour_steering"
_DRAWS = {"test": 8, "validation": 2, "contrast": 2}
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    STEERING: {
        "vector": 60,
        "validation": 64,
        "test": 128,
        "fit": 300,
        "strengths": (0.5, 1.0, 1.5),
        "draws": _DRAWS,
    }
}
DATASETS: Mapping[str, NamedDataset] = {STEERING: "styles", "refusal_ablation": "refusal_sets"}  # where none is named
_WORD = re.compile(r"[^\w.+-]+", re.ASCII)


@dataclass(frozen=True)
class ModelNamed:
    """A model as a command line names it."""

    name: str
    revision: str | None = None
    chat: str = OWN


@dataclass(frozen=True)
class PairOrder:
    """Two models, and what is to be measured of a mapper between them.

    Args:
        datasets: The dataset of each task, in the order in which they run.
        behaviours: The variants that are measured; all where none is named.
        tracks: What mappers are fitted on.
        side_effects: Tasks of lm-eval that measure them; none where there are none.
        limit: Documents of each of these tasks, or of each of its subjects.
        prompts: Test prompts of each cell, and half as many on validation; the tasks' own numbers where there is none.

    """

    source: ModelNamed
    target: ModelNamed
    datasets: Mapping[str, NamedDataset]
    behaviours: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ("task", "unseen")
    dtype: Dtype = "float32"
    max_new_tokens: int = 48
    side_effects: tuple[str, ...] = ()
    limit: int | None = None
    prompts: int | None = None

    @property
    def families(self) -> tuple[str, str]:
        """The names of source and target in the suite."""
        named = (self.source, self.target)
        source, target = (_WORD.sub("-", Path(each.name).resolve().name).strip("-") or "model" for each in named)
        if self.source == self.target or source != target:
            return source, target
        return f"{source}-source", f"{target}-target"

    @property
    def variants(self) -> dict[str, list[str]]:
        """The variants that are measured of each task; UserError where one is named that no task has."""
        known = {name: task_named(name).variants(dataset_named(of)) for name, of in self.datasets.items()}
        every = {name: variant for variants in known.values() for name, variant in variants.items()}
        closed = [name for name, variant in every.items() if not variant.needs_judge]
        for behaviour in self.behaviours:
            if behaviour not in every:
                tasks = ", ".join(self.datasets)
                raise UserError(f"No task among {tasks} has a behaviour {behaviour!r}.{nearest(behaviour, closed)}")
            if every[behaviour].needs_judge:
                raise UserError(f"{behaviour} needs a judge, which only a suite can name: write one, and score it.")
        usual = {name: [v for v, variant in of.items() if not variant.needs_judge] for name, of in known.items()}
        chosen = {name: [v for v in of if not self.behaviours or v in self.behaviours] for name, of in usual.items()}
        return {name: variants for name, variants in chosen.items() if variants}

    def suite(self, sites: Sites | None) -> Suite:
        """Return the suite; sites are None where every task chooses its own."""
        (source, target), variants = self.families, self.variants
        models = {
            family: {"any": {"model": each.name, "revision": each.revision, "chat": each.chat}}
            for family, each in zip((source, target), (self.source, self.target), strict=True)
        }
        written = {
            "name": f"{source}-to-{target}",
            "dtype": self.dtype,
            "seeds": 3,
            "max_new_tokens": self.max_new_tokens,
            "models": models,
            "tasks": {
                name: {
                    "dataset": self.datasets[name],
                    "settings": self._settings(name),
                    "cells": [self._cell(name, variant, sites) for variant in variants[name]],
                }
                for name in variants
            },
        }
        if self.side_effects:
            written["side_effects"] = {"tasks": list(self.side_effects), "limit": self.limit}
        return Suite.model_validate(written)

    def _settings(self, task: str) -> dict[str, Any]:
        few = {} if self.prompts is None else {"test": self.prompts, "validation": max(1, self.prompts // 2)}
        return {**_SETTINGS.get(task, {}), **few}

    def _cell(self, task: str, variant: str, sites: Sites | None) -> dict[str, Any]:
        chosen = task_named(task).chooses_sites(variant, dataset_named(self.datasets[task]))
        source, target = self.families
        cell = {"variant": variant, "pair": f"{source}->{target}", "tracks": list(self.tracks)}
        return cell if chosen else cell | {"sites": sites}

    def needs_sites(self) -> bool:
        """Return whether a task does not choose its own sites; UserError where no sweep chooses them either."""
        asking = [
            name
            for name, variants in self.variants.items()
            if not all(task_named(name).chooses_sites(each, dataset_named(self.datasets[name])) for each in variants)
        ]
        if asking and STEERING not in asking:
            raise UserError(
                f"The sites of {asking[0]} are not chosen by a sweep, as those of {STEERING} are: name them by --sites."
            )
        return bool(asking)


def tracks_named(names: str) -> tuple[Track, ...]:
    """Parse tracks that are separated by commas; UserError for one that there is not."""
    known: tuple[Track, ...] = get_args(Track)
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise UserError(f"There is no track {name!r}.{nearest(name, list(known))}")
    return tuple(track for track in known if track in wanted)


def datasets_of(tasks: Sequence[str], data: str | None) -> dict[str, NamedDataset]:
    """Return the dataset of each task: `data`, a name or a folder of JSON lines, or the task's usual one.

    Without tasks, those that `data` has behaviours for; without either, behaviour steering. UserError where a task has
    no usual dataset.
    """
    named: NamedDataset | None = None
    if data is not None:
        named = {"jsonl": str(Path(data).resolve())} if Path(data).is_dir() else data
        kinds = [name for name in DATASETS if task_named(name).variants(dataset_named(named))]
        tasks = tasks or kinds or [STEERING]
    for name in tasks:
        task_named(name)
        if named is None and name not in DATASETS:
            raise UserError(f"The task {name} needs a dataset, named by --data, and models that it was made for.")
    return {name: DATASETS[name] if named is None else named for name in tasks or [STEERING]}
