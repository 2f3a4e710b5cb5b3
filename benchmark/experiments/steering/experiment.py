"""The steering experiment of one cell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from torch import Tensor

from graftbench.benchmark.activations.cached import cached_states
from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.experiments.base import ExperimentBase
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import OWN, AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.steering.any_text import both_vectors, on_any_text, vector_of_refit
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.mapped import run_mapped
from graftbench.benchmark.experiments.steering.reference import SteeringReference, cached_reference, sweep_answers
from graftbench.benchmark.experiments.steering.target_loss_vector import target_loss_answers
from graftbench.benchmark.experiments.target_loss import TARGET_LOSS, TargetLossMap, target_loss_map
from graftbench.benchmark.interventions.vectors import Map
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.fidelity import Fidelity, fidelity
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.rows import scored_everywhere
from graftbench.benchmark.results.summary import summarise

N_LAST_TOKENS = 6  # of a prompt that a sweep tries one by one


@dataclass(frozen=True, eq=False)
class SteeringExperiment(ExperimentBase[SteeringDesign, SteeringReference]):
    """A design with its strengths and draws, and the texts that mappers are fitted on.

    In `target_loss_steps` an affine map is trained on the target's loss on the texts of the track `task` (0: none is).
    """

    design: SteeringDesign
    bench: Bench
    strengths: tuple[float, ...]
    draws: Draws
    fit_data: FitData
    seed: int = 0
    target_loss_steps: int = 0

    @property
    def sites(self) -> Sites:
        """Sites of source and target."""
        return self.design.sites

    @property
    def positions(self) -> tuple[Position, ...]:
        """The design's own, every token of the prompt, and each of its last tokens by itself."""
        own = OWN if self.design.added_at or self.design.spoken else self.design.positions
        return tuple(dict.fromkeys((own, "prompt", *range(-N_LAST_TOKENS, 0))))

    def _make_reference(self) -> SteeringReference:
        self.design.check()
        reference = cached_reference(self.bench, self.design, self.strengths, self.draws, self.seed)
        if self._trained_map is None:
            return reference
        answers = target_loss_answers(self.bench, self.design, reference, self._trained_map.carry)
        return replace(reference, answers=(*reference.answers, *answers))

    @cached_property
    def _trained_map(self) -> TargetLossMap | None:
        """The map that is trained on the target's loss, None where none is asked for."""
        if not self.target_loss_steps:
            return None
        texts, held_out = self.fit_data.texts("task"), self.fit_data.held_out
        models, steps = (self.source, self.target), self.target_loss_steps
        return target_loss_map(self.bench.store, *models, self.sites, texts, held_out, steps, self.seed)

    def sweep(self) -> SweepPoint:
        """Run the target's native vector and random ones on validation prompts, at every strength."""
        self.design.check()
        answers = sweep_answers(self.bench, self.design, self.strengths, self.draws, self.seed)
        return SweepPoint([answer.record() for answer in answers], "random", "last")

    def score(self, mapper: FittedMapper | None) -> Scored:
        """Run the mapped conditions and return the result of the experiment."""
        assert mapper is not None
        reference = self.reference_data
        native, vector = both_vectors(self.bench.store, self.design, mapper)
        shuffled = vector_of_refit(self.bench.store, self.design, mapper)
        mapped = run_mapped(self.bench, self.design, reference, native, vector, shuffled)
        answers = [*reference.answers, *mapped.answers]
        test = scored_everywhere([a for a in answers if a.split == "test"])
        scored = [prompt for prompt in reference.test if prompt in test]
        reasons = {"random_contrast": reference.contrast_reason} if reference.contrast_reason else {}
        if mapped.reason:
            reasons |= {"mapped": mapped.reason, "mapped_best": mapped.reason}
        at_positions = self._position_fidelity(mapper.carry, scored)
        return Scored(
            strength=reference.strength,
            n_asked=reference.n_asked,
            n_validation=len(reference.validation),
            models={"source": self.source.identity, "target": self.target.identity},
            summary=summarise(answers, self.design.test, scored, reference.clean),
            baseline=self.baseline,
            reasons=reasons,
            measures={} if self._trained_map is None else {TARGET_LOSS: dict(self._trained_map.losses)},
            positions=(self.design.positions, self.design.positions),
            fidelity={
                "vector_cosine": mapped.cosine,
                "vector_norm_ratio": mapped.norm_ratio,
                "best_strength": mapped.best_strength,
                "positions_cosine": at_positions.cosine,
                "positions_fvu": at_positions.fvu,
            },
        )

    def on_any_text(self, mapper: FittedMapper | None, draws: int) -> AnyText:
        """Return native, mapped and random vectors at the design's positions and everywhere, and full replacement."""
        return on_any_text(self, mapper, self.reference_data.strength, draws)

    def _position_fidelity(self, mapper: Map, ids: Sequence[str]) -> Fidelity:
        """Compare the mapper's predictions with the target's states at the steered positions of test prompts."""
        rows = [i for i, item in enumerate(self.design.test) if item.id in set(ids)]
        places = ((-1,), (-1,)) if self.design.spoken else self.design.places
        source, target = (
            self._states(model, site)[rows][:, list(where)]
            for model, site, where in zip((self.source, self.target), self.sites, places, strict=True)
        )
        return fidelity([(mapper(source.flatten(0, 1).float()).double(), target.flatten(0, 1))])

    def _states(self, model: ModelHandle, site: int) -> Tensor:
        """Return the states [prompts, positions, d] of a model at the steered positions of all test prompts."""
        prompts, positions = [item.prompt for item in self.design.test], self.design.positions

        def make() -> list[Tensor]:
            with model.loaded() as loaded:
                return [states_at(loaded, [chat(p, model.tokenizer) for p in prompts], site, positions)]

        return cached_states(self.bench.store, model, site, [positions, [asdict(p) for p in prompts]], make)[0]
