"""`affine`: the autoencoder without its ReLU (Oozeer et al., 2025, section 3.3), trained likewise."""

from typing import ClassVar

from torch import Tensor

from ..pairs import Pairs
from .autoencoder import Autoencoder
from .gradient import Descent, published


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
