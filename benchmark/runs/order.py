"""The order of a run's jobs: those that others took longest for come first, so that no worker is left with one."""

import json
import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from math import inf
from pathlib import Path

from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.benchmark.runs.folder import TIMINGS, suite_text
from graftbench.benchmark.runs.plan import Cell
from graftbench.benchmark.runs.suite import SUITE, Suite

_log = logging.getLogger("graftbench.order")


def longest_first(jobs: Sequence[Job], seconds: Mapping[str, float]) -> list[Job]:
    """Return the jobs by the seconds of the longest chain that each begins: its own, and those of a job after it.

    A job of unknown length counts as a long one, and those that are equal keep their order. The shortest of all chains
    comes first, so that a mapper's first result, or its error, is there early.
    """
    after: dict[str, float] = {}
    for job in jobs:
        for name in job.after:
            after[name] = max(after.get(name, 0.0), seconds.get(job.name, inf))
    chains = {job.name: seconds.get(job.name, inf) + after.get(job.name, 0.0) for job in jobs}
    ordered = sorted(jobs, key=lambda job: -chains[job.name])
    shortest = min((job.name for job in jobs if not job.after), key=chains.__getitem__, default=None)
    early = [job for job in ordered if shortest is not None and (job.name == shortest or shortest in job.after)]
    return [*early, *(job for job in ordered if job not in early)]


def former_seconds(folder: Path, suite: Suite, cells: Sequence[Cell]) -> dict[str, float]:
    """Return the seconds that jobs took at most in runs of the same suite next to `folder`, by name.

    Work that was cached took less, so that the most that was seen says how long it takes.
    """
    references: dict[str, float] = {}
    own: dict[str, float] = {}
    for file in sorted(folder.parent.glob(f"*/{TIMINGS}")):
        try:
            if (file.parent / SUITE).read_text(encoding="utf-8") != suite_text(suite):
                continue
            timings = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            _log.warning("%s is passed over: %s", file, error)
            continue
        for name, took in timings["references"].items():
            references[name] = max(references.get(name, 0.0), took)
        for name, took in timings["cells"].items():
            own[name] = max(own.get(name, 0.0), took["total"])
    shared = {cell.reference: references[cell.reference_name] for cell in cells if cell.reference_name in references}
    return dict(chain(shared.items(), own.items()))
