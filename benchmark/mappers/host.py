"""Where a mapper's code runs, and what is asked of it there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from graftbench.benchmark.core.errors import TooFewPairsError
from graftbench.benchmark.mappers.protocol import TrainingRecord

NOT_ISOLATED = "none"  # as an entry says where somebody ran code of their own without isolation


class MapperError(Exception):
    """A mapper in a process of its own raised an error or broke a limit; the message says what, in one line."""


class MapperCodeError(MapperError):
    """The code of a mapper in a process of its own raised an error, which may have said `too_few_pairs`."""

    def __init__(self, message: str, *, too_few_pairs: bool = False) -> None:
        super().__init__(message)
        self.too_few_pairs = too_few_pairs


def says_too_few_pairs(error: BaseException) -> bool:
    """Return whether an error of a fit is of its data, not of its code: too few pairs, or a singular matrix of them."""
    if isinstance(error, MapperCodeError):
        return error.too_few_pairs
    singular = np.linalg.LinAlgError, torch.linalg.LinAlgError  # type: ignore[attr-defined]
    return isinstance(error, (TooFewPairsError, *singular))


@dataclass(frozen=True)
class FitFacts:
    """What a mapper put on record of its fit, and the seconds that it took."""

    record: TrainingRecord
    seconds: float


class MapperHost(Protocol):
    """A mapper and where its code runs: in this process where it comes with graftbench, else in one of its own.

    What it returns is somebody else's: `CheckedMap` checks shapes and values on this side.
    """

    def fit(self, pairs: Path, seed: int) -> FitFacts:
        """Fit on the pairs in a folder."""

    def save(self, into: Path) -> None:
        """Write the fitted mapper into a folder, as safetensors and JSON; TypeError where it cannot be saved."""

    def load(self, folder: Path) -> None:
        """Take the fitted mapper that is in a folder."""

    def carry(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source] to what should be [..., d_target]."""

    def derivative(self, at: Tensor, along: Tensor) -> Tensor:
        """Return what should be the derivative [..., d_target] at `at` along `along`, both [..., d_source]."""


@dataclass(frozen=True, eq=False)
class CheckedMap:
    """A fitted mapper as a function from [..., d_source] to [..., d_target] (a `MapWithDerivative`).

    ValueError where the shape is wrong, and FloatingPointError where a value is not finite.
    """

    host: MapperHost
    d_target: int

    @torch.no_grad()
    def __call__(self, source: Tensor) -> Tensor:
        """Map activations [..., d_source]."""
        return self._checked(self.host.carry(source), source)

    @torch.no_grad()
    def derivative(self, at: Tensor, along: Tensor) -> Tensor:
        """Return the directional derivative [..., d_target] at `at` along `along`, both [..., d_source]."""
        return self._checked(self.host.derivative(at, along), at)

    def _checked(self, mapped: Tensor, source: Tensor) -> Tensor:
        expected = (*source.shape[:-1], self.d_target)
        if tuple(mapped.shape) != expected:
            raise ValueError(f"the mapper made {tuple(mapped.shape)} of {tuple(source.shape)}, not {expected}")
        if not mapped.isfinite().all():
            raise FloatingPointError("the mapper gave values that are not finite")
        return mapped.to(source.device)
