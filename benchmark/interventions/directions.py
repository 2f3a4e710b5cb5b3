"""Refusal directions: candidates from a contrast, and one selected as Arditi et al. (2024) do.

The conditions are those of the paper (section 2.3 and appendix C): KL at most 0.1, induced score at least 0, site below
0.8 of the blocks.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.data.examples import Prompt, prompt_of
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.logits import kl_of_next, next_logits, over_next_logits
from graftbench.benchmark.interventions.operators import Ablate, Add, Intervention
from graftbench.benchmark.interventions.vectors import difference_in_means, is_zero
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import check_embedded, n_after_prompt, token_ids

MAX_KL = 0.1  # nats, on harmless prompts
MIN_INDUCED = 0.0  # refusal score of harmless prompts when the direction is added
MAX_DEPTH = 0.8  # of the blocks
_EPSILON = 1e-8


@dataclass(frozen=True)
class PromptSets:
    """Prompts that are to be refused, and prompts that are not."""

    harmful: tuple[Prompt, ...]
    harmless: tuple[Prompt, ...]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A direction [d] read at one site and one position after the prompt, with its scores on validation."""

    site: int
    position: int
    vector: Tensor
    ablated: float  # mean refusal score of harmful prompts without the direction
    induced: float  # mean refusal score of harmless prompts with the direction added
    kl: float  # KL(untouched || ablated) on harmless prompts, nats

    def passes(self, n_blocks: int) -> bool:
        """Return whether the published conditions hold."""
        shallow = self.site < MAX_DEPTH * n_blocks
        finite = all(map(math.isfinite, (self.ablated, self.induced, self.kl)))
        return shallow and finite and self.kl <= MAX_KL and self.induced >= MIN_INDUCED

    def record(self) -> dict[str, Any]:
        """Return the candidate as JSON can hold it."""
        return asdict(self) | {"vector": self.vector.tolist()}


@dataclass(frozen=True, eq=False)
class Selection:
    """The candidate directions of a model, the best that passes, and the contrast prompts that were used."""

    best: Candidate | None
    candidates: tuple[Candidate, ...]
    contrast: PromptSets
    n_validation: int

    def record(self) -> dict[str, Any]:
        """Return the selection as JSON can hold it."""
        return {
            "best": None if self.best is None else self.candidates.index(self.best),
            "candidates": [candidate.record() for candidate in self.candidates],
            "contrast": asdict(self.contrast),
            "n_validation": self.n_validation,
        }


def read_selection(record: dict[str, Any]) -> Selection:
    """Return the selection of a record."""
    candidates = tuple(
        Candidate(**(c | {"vector": torch.tensor(c["vector"], dtype=torch.float64)})) for c in record["candidates"]
    )
    sides = {side: tuple(prompt_of(p) for p in prompts) for side, prompts in record["contrast"].items()}
    best = None if record["best"] is None else candidates[record["best"]]
    return Selection(best, candidates, PromptSets(**sides), record["n_validation"])


def refusal_score(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """Return the log odds [rows] that the next token begins a refusal, of logits [rows, vocabulary], in float64.

    `tokens` are the first tokens of refusals; the epsilon of 1e-8 is the published one.
    """
    p = logits.double().softmax(-1)[:, list(tokens)].sum(-1)
    return torch.log(p + _EPSILON) - torch.log(1 - p + _EPSILON)


def refusal_scores(model: Model, rows: Sequence[Row], tokens: Sequence[int]) -> Tensor:
    """Return the refusal score [rows] after each prompt, under its own interventions."""
    check_embedded(model, [tokens])
    return over_next_logits(model, rows, lambda logits, _: refusal_score(logits, tokens))


def select_direction(model: Model, contrast: PromptSets, validation: PromptSets, tokens: Sequence[int]) -> Selection:
    """Select the direction whose ablation leaves the least refusal on validation, among those that pass.

    Candidates are the differences in means, harmful minus harmless, at every site and every position after the
    prompt. Harmful prompts that are not refused, and harmless ones that are, are dropped from both splits first.
    """
    contrast, validation = (_as_expected(model, sides, tokens) for sides in (contrast, validation))
    if not all((contrast.harmful, contrast.harmless, validation.harmful, validation.harmless)):
        return Selection(None, (), contrast, 0)
    harmful, harmless = (_chats(model, side) for side in (validation.harmful, validation.harmless))
    untouched = next_logits(model, _rows(harmless))
    candidates = []
    for (site, position), vector in _differences(model, contrast).items():
        ablated = float(refusal_scores(model, _rows(harmful, Ablate(vector)), tokens).mean())
        induced = float(refusal_scores(model, _rows(harmless, Add(site, vector.float(), None)), tokens).mean())
        kl = float(kl_of_next(model, _rows(harmless, Ablate(vector)), untouched).mean())
        candidates.append(Candidate(site, position, vector, ablated, induced, kl))
    passing = [candidate for candidate in candidates if candidate.passes(len(model.blocks))]
    best = min(passing, key=lambda candidate: candidate.ablated, default=None)
    return Selection(best, tuple(candidates), contrast, min(len(validation.harmful), len(validation.harmless)))


def contrast_states(model: Model, contrast: PromptSets, site: int, position: int) -> tuple[Tensor, Tensor]:
    """Return the states [prompts, 1, d] of harmful and of harmless prompts at one site and position, in float64."""
    harmful, harmless = (
        states_at(model, _chats(model, side), site, position) for side in (contrast.harmful, contrast.harmless)
    )
    return harmful, harmless


def _differences(model: Model, contrast: PromptSets) -> dict[tuple[int, int], Tensor]:
    """Return the difference in means [d] at each (site, position) after the prompt, without those that are zero."""
    n = n_after_prompt(model.tokenizer)
    differences: dict[tuple[int, int], Tensor] = {}
    for site in range(len(model.blocks)):
        sides = (
            states_at(model, _chats(model, side), site, "prompt") for side in (contrast.harmful, contrast.harmless)
        )
        means = difference_in_means(*(states[:, -n:] for states in sides))
        differences |= {(site, place - n): vector for place, vector in enumerate(means) if not is_zero(vector)}
    return differences


def _as_expected(model: Model, sides: PromptSets, tokens: Sequence[int]) -> PromptSets:
    """Return the harmful prompts that the model begins to refuse, and the harmless ones that it does not."""
    harmful, harmless = (
        refusal_scores(model, _rows(_chats(model, side)), tokens).tolist() for side in (sides.harmful, sides.harmless)
    )
    return PromptSets(
        tuple(prompt for prompt, score in zip(sides.harmful, harmful, strict=True) if score > 0),
        tuple(prompt for prompt, score in zip(sides.harmless, harmless, strict=True) if score < 0),
    )


def _chats(model: Model, prompts: Sequence[Prompt]) -> list[Chat]:
    return [chat(prompt, model.tokenizer) for prompt in prompts]


def _rows(texts: Sequence[Chat], *interventions: Intervention) -> list[Row]:
    return [Row(text, interventions) for text in texts]


def refusal_tokens(model: ModelHandle, refusals: Sequence[str]) -> list[int]:
    """Return the ids of the first tokens of some refusals, where a reply begins in the model's chat format."""
    text = chat(Prompt("Hello"), model.tokenizer).text
    before = token_ids(text, model.tokenizer)
    after = (token_ids(text + refusal, model.tokenizer) for refusal in refusals)
    return sorted({_first_new(before, ids) for ids in after})


def _first_new(before: Sequence[int], ids: Sequence[int]) -> int:
    """Return the first of some tokens that differs from those before a text was added to theirs."""
    return next(new for i, new in enumerate(ids) if i >= len(before) or new != before[i])
