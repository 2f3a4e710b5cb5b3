"""The limits on judges in one run, shared by all of its processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """The requests and the money that a run may spend; None is no limit. `run` identifies the run.

    Where a `measure` is named, judges of other measures may use cached replies only, and ask no server.
    """

    run: str
    requests: int | None = None
    dollars: float | None = None
    measure: str | None = None
