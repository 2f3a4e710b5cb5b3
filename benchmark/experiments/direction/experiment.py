"""The direction experiment of one cell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial

from torch import Tensor

from graftbench.benchmark.activations.cached import cached_states
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.base import ExperimentBase
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import MAPPED_SHUFFLED, ZERO_VECTOR, Draws, with_zero_vector
from graftbench.benchmark.experiments.direction.design import DirectionDesign
from graftbench.benchmark.experiments.direction.reference import (
    DirectionReference,
    Measures,
    cached_reference,
    harmless_still_good,
    run_with_measures,
    sweep_answers,
)
from graftbench.benchmark.experiments.protocol import AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.replacement import replacement_condition
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.directions import Candidate, Selection, contrast_states
from graftbench.benchmark.interventions.vectors import is_zero, mapped_vector, norm_of, random_like, rescaled
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.rows import Answer, scored_everywhere
from graftbench.benchmark.results.summary import summarise

NO_DIRECTION = "no_direction"  # no candidate of the target meets the published conditions
NO_SOURCE_DIRECTION = "no_direction_in_source"
NO_LENGTH = "ablation_has_no_length"


@dataclass(frozen=True, eq=False)
class DirectionExperiment(ExperimentBase[DirectionDesign, DirectionReference]):
    """A design with its random draws, and the texts that mappers are fitted on.

    In a sweep, `site` or `position` limits the candidates that are tried.
    """

    design: DirectionDesign
    bench: Bench
    draws: Draws
    fit_data: FitData
    site: int | None = None
    position: int | None = None
    seed: int = 0

    @property
    def sites(self) -> Sites | None:
        """Sites of the selected directions in source and target; None unless both models have a direction."""
        source, target = self._source_selection.best, self._target_selection.best
        return None if source is None or target is None else (source.site, target.site)

    @property
    def positions(self) -> tuple[Position, ...]:
        """Token positions after the prompt at which candidate directions were read, counted from the right."""
        return tuple(sorted({candidate.position for candidate in self._target_selection.candidates}))

    def reference(self) -> tuple[Answer, ...]:
        """Run and cache all conditions that do not involve the mapper, and select the source's direction."""
        self.design.selection(self.bench.store, self.source)
        return super().reference()

    def _make_reference(self) -> DirectionReference:
        return cached_reference(self.bench, self.design, self._target_selection, self.draws, self.seed)

    def sweep(self) -> SweepPoint:
        """Run the best candidate at the swept site or position on validation prompts.

        It need not meet the published conditions for a direction.
        """
        candidates = [
            candidate
            for candidate in self._target_selection.candidates
            if self.site in (None, candidate.site) and self.position in (None, candidate.position)
        ]
        answers = sweep_answers(self.bench, self.design, candidates, self.draws, self.seed)
        best = self._target_selection.best
        own = None if best is None else best.site if self.position is None else best.position
        return SweepPoint([answer.record() for answer in answers], "random", "own", own)

    def score(self, mapper: FittedMapper | None) -> Scored:
        """Run the mapped direction, and return the result of the cell.

        The mapper is None where source or target has no direction: then the reference is scored alone.
        """
        if mapper is None:
            return self._without_direction()
        source, target = self._directions()
        vector, native = self._mapped_direction(mapper, source), target.vector
        reasons: dict[str, str] = {}
        answers: tuple[Answer, ...] = ()
        measures: Measures = {}
        if is_zero(vector):
            reasons["mapped"] = ZERO_VECTOR
            if self.design.use != "ablation":
                unsteered = [a for a in self.reference_data.answers if (a.split, a.condition) == ("test", "unsteered")]
                answers = tuple(with_zero_vector(unsteered, 1.0))
        else:
            conditions = [*self._mapped_conditions(vector, target), *self._of_refit(mapper, source, target)]
            answers, measures = run_with_measures(self.bench, self.design, conditions, self.draws.validation, "mapped")
        if self.design.use == "ablation":
            reasons["mapped_own_norm"] = NO_LENGTH
        norms = norm_of(vector) * norm_of(native)
        fidelity = {
            "vector_cosine": float((vector * native).sum() / norms) if norms else None,
            "vector_norm_ratio": norm_of(vector) / norm_of(native),
        }
        reference = self.reference_data
        return self._scored((*reference.answers, *answers), reference.measures | measures, reasons, fidelity)

    def on_any_text(self, mapper: FittedMapper | None, draws: int) -> AnyText:
        """Return native, mapped and random directions, and full replacement, as conditions on any text.

        There is no stressed setting where a direction acts at all positions already: where it is ablated, or added to
        generated tokens too.
        """
        source, target = self._directions()
        native = target.vector
        vectors, replaced = {"native": [native]}, {}
        if mapper is not None:
            vector = self._mapped_direction(mapper, source)
            vectors["mapped"] = [] if is_zero(vector) else [rescaled(vector, norm_of(native))]
            replaced["replacement"] = [replacement_condition(self.source, (source.site, target.site), mapper)]
        vectors["random"] = list(random_like(native, self.draws.test, self.seed))[:draws]
        deployed = {name: [self.design.using(name, v, target.site) for v in some] for name, some in vectors.items()}
        if self.design.use != "addition_prompt":
            return AnyText(self.target, Prompt, deployed | replaced, None)
        use = partial(self.design.everywhere, site=target.site)
        stressed = {name: [use(name, v) for v in some] for name, some in vectors.items()}
        return AnyText(self.target, Prompt, deployed | replaced, stressed | replaced)

    def _directions(self) -> tuple[Candidate, Candidate]:
        """Return the selected directions of source and target; both have to have one."""
        source, target = self._source_selection.best, self._target_selection.best
        assert source is not None
        assert target is not None
        return source, target

    def _without_direction(self) -> Scored:
        """Return the result where the target or the source has no direction, so that nothing can be mapped."""
        target = self._target_selection.best
        why = NO_DIRECTION if target is None else NO_SOURCE_DIRECTION
        missing = ("mapped", "mapped_own_norm") if target else ("native", "random", "mapped", "mapped_own_norm")
        return self._scored(self.reference_data.answers, self.reference_data.measures, dict.fromkeys(missing, why), {})

    def _mapped_direction(self, mapper: FittedMapper, best: Candidate) -> Tensor:
        """Return the source's direction mapped to the target [d]. FloatingPointError where it is not finite."""
        contrast = self._source_selection.contrast
        asked = [best.position, asdict(contrast)]

        def make() -> tuple[Tensor, Tensor]:
            with self.source.loaded() as source:
                return contrast_states(source, contrast, best.site, best.position)

        states = cached_states(self.bench.store, self.source, best.site, asked, make)
        vector = mapped_vector(mapper.carry, states[0], states[1], mapper.rule)[0]
        if not vector.isfinite().all():
            raise FloatingPointError("the mapped direction is not finite")
        return vector

    def _mapped_conditions(self, vector: Tensor, native: Candidate) -> list[Condition]:
        design = self.design
        equal = design.using("mapped", rescaled(vector, norm_of(native.vector)), native.site, of_mapper=True)
        own = design.using("mapped_own_norm", vector, native.site, of_mapper=True)
        return [equal] if design.use == "ablation" else [equal, own]

    def _of_refit(self, mapper: FittedMapper, source: Candidate, native: Candidate) -> list[Condition]:
        """Return the condition of the mapper that was fitted on shuffled pairs; none where it has no direction."""
        if mapper.shuffled is None:
            return []
        try:
            vector = self._mapped_direction(mapper.shuffled, source)
        except FloatingPointError:
            return []
        if is_zero(vector):
            return []
        equal = rescaled(vector, norm_of(native.vector))
        return [self.design.using(MAPPED_SHUFFLED, equal, native.site, of_mapper=True)]

    def _scored(
        self,
        answers: Sequence[Answer],
        measures: Measures,
        reasons: dict[str, str],
        fidelity: dict[str, float | None],
    ) -> Scored:
        test = scored_everywhere([a for a in answers if a.split == "test"])
        scored = [item.id for item in self.design.test if item.id in test]
        good = harmless_still_good(answers)
        return Scored(
            summary=summarise(answers, self.design.test, scored, {}),
            baseline=self.baseline,
            strength=None if self.design.use == "ablation" else 1.0,
            n_asked=len(self.design.test),
            n_validation=min(self._source_selection.n_validation, self._target_selection.n_validation),
            models={"source": self.source.identity, "target": self.target.identity},
            reasons=reasons,
            fidelity=fidelity,
            measures={name: values | {"good_harmless": good.get(name)} for name, values in measures.items()},
            positions=self._read_positions(),
        )

    def _read_positions(self) -> tuple[int | None, int | None]:
        source, target = self._source_selection.best, self._target_selection.best
        return (None if source is None else source.position, None if target is None else target.position)

    @cached_property
    def _source_selection(self) -> Selection:
        return self.design.selection(self.bench.store, self.source)

    @cached_property
    def _target_selection(self) -> Selection:
        return self.design.selection(self.bench.store, self.target)
