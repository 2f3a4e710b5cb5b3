"""An experiment with a direction as a task hands it to the runner."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial

from torch import Tensor

from graftbench.benchmark.activations.cached import cached_states
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import ZERO, Draws, with_zero_vector
from graftbench.benchmark.experiments.direction.design import DirectionDesign
from graftbench.benchmark.experiments.direction.reference import (
    DirectionReference,
    Measures,
    ground,
    run_conditions,
    still_good,
    tried_answers,
)
from graftbench.benchmark.experiments.protocol import AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.replacement import replacement_condition
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.directions import Candidate, Selection, contrast_states
from graftbench.benchmark.interventions.vectors import is_zero, mapped_vector, norm_of, random_like, rescaled
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.answers import Answer, scored_everywhere
from graftbench.benchmark.results.summary import summarise

NO_DIRECTION = "no_direction"  # no candidate of the target meets the published conditions
NO_SOURCE_DIRECTION = "no_direction_in_source"
NO_LENGTH = "ablation_has_no_length"


@dataclass(frozen=True, eq=False)
class DirectionExperiment:
    """A setting with its draws, and what mappers are fitted on."""

    setting: DirectionDesign
    bench: Bench
    draws: Draws
    fit: FitData
    site: int | None = None  # to be swept, as positions may be
    position: int | None = None
    seed: int = 0

    @property
    def source(self) -> Model:
        """Where the direction comes from."""
        return self.setting.source

    @property
    def target(self) -> Model:
        """Where it must work."""
        return self.setting.target

    @property
    def sites(self) -> Sites | None:
        """Where the directions of both models were selected; None where one has none."""
        ours, theirs = self._ours.best, self._theirs.best
        return None if ours is None or theirs is None else (ours.site, theirs.site)

    @property
    def positions(self) -> tuple[Position, ...]:
        """Those after the prompt, at which directions are looked for."""
        return tuple(sorted({candidate.position for candidate in self._theirs.candidates}))

    @cached_property
    def known(self) -> DirectionReference:
        """What does not depend on a mapper."""
        return ground(self.bench, self.setting, self._theirs, self.draws, self.seed)

    def prepare(self) -> tuple[Answer, ...]:
        """Make the ground, and keep it."""
        self.setting.selected(self.bench.store, self.source)
        return self.known.answers

    def sweep(self) -> SweepPoint:
        """The best candidate of the site or position that was ordered, passing or not, on validation prompts."""
        here = [
            candidate
            for candidate in self._theirs.candidates
            if self.site in (None, candidate.site) and self.position in (None, candidate.position)
        ]
        found = tried_answers(self.bench, self.setting, here, self.draws, self.seed)
        best = self._theirs.best
        own = None if best is None else best.site if self.position is None else best.position
        return SweepPoint([answer.record() for answer in found], "random", "own", own)

    def score(self, carrier: FittedMapper | None) -> Scored:
        """Run the mapped direction beside the ground; the ground alone where a model has no direction."""
        if carrier is None:
            return self._ground_alone()
        ours, theirs = self._ours.best, self._theirs.best
        assert ours is not None
        assert theirs is not None
        vector, native = self._carried(carrier, ours), theirs.vector
        reasons: dict[str, str] = {}
        found: tuple[Answer, ...] = ()
        measures: Measures = {}
        if is_zero(vector):
            reasons["mapped"] = ZERO
            if self.setting.use != "ablation":
                unsteered = [a for a in self.known.answers if (a.split, a.condition) == ("test", "unsteered")]
                found = tuple(with_zero_vector(unsteered, 1.0))
        else:
            conditions = self._mapped(vector, theirs)
            found, measures = run_conditions(self.bench, self.setting, conditions, self.draws.validation, "mapped")
        if self.setting.use == "ablation":
            reasons["mapped_own_norm"] = NO_LENGTH
        lengths = norm_of(vector) * norm_of(native)
        fidelity = {
            "vector_cosine": float((vector * native).sum() / lengths) if lengths else None,
            "vector_norm_ratio": norm_of(vector) / norm_of(native),
        }
        return self._scored((*self.known.answers, *found), self.known.measures | measures, reasons, fidelity)

    def on_any_text(self, carrier: FittedMapper, draws: int) -> AnyText:
        """The directions as they are used, and replacement; an ablation is everywhere already."""
        ours, theirs = self._ours.best, self._theirs.best
        assert ours is not None
        assert theirs is not None
        assert self.sites is not None
        native, vector = theirs.vector, self._carried(carrier, ours)
        mapped = [] if is_zero(vector) else [rescaled(vector, norm_of(native))]
        noise = list(random_like(native, self.draws.test, self.seed))[:draws]
        vectors = {"native": [native], "mapped": mapped, "random": noise}
        found = {name: [self.setting.using(name, v, theirs.site) for v in some] for name, some in vectors.items()}
        replaced = {"replacement": [replacement_condition(self.source, self.sites, carrier)]}
        if self.setting.use != "addition_prompt":
            return AnyText(self.target, Prompt, found | replaced, None)
        use = partial(self.setting.everywhere, site=theirs.site)
        stressed = {name: [use(name, v) for v in some] for name, some in vectors.items()}
        return AnyText(self.target, Prompt, found | replaced, stressed | replaced)

    def _ground_alone(self) -> Scored:
        target = self._theirs.best
        why = NO_DIRECTION if target is None else NO_SOURCE_DIRECTION
        missing = ("mapped", "mapped_own_norm") if target else ("native", "random", "mapped", "mapped_own_norm")
        return self._scored(self.known.answers, self.known.measures, dict.fromkeys(missing, why), {})

    def _carried(self, carrier: FittedMapper, best: Candidate) -> Tensor:
        asked = [best.position, asdict(self._ours.contrast)]

        def make() -> tuple[Tensor, Tensor]:
            return contrast_states(self.source, self._ours.contrast, best.site, best.position)

        states = cached_states(self.bench.store, self.source, best.site, asked, make)
        vector = mapped_vector(carrier.carry, states[0], states[1], carrier.rule)[0]
        if not vector.isfinite().all():
            raise FloatingPointError("the mapped direction is not finite")
        return vector

    def _mapped(self, vector: Tensor, native: Candidate) -> list[Condition]:
        setting = self.setting
        equal = setting.using("mapped", rescaled(vector, norm_of(native.vector)), native.site, of_mapper=True)
        own = setting.using("mapped_own_norm", vector, native.site, of_mapper=True)
        return [equal] if setting.use == "ablation" else [equal, own]

    def _scored(
        self,
        found: Sequence[Answer],
        measures: Measures,
        reasons: dict[str, str],
        fidelity: dict[str, float | None],
    ) -> Scored:
        test = scored_everywhere([a for a in found if a.split == "test"])
        kept = [item.id for item in self.setting.test if item.id in test]
        good = still_good(found)
        return Scored(
            summary=summarise(found, self.setting.test, kept, {}),
            baseline="random",
            strength=None if self.setting.use == "ablation" else 1.0,
            n_asked=len(self.setting.test),
            n_validation=min(self._ours.n_validation, self._theirs.n_validation),
            models={"source": self.source.identity, "target": self.target.identity},
            reasons=reasons,
            fidelity=fidelity,
            measures={name: values | {"good_harmless": good.get(name)} for name, values in measures.items()},
            positions=self._positions(),
        )

    def _positions(self) -> tuple[int | None, int | None]:
        ours, theirs = self._ours.best, self._theirs.best
        return (None if ours is None else ours.position, None if theirs is None else theirs.position)

    @cached_property
    def _ours(self) -> Selection:
        return self.setting.selected(self.bench.store, self.source)

    @cached_property
    def _theirs(self) -> Selection:
        return self.setting.selected(self.bench.store, self.target)
