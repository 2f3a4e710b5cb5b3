"""Training batches, made ahead of time by other processes."""

from collections.abc import Callable, Iterator

from torch.utils.data import DataLoader, Dataset

from graftbench.benchmark.zoo.training.batches import TrainingBatch

_AHEAD = 16  # batches of each process

Make = Callable[[int], TrainingBatch]


class _Made(Dataset[TrainingBatch]):
    """The batches of all steps."""

    def __init__(self, make: Make) -> None:
        self._make = make

    def __getitem__(self, step: int) -> TrainingBatch:
        return self._make(step)


def batches_of(steps: range, make: Make, n_processes: int) -> Iterator[TrainingBatch]:
    """Yield the batch of each step in order, made by so many other processes, or by this one where there are none."""
    if not (steps and n_processes):
        return map(make, steps)
    return iter(
        DataLoader(_Made(make), batch_size=None, sampler=steps, num_workers=n_processes, prefetch_factor=_AHEAD)
    )
