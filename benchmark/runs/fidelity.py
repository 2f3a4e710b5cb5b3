"""How well a fitted mapper predicts the target's activations, and what the target does on the predictions."""

from dataclasses import asdict

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.experiments.replacement import Replacement, replacement_fidelity
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.fidelity import fidelity
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.runs.context import RunContext

MEAN_TEXTS = 100  # over whose tokens the mean activation is taken


def fidelity_of(experiment: Experiment, mapper: FittedMapper, context: RunContext) -> dict[str, float | None]:
    """Return cosine and fraction of variance unexplained on held-out pairs, by site, and the figures of replacement.

    Those of replacement (`replaced_...`) are there where the experiment compares the target with itself.
    """
    overall = fidelity((mapper.carry(source), target) for source, target in mapper.held_out)
    figures: dict[str, float | None] = {"cosine": overall.cosine, "fvu": overall.fvu}
    for (_, site), other in zip(experiment.fit_data.further, mapper.others, strict=True):
        there = fidelity((other.carry(source), target) for source, target in other.held_out)
        figures |= {f"cosine_site_{site}": there.cosine, f"fvu_site_{site}": there.fvu}
    return figures | _under_replacement(experiment, mapper, context)


def _under_replacement(experiment: Experiment, mapper: FittedMapper, context: RunContext) -> dict[str, float | None]:
    n_prompts = experiment.fit_data.compared
    if not n_prompts:
        return {}
    assert experiment.sites is not None
    mean = _mean_activation(experiment, context.store)
    replaced = replacement_fidelity(
        Replacement(experiment.source, experiment.target, experiment.sites, mapper, mean),
        list(dict.fromkeys(prompt for prompt, _ in experiment.fit_data.held_out))[:n_prompts],
        context.store,
        max_new_tokens=context.suite.max_new_tokens,
        batch_size=context.settings.batch_size,
    )
    return {f"replaced_{name}": value for name, value in asdict(replaced).items()}


def _mean_activation(experiment: Experiment, store: Store) -> Tensor:
    """Return the target's mean activation [d] at its site over texts of the fit split."""
    assert experiment.sites is not None
    target, site = experiment.target, experiment.sites[1]
    texts = [with_reply(p, r, target).text for p, r in experiment.fit_data.texts("task")[:MEAN_TEXTS]]

    def make() -> list[float]:
        rows = [token_ids(text, target.tokenizer) for text in texts]
        states = torch.cat([states.double().cpu() for _, states in capture_rows(target, rows, site)])
        mean: list[float] = states.mean(0).tolist()
        return mean

    return torch.tensor(store.value("means", [target.identity, target.device.type, site, texts], make))
