"""Activations of a model on the contrastive pairs of a steering experiment, and their mean difference."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from torch import Tensor
from torch.nn.functional import pad

from graftbench.benchmark.activations.cached import cached_states
from graftbench.benchmark.activations.capture import states_at, states_over, token_states
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Turn
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.steering.design import VectorDesign
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.vectors import (
    balanced_contrasts,
    difference_in_means,
    norm_of,
    permuted_contrasts,
    random_with_covariance,
    rescaled,
)
from graftbench.benchmark.models.chat import continued_chat, turn_chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model


@dataclass(frozen=True, eq=False)
class Contrast:
    """States [pairs, positions, d] on desired and undesired prompts at one site, in float64."""

    desired: Tensor
    undesired: Tensor

    @property
    def vector(self) -> Tensor:
        """The native vector [positions, d] of that model: mean of the desired minus mean of the undesired."""
        return difference_in_means(self.desired, self.undesired)

    @property
    def constant(self) -> bool:
        """True where all pairs differ by the same vector, as at a leading trigger: nothing else is read before it."""
        deviations = (self.desired - self.undesired) - self.vector
        return float(deviations.norm(dim=(1, 2)).max()) < 1e-3 * norm_of(self.vector)


def capture_contrast(model: Model, design: VectorDesign, site: int) -> Contrast:
    """Capture the states of a model on the contrastive pairs."""
    sides = [_states(model, design, site, side) for side in zip(*design.contrast, strict=True)]
    n = max(states.shape[1] for states in sides)  # positions are paired from the right
    desired, undesired = (pad(states, (0, 0, n - states.shape[1], 0)) for states in sides)
    both = (desired.any(-1) & undesired.any(-1))[..., None]  # a position without a partner gets zero
    return Contrast(desired * both, undesired * both)


def cached_contrast(store: Store, model: ModelHandle, design: VectorDesign, site: int) -> Contrast:
    """Return the states of a model on the contrastive pairs, from the cache where they are there."""
    asked = [design.positions, design.spoken, [[asdict(turn) for turn in pair] for pair in design.contrast]]

    def make() -> tuple[Tensor, Tensor]:
        with model.loaded() as loaded:
            contrast = capture_contrast(loaded, design, site)
        return contrast.desired, contrast.undesired

    return Contrast(*cached_states(store, model, site, asked, make))


def mean_state(design: VectorDesign, n_positions: int) -> Tensor:
    """Return the target's mean state over the tokens of the undesired prompts, at every position [n_positions, d]."""
    return _undesired_states(design).mean(0).cpu().expand(n_positions, -1)


def with_target_covariance(design: VectorDesign, native: Tensor, n: int, strength: float, seed: int) -> list[Condition]:
    """Return the conditions that add random vectors with the covariance of the target's states.

    They have the norms of `native` [positions, d]. The covariance is that over all tokens of the undesired prompts, as
    the mean of `mean_state` is: at a leading trigger, states at one position do not vary.
    """
    if not n:
        return []
    vectors = random_with_covariance(native, _undesired_states(design).cpu(), n, seed)
    return [design.adding("random_covariance", vector, i, strength) for i, vector in enumerate(vectors)]


def relabelled(
    design: VectorDesign, contrast: Contrast, draws: Draws, norm: float, strength: float, seed: int
) -> list[Condition]:
    """Return the conditions that add vectors of a contrast whose labels are permuted or balanced, with a norm."""
    states = contrast.desired, contrast.undesired
    vectors = (
        balanced_contrasts(*states, draws.contrast, seed, paired=True)
        if draws.balanced
        else permuted_contrasts(*states, draws.contrast, seed)
    )
    return [
        design.adding("random_contrast", rescaled(vector, norm), i, strength)
        for i, vector in enumerate(vectors)
        if vector is not None
    ]


def _undesired_states(design: VectorDesign) -> Tensor:
    """Return the target's states [tokens, d] at its site, at every token of the undesired prompts."""
    texts = [turn_chat(undesired, design.target) for _, undesired in design.contrast]
    with design.target.loaded() as model:
        return token_states(model, texts, design.sites[1])


def _states(model: Model, design: VectorDesign, site: int, side: Sequence[Turn]) -> Tensor:
    """Return the states [pairs, positions, d] on one side of the contrast, desired or undesired."""
    if design.spoken:
        texts = [(turn_chat(turn, model), continued_chat(turn, model)) for turn in side]
        return states_over(model, texts, site, design.spoken)
    return states_at(model, [turn_chat(turn, model) for turn in side], site, design.positions)
