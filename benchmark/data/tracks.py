"""Fit tracks: which texts a mapper is fitted on, and which share of their pairs."""

from collections.abc import Mapping

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.examples import TextTrack, Track

USUAL_TRACKS: tuple[Track, ...] = ("task", "unseen", "general")  # of a cell that names none
SHARES_OF_PAIRS: Mapping[Track, float] = {"tenth": 0.1, "hundredth": 0.01}  # of those of the track `task`


def texts_of(track: Track) -> TextTrack:
    """Return the track whose texts a fit reads: with fewer pairs it is that of the task."""
    if track == "tenth" or track == "hundredth":
        return "task"
    return track


def other_behaviours(dataset: Dataset, behaviour: str) -> tuple[str, ...]:
    """Return the behaviours of a dataset that have neither the trigger nor anything else in common with one.

    UserError where there is none.
    """
    own = _common(dataset, behaviour)
    others = [name for name in dataset.behaviours if name != behaviour and own.isdisjoint(_common(dataset, name))]
    if not others:
        raise UserError(
            f"The dataset {dataset.name} has no behaviour that has nothing in common with {behaviour}: leave the track "
            "`others` out there."
        )
    return tuple(others)


def _common(dataset: Dataset, behaviour: str) -> set[str]:
    prompt = dataset.as_deployed(behaviour, "")
    trigger = [] if prompt.trigger is None else [prompt.text[slice(*prompt.trigger)]]
    return {*dataset.behaviours[behaviour].in_common, *trigger}
