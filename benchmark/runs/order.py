"""The order of a run's jobs: those that others took longest for come first, so that no worker is left with one."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.benchmark.runs.folder import TIMINGS, suite_text
from graftbench.benchmark.runs.jobs import reference_side_effects_name, scoring_name
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.suite import SUITE, Suite

_log = logging.getLogger("graftbench.order")


def longest_first(jobs: Sequence[Job], seconds: Mapping[str, float]) -> list[Job]:
    """Return the jobs by the seconds of the longest chain that each begins: its own, and those of jobs after it.

    A job of unknown length counts as a long one, and those that are equal keep their order. The shortest of all chains
    comes first, so that a mapper's first result, or its error, is there early. Jobs follow those that they come after.
    """
    chains: dict[str, float] = {}
    for job in reversed(jobs):
        chains[job.name] = seconds.get(job.name, inf) + chains.get(job.name, 0.0)
        for name in job.after:
            chains[name] = max(chains.get(name, 0.0), chains[job.name])
    ordered = sorted(jobs, key=lambda job: -chains[job.name])
    early = _begun_by(min((job.name for job in jobs if not job.after), key=chains.__getitem__, default=""), jobs)
    return [*(job for job in ordered if job.name in early), *(job for job in ordered if job.name not in early)]


def _begun_by(first: str, jobs: Sequence[Job]) -> set[str]:
    """Return the names of a job and of all that come after it."""
    names = {first}
    for job in jobs:
        if names.intersection(job.after):
            names.add(job.name)
    return names


def former_seconds(folder: Path, suite: Suite, cells: Sequence[Cell]) -> dict[str, float]:
    """Return the seconds that jobs took at most in runs of the same suite next to `folder`, by name.

    Work that was cached took less, so that the most that was seen says how long it takes.
    """
    seconds: dict[str, float] = {}
    for file in sorted(folder.parent.glob(f"*/{TIMINGS}")):
        try:
            if (file.parent / SUITE).read_text(encoding="utf-8") != suite_text(suite):
                continue
            timings = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            _log.warning("%s is passed over: %s", file, error)
            continue
        for name, took in chain.from_iterable(_of_jobs(cell, timings) for cell in cells):
            seconds[name] = max(seconds.get(name, 0.0), took)
    return seconds


def _of_jobs(cell: Cell, timings: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the names of the jobs of a cell, with the seconds that each took, as far as they are known."""
    shared = {cell.reference: "references", reference_side_effects_name(cell): "reference_side_effects"}
    for name, kind in shared.items():
        if cell.reference_name in timings.get(kind, {}):
            yield name, timings[kind][cell.reference_name]
    if cell.name in timings["cells"]:
        own = timings["cells"][cell.name]
        later = own.get("side_effects", 0.0) if cell.has_side_effects else 0.0
        yield cell.name, later
        yield scoring_name(cell), own["total"] - later
