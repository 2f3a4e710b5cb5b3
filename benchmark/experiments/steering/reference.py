"""What does not depend on the mapper: clean answers, native vector, strength, and every condition but the mapped."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from graftbench.benchmark.activations.cached import cached_states
from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.activations.positions import states_at, states_over
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example, Turn
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import CleanAnswers, Draws, answers, clean_answers
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.vectors import (
    difference_in_means,
    is_zero,
    norm_of,
    permuted_contrasts,
    random_like,
    rescaled,
)
from graftbench.benchmark.models.chat import continued_chat, turn_chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.results.answers import Answer, scored_everywhere


@dataclass(frozen=True)
class SteeringReference:
    """The part of an experiment that all mappers share."""

    strength: float
    n_asked: int  # test prompts, before those whose clean answer is not good left
    validation: tuple[str, ...]  # ids of the prompts that stayed
    test: tuple[str, ...]
    clean: dict[str, str]  # id -> clean answer
    answers: tuple[Answer, ...]
    contrast_reason: str | None  # why there is no random contrast

    def of(self, split: str, condition: str) -> list[Answer]:
        """The answers under one condition."""
        return [a for a in self.answers if a.split == split and a.condition == condition]


@dataclass(frozen=True, eq=False)
class Contrast:
    """States [pairs, positions, d] on desired and undesired prompts at one site, in float64."""

    desired: Tensor
    undesired: Tensor

    @property
    def vector(self) -> Tensor:
        """The native vector of that model: mean of the desired minus mean of the undesired."""
        return difference_in_means(self.desired, self.undesired)

    @property
    def constant(self) -> bool:
        """Whether every pair differs by the same vector, as it does where nothing but the trigger was read yet."""
        apart = (self.desired - self.undesired) - self.vector
        return float(apart.norm(dim=(1, 2)).max()) < 1e-3 * norm_of(self.vector)


def contrast_at(model: Model, setting: SteeringDesign, site: int) -> Contrast:
    """The states of a model on the contrastive pairs."""
    sides = [_states(model, setting, site, side) for side in zip(*setting.contrast, strict=True)]
    n = max(states.shape[1] for states in sides)  # positions are paired from the right
    desired, undesired = (pad(states, (0, 0, n - states.shape[1], 0)) for states in sides)
    both = (desired.any(-1) & undesired.any(-1))[..., None]  # a position without a partner gets zero
    return Contrast(desired * both, undesired * both)


def kept_contrast(store: Store, model: Model, setting: SteeringDesign, site: int) -> Contrast:
    """As `contrast_at`, through the store."""
    asked = [setting.positions, setting.spoken, [[asdict(said) for said in pair] for pair in setting.contrast]]

    def make() -> tuple[Tensor, Tensor]:
        found = contrast_at(model, setting, site)
        return found.desired, found.undesired

    return Contrast(*cached_states(store, model, site, asked, make))


def _states(model: Model, setting: SteeringDesign, site: int, side: Sequence[Turn]) -> Tensor:
    if setting.spoken:
        return states_over(
            model, [(turn_chat(said, model), continued_chat(said, model)) for said in side], site, setting.spoken
        )
    return states_at(model, [turn_chat(said, model) for said in side], site, setting.positions)


def ground(
    bench: Bench, setting: SteeringDesign, strengths: Sequence[float], draws: Draws, seed: int
) -> SteeringReference:
    """The ground of an experiment, kept by everything it depends on."""
    parts = [
        setting.target.identity,
        setting.target.device.type,
        setting.sites[1],
        setting.positions,
        setting.added_at,
        setting.spoken,
        setting.judges,
        [[asdict(said) for said in pair] for pair in setting.contrast],
        *([asdict(item) for item in side] for side in (setting.validation, setting.test)),
        bench.batch_size,
        bench.max_new_tokens,
        list(strengths),
        asdict(draws),
        seed,
    ]
    kept = bench.store.value("grounds", parts, lambda: asdict(_Making(bench, setting, draws, seed).make(strengths)))
    return read_ground(kept)


def validation_sweep(
    bench: Bench, setting: SteeringDesign, strengths: Sequence[float], draws: Draws, seed: int
) -> list[Answer]:
    """The validation prompts whose clean answer is good, unsteered and at every strength, native and random."""
    making = _Making(bench, setting, draws, seed)
    return making.sweep(making.clean(setting.validation, "clean answers, validation").items, strengths)


def read_ground(kept: dict[str, Any]) -> SteeringReference:
    """A ground from what JSON holds."""
    found = tuple(Answer(**answer) for answer in kept["answers"])
    lists = {name: tuple(kept[name]) for name in ("validation", "test")}
    return SteeringReference(**(kept | lists | {"answers": found}))


class _Making:
    def __init__(self, bench: Bench, setting: SteeringDesign, draws: Draws, seed: int) -> None:
        self._bench, self._setting, self._draws, self._seed = bench, setting, draws, seed
        self._contrast = kept_contrast(bench.store, setting.target, setting, setting.sites[1])
        self._native = self._contrast.vector

    def make(self, strengths: Sequence[float]) -> SteeringReference:
        if is_zero(self._native):
            raise ValueError("the native vector is zero: the prompts of the contrast do not differ at this site")
        validation = self.clean(self._setting.validation, "clean answers, validation")
        test = self.clean(self._setting.test, "clean answers, test")
        swept = self.sweep(validation.items, strengths)
        strength = best_strength(swept, "native")
        reason = "constant_contrast" if self._contrast.constant else None
        return SteeringReference(
            strength,
            len(self._setting.test),
            tuple(item.id for item in validation.items),
            tuple(item.id for item in test.items),
            validation.good | test.good,
            tuple(validation.answers + test.answers + swept + self._test(test.items, strength, reason)),
            reason,
        )

    def clean(self, items: Sequence[Example], what: str) -> CleanAnswers:
        """The clean answers to some prompts."""
        return clean_answers(self._bench, self._setting.target, self._setting.judging, items, what)

    def sweep(self, items: Sequence[Example], strengths: Sequence[float]) -> list[Answer]:
        """Unsteered, and native and random vectors at every strength; no vectors where native's is zero."""
        noise = random_like(self._native, self._draws.validation, seed=self._seed + 1)
        conditions = [Condition("unsteered")]
        for strength in () if is_zero(self._native) else strengths:
            conditions.append(self._setting.adding("native", strength * self._native, 0, strength))
            conditions += [self._setting.adding("random", strength * v, i, strength) for i, v in enumerate(noise)]
        found = self._answers("validation", items, conditions, "strengths, validation")
        scored = scored_everywhere(found)
        return [answer for answer in found if answer.item in scored]

    def _test(self, items: Sequence[Example], strength: float, reason: str | None) -> list[Answer]:
        native = strength * self._native
        noise = random_like(native, self._draws.test, seed=self._seed)
        conditions = [
            Condition("unsteered"),
            self._setting.adding("native", native, 0, strength),
            *(self._setting.adding("random", vector, i, strength) for i, vector in enumerate(noise)),
            self._setting.replacing("mean_ablated", self._mean_state()),
        ]
        if reason is None:
            conditions += self._permuted(norm_of(native), strength)
        found = self._answers("test", items, conditions, "conditions, test")
        scored_everywhere(found)  # a ground that lacks verdicts is an error, and is not kept
        return found

    def _answers(
        self, split: str, items: Sequence[Example], conditions: Sequence[Condition], what: str
    ) -> list[Answer]:
        setting = self._setting
        return answers(self._bench, setting.target, setting.judging, split, items, conditions, what)

    def _permuted(self, norm: float, strength: float) -> list[Condition]:
        found = permuted_contrasts(
            self._contrast.desired, self._contrast.undesired, self._draws.contrast, seed=self._seed
        )
        return [
            self._setting.adding("random_contrast", rescaled(vector, norm), i, strength)
            for i, vector in enumerate(found)
            if vector is not None
        ]

    def _mean_state(self) -> Tensor:
        """The mean residual stream over the tokens of the contrast's prompts, for every steered position."""
        target = self._setting.target
        texts = [turn_chat(undesired, target) for _, undesired in self._setting.contrast]
        rows = [token_ids(text.text, target.tokenizer) for text in texts]
        states = torch.cat([states.double() for _, states in capture_rows(target, rows, self._setting.sites[1])])
        return states.mean(0).cpu().expand(len(self._native), -1)


def best_strength(swept: Sequence[Answer], condition: str) -> float:
    """Where `condition` is furthest ahead of random vectors of the same norm on validation; the smaller on a tie."""
    strengths = sorted({a.strength for a in swept if a.condition == condition and a.strength is not None})
    return max(strengths, key=lambda strength: ahead(swept, condition, strength))


def ahead(swept: Sequence[Answer], condition: str, strength: float) -> float:
    """How much higher the success rate is than that of random vectors, at one strength."""
    return round(_rate(swept, condition, strength) - _rate(swept, "random", strength), 9)  # equal rates tie


def _rate(swept: Sequence[Answer], condition: str, strength: float) -> float:
    found = [a.success for a in swept if a.condition == condition and a.strength == strength]
    scored = [success for success in found if success is not None]
    return sum(scored) / len(scored) if scored else 0.0
