"""What the interventions of a cell cost its target, in the two settings of the design: as deployed, and stressed."""

from collections.abc import Callable, Mapping, Sequence

from graftbench.leaderboard.schema import UNSTEERED, Missing, SideEffect, SideEffects

from ..experiments.conditions import Condition
from ..store import Store
from ..suite import SideEffectsSpec
from ..task import AtLarge
from ..tokens import Prompt
from .corpora import corpus, harmless_prompts, known_corpus
from .costs import Measures, side_effects
from .doing import Doing
from .tasks import lm_task

DEPLOYED_EVERYWHERE = "deployed_everywhere"  # there is no more to be done
ZERO, REPLACEMENT = "zero_vector", "replacement"
MAPPED_ALREADY = "mapped_already"  # where whole activations are carried, that is what `mapped` is


def check(spec: SideEffectsSpec) -> None:
    """UserError where a suite asks for a task or a corpus that there is not."""
    for name in spec.tasks:
        lm_task(name)
    known_corpus(spec.corpus)


def measures_of(spec: SideEffectsSpec, max_new_tokens: int, batch_size: int) -> Measures:
    """What a suite asks for."""
    tasks = tuple(lm_task(name, spec.limit) for name in spec.tasks)
    texts = tuple(corpus(spec.corpus, spec.texts)) if spec.texts else ()
    return Measures(tasks, harmless_prompts(spec.prompts), texts, max_new_tokens, batch_size)


def costs_of_cell(store: Store, at_large: AtLarge, what: Measures, told: Callable[[str], None]) -> SideEffects:
    """The costs of every condition of a cell, beside the model that nothing is done to."""

    def found(conditions: Mapping[str, Sequence[Condition]], words: Callable[[str], Prompt]) -> dict[str, SideEffect]:
        asked = {UNSTEERED: [Condition(UNSTEERED)], **{name: some for name, some in conditions.items() if some}}
        doings = {name: [Doing(one, words) for one in some] for name, some in asked.items()}
        return side_effects(store, at_large.model, doings, what, told)

    stressed = at_large.stressed
    reasons = {name: ZERO for name, some in at_large.deployed.items() if not some}
    if REPLACEMENT not in at_large.deployed:
        reasons[REPLACEMENT] = MAPPED_ALREADY
    return SideEffects(
        deployed=found(at_large.deployed, at_large.words),
        stressed=Missing(reason=DEPLOYED_EVERYWHERE) if stressed is None else found(stressed, Prompt),
        reasons=reasons,
    )
