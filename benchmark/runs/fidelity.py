"""How well a fitted mapper predicts the target's activations."""

from dataclasses import asdict

import torch
from torch import Tensor

from graftbench.benchmark.activations.capture import captured
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.protocol import Experiment
from graftbench.benchmark.experiments.replacement import Replacement, faithful
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.fidelity import fidelity
from graftbench.benchmark.models.chat import with_reply
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.runs.request import Settings, _store
from graftbench.benchmark.runs.suite import Suite

MEAN_TEXTS = 100  # over whose tokens a mean activation is taken


def _fidelity(experiment: Experiment, carrier: FittedMapper, settings: Settings) -> dict[str, float | None]:
    """How well the target's activations are predicted, and what it does when they are replaced by the predictions."""
    overall = fidelity((carrier.carry(source), target) for source, target in carrier.held_out)
    found: dict[str, float | None] = {"cosine": overall.cosine, "fvu": overall.fvu}
    for (_, site), other in zip(experiment.fit.further, carrier.others, strict=True):
        there = fidelity((other.carry(source), target) for source, target in other.held_out)
        found |= {f"cosine_site_{site}": there.cosine, f"fvu_site_{site}": there.fvu}
    if not experiment.fit.compared:
        return found
    assert experiment.sites is not None
    store = _store(settings)
    prompts = list(dict.fromkeys(prompt for prompt, _ in experiment.fit.held_out))[: experiment.fit.compared]
    replaced = faithful(
        Replacement(experiment.source, experiment.target, experiment.sites, carrier, _mean(experiment, store)),
        prompts,
        store,
        max_new_tokens=Suite.model_validate_json(settings.suite).max_new_tokens,
        batch_size=settings.batch_size,
    )
    return found | {f"replaced_{name}": value for name, value in asdict(replaced).items()}


def _mean(experiment: Experiment, store: Store) -> Tensor:
    """The target's mean activation [d] at its site over texts of the fit split."""
    assert experiment.sites is not None
    target, site = experiment.target, experiment.sites[1]
    texts = [with_reply(p, r, target).text for p, r in experiment.fit.texts("task")[:MEAN_TEXTS]]

    def make() -> list[float]:
        rows = [token_ids(text, target.tokenizer) for text in texts]
        states = torch.cat([states.double().cpu() for _, states in captured(target, rows, site)])
        mean: list[float] = states.mean(0).tolist()
        return mean

    return torch.tensor(store.value("means", [target.identity, target.device.type, site, texts], make))
