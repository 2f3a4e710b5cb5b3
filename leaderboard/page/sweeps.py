"""Sweeps over sites, as `graftbench sweep` writes them: at which sites models can be steered at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import Integer, Share
from graftbench.benchmark.results.entry_files import read_bytes
from graftbench.leaderboard.page.bars import Spark, spark

SWEEPS = "sweeps"
MAX_BYTES = 2**22


class _Point(BaseModel):
    """Success on validation prompts at one site."""

    site: Integer
    unsteered: Share
    native: Share
    control: Share


class _Sweep(BaseModel):
    """One model in one variant, as the file has it."""

    task: str
    variant: str
    model: str
    control: str
    best: Integer | None
    points: list[_Point]


@dataclass(frozen=True)
class SweepView:
    """One model in one variant: success over sites, native and of its control."""

    task: str
    variant: str
    model: str
    control: str
    best: int | None
    native: Spark
    noise: Spark


def read_sweeps(folder: Path, suite: str) -> list[SweepView]:
    """Read the sweeps over sites of a suite in a leaderboard's folder; none where there is no file."""
    path = folder / SWEEPS / f"{suite}.json"
    if not path.exists():
        return []
    try:
        sweeps = TypeAdapter(list[_Sweep]).validate_json(read_bytes(path, MAX_BYTES))
    except ValidationError as error:
        raise UserError(f"{path} holds no sweep over sites: {str(error).splitlines()[0]}.") from error
    return [_view(sweep) for sweep in sweeps if sweep.points]


def _view(sweep: _Sweep) -> SweepView:
    native, noise = (
        spark([(f"site {point.site}", getattr(point, condition)) for point in sweep.points])
        for condition in ("native", "control")
    )
    assert native is not None
    assert noise is not None
    return SweepView(sweep.task, sweep.variant, sweep.model, sweep.control, sweep.best, native, noise)


def by_task(sweeps: Sequence[SweepView]) -> dict[str, list[SweepView]]:
    """Group sweeps by task, in their order."""
    groups: dict[str, list[SweepView]] = {}
    for sweep in sweeps:
        groups.setdefault(sweep.task, []).append(sweep)
    return groups
