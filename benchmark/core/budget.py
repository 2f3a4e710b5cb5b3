"""What judges may take up in one run, over all of its processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How many requests and how much money a run may spend; None is no limit. `run` tells it from other runs.

    Where a `measure` is named, the judges of no other may ask a server: what they said is kept, or it is not said.
    """

    run: str
    requests: int | None = None
    dollars: float | None = None
    measure: str | None = None
