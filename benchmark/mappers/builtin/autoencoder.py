"""`autoencoder` and `affine`, the mappers of Oozeer et al. (2025), section 3.3, converged or as published."""

from typing import ClassVar

from torch import Tensor, nn

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.training import (
    UNTIL_CONVERGED,
    AdamWSchedule,
    published_schedule,
    reinitialise,
    train,
)
from graftbench.benchmark.mappers.protocol import TrainingRecord


class Autoencoder(nn.Module):
    """y = W2 ReLU(W1 x + b1) + b2, with `hidden` units; 0 takes int(sqrt(d_source d_target)), as in table 22."""

    name = "autoencoder"
    version: ClassVar[int] = 1

    def __init__(self, d_source: int, d_target: int, hidden: int = 0) -> None:
        super().__init__()
        width = hidden or int((d_source * d_target) ** 0.5)
        self.encoder, self.decoder = nn.Linear(d_source, width), nn.Linear(width, d_target)

    def forward(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to [..., d_target]."""
        mapped: Tensor = self.decoder(self.encoder(source).relu())
        return mapped

    def fit(self, pairs: Pairs, *, seed: int) -> TrainingRecord:
        """Train from parameters drawn from `seed`."""
        reinitialise(self, seed)
        self.to(pairs.batches(1, None).__next__()[0].device)
        return train(self, pairs, self.schedule(pairs), seed)

    def schedule(self, pairs: Pairs) -> AdamWSchedule:
        """Return the schedule: until held-out texts stop improving."""
        return UNTIL_CONVERGED


class PublishedAutoencoder(Autoencoder):
    """`autoencoder` with the published number of epochs at the published rate."""

    name = "autoencoder_paper"
    version: ClassVar[int] = 1

    def schedule(self, pairs: Pairs) -> AdamWSchedule:
        """Return the published schedule."""
        return published_schedule(pairs)


class Affine(Autoencoder):
    """y = W2 (W1 x + b1) + b2, with as many units as the autoencoder."""

    name = "affine"
    version: ClassVar[int] = 1

    def forward(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to [..., d_target]."""
        mapped: Tensor = self.decoder(self.encoder(source))
        return mapped


class PublishedAffine(Affine):
    """`affine` with the published number of epochs at the published rate."""

    name = "affine_paper"
    version: ClassVar[int] = 1

    def schedule(self, pairs: Pairs) -> AdamWSchedule:
        """Return the published schedule."""
        return published_schedule(pairs)
