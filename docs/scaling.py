"""Print how a run would scale: `python docs/scaling.py runs/pocket-ridge-...` simulates it from its measured times.

Every reference, every cell and their side effects take what they took in that run, and each worker takes the next job
as the executors do. What is left out: the start of processes, copies between machines, and processes that slow each
other down.
"""

import heapq
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from graftbench.benchmark.runs.executors.inline import Silent
from graftbench.benchmark.runs.executors.protocol import Job
from graftbench.benchmark.runs.executors.schedule import Schedule
from graftbench.benchmark.runs.folder import TIMINGS
from graftbench.benchmark.runs.order import longest_first

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128)


def read_jobs(folder: Path) -> tuple[list[Job], dict[str, float]]:
    """Return the jobs of a run in the order of its suite, and the seconds that each took."""
    timings = json.loads((folder / TIMINGS).read_text())
    seconds: dict[str, float] = {}
    jobs: list[Job] = []

    def add(name: str, took: float, *after: str) -> None:
        seconds[name] = took
        jobs.append(Job(name, print, (), after=after))

    for reference, took in timings["references"].items():
        add(reference, took)
        cells = {name: own for name, own in timings["cells"].items() if name.startswith(f"{reference} ")}
        aside = [f"{reference} side effects"] if reference in timings.get("reference_side_effects", {}) else []
        for name in aside:
            add(name, timings["reference_side_effects"][reference], reference)
        for name, own in cells.items():
            later = own.get("side_effects", 0.0) if aside else 0.0
            add(f"{name} (success)", own["total"] - later, reference)
            if later:
                add(name, later, f"{name} (success)", *aside)
    return jobs, seconds


def simulated(jobs: Sequence[Job], seconds: Mapping[str, float], workers: int) -> float:
    """Return the seconds after which so many workers have done all jobs."""
    schedule = Schedule(jobs, Silent())
    running: list[tuple[float, str]] = []
    now = 0.0
    while schedule.waiting or running:
        while len(running) < workers and (job := schedule.take()) is not None:
            heapq.heappush(running, (now + seconds[job.name], job.name))
        now, ended = heapq.heappop(running)
        schedule.end(ended, None)
    return now


def table(folder: Path) -> str:
    """Return a table of the speed-up by number of workers, in the order of the suite and longest first."""
    jobs, seconds = read_jobs(folder)
    total = sum(seconds.values())
    lines = ["| workers | order of the suite | longest first |", "|---|---|---|"]
    for workers in WORKERS:
        both = (simulated(order, seconds, workers) for order in (jobs, longest_first(jobs, seconds)))
        lines.append(f"| {workers} | " + " | ".join(f"{took:.0f} s, {total / took:.1f} times" for took in both) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}\n\n{table(Path(name))}\n\n")
