"""Where the models of a suite can be steered at all: sweeps over sites, as `graftbench sweep` writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.names import Share, Whole
from graftbench.benchmark.results.entry_files import read_bytes
from graftbench.leaderboard.page.bars import Spark, line

FILE = Path("sweeps") / "sites.json"
MOST_BYTES = 2**22


class _Point(BaseModel):
    site: Whole
    unsteered: Share
    native: Share
    control: Share


class _Sweep(BaseModel):
    task: str
    variant: str
    model: str
    control: str
    best: Whole | None
    points: list[_Point]


@dataclass(frozen=True)
class Swept:
    """One model in one variant: success over sites, natively and of its control."""

    task: str
    variant: str
    model: str
    control: str
    best: int | None
    native: Spark
    noise: Spark


def sweeps_in(folder: Path) -> list[Swept]:
    """The sweeps over sites that lie in a leaderboard's folder; none where there is no file."""
    path = folder / FILE
    if not path.exists():
        return []
    try:
        found = TypeAdapter(list[_Sweep]).validate_json(read_bytes(path, MOST_BYTES))
    except ValidationError as error:
        raise UserError(f"{path} holds no sweep over sites: {str(error).splitlines()[0]}.") from error
    return [_swept(one) for one in found if one.points]


def _swept(one: _Sweep) -> Swept:
    native, noise = (line([(f"site {p.site}", getattr(p, what)) for p in one.points]) for what in ("native", "control"))
    assert native is not None
    assert noise is not None
    return Swept(one.task, one.variant, one.model, one.control, one.best, native, noise)


def by_task(found: Sequence[Swept]) -> dict[str, list[Swept]]:
    """Sweeps by task, in their order."""
    told: dict[str, list[Swept]] = {}
    for one in found:
        told.setdefault(one.task, []).append(one)
    return told
