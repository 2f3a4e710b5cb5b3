"""`autoencoder`: the mapper of Oozeer et al. (2025), section 3.3, trained to convergence, or as published."""

from typing import ClassVar

from torch import Tensor, nn

from graftbench.benchmark.activations.pairs import Pairs
from graftbench.benchmark.mappers.builtin.training import CONVERGED, Descent, descend, published, seeded
from graftbench.benchmark.mappers.protocol import Record


class Autoencoder(nn.Module):
    """y = W2 ReLU(W1 x + b1) + b2, with `hidden` units; 0 takes int(sqrt(d_source d_target)), as in table 22."""

    name = "autoencoder"
    version: ClassVar[int] = 1

    def __init__(self, d_source: int, d_target: int, hidden: int = 0) -> None:
        super().__init__()
        width = hidden or int((d_source * d_target) ** 0.5)
        self.encoder, self.decoder = nn.Linear(d_source, width), nn.Linear(width, d_target)

    def forward(self, source: Tensor) -> Tensor:
        """Carry activations across."""
        carried: Tensor = self.decoder(self.encoder(source).relu())
        return carried

    def fit(self, pairs: Pairs, *, seed: int) -> Record:
        """Train from a fresh start."""
        seeded(self, seed)
        self.to(pairs.batches(1, None).__next__()[0].device)
        return descend(self, pairs, self.how(pairs), seed)

    def how(self, pairs: Pairs) -> Descent:
        """Until held-out texts stop improving."""
        return CONVERGED


class PublishedAutoencoder(Autoencoder):
    """The same, trained for the published number of epochs at the published rate."""

    name = "autoencoder_paper"
    version: ClassVar[int] = 1

    def how(self, pairs: Pairs) -> Descent:
        """As published."""
        return published(pairs)


class Affine(Autoencoder):
    """y = W2 (W1 x + b1) + b2, with as many units as the autoencoder."""

    name = "affine"
    version: ClassVar[int] = 1

    def forward(self, source: Tensor) -> Tensor:
        """Carry activations across."""
        carried: Tensor = self.decoder(self.encoder(source))
        return carried


class PublishedAffine(Affine):
    """The same, trained for the published number of epochs at the published rate."""

    name = "affine_paper"
    version: ClassVar[int] = 1

    def how(self, pairs: Pairs) -> Descent:
        """As published."""
        return published(pairs)
