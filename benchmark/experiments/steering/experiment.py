"""A steering experiment as a task hands it to the runner."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from torch import Tensor

from graftbench.benchmark.activations.cached import cached_states
from graftbench.benchmark.activations.positions import states_at
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import Draws
from graftbench.benchmark.experiments.protocol import OWN, AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.replacement import replacement_condition
from graftbench.benchmark.experiments.steering.design import SteeringDesign
from graftbench.benchmark.experiments.steering.mapped import carried, graft
from graftbench.benchmark.experiments.steering.reference import (
    SteeringReference,
    ground,
    kept_contrast,
    validation_sweep,
)
from graftbench.benchmark.interventions.vectors import Map, is_zero, match_norms, means_over_positions, random_like
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.metrics.fidelity import Fidelity, fidelity
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.answers import Answer, scored_everywhere
from graftbench.benchmark.results.summary import summarise

LAST = 6  # tokens at the end of a prompt that are tried one by one


@dataclass(frozen=True, eq=False)
class SteeringExperiment:
    """A setting with its strengths and draws, and what mappers are fitted on."""

    setting: SteeringDesign
    bench: Bench
    strengths: tuple[float, ...]
    draws: Draws
    fit: FitData
    seed: int = 0

    @property
    def source(self) -> Model:
        """Where the vector comes from."""
        return self.setting.source

    @property
    def target(self) -> Model:
        """Where it must work."""
        return self.setting.target

    @property
    def sites(self) -> tuple[int, int]:
        """The site in each."""
        return self.setting.sites

    @property
    def positions(self) -> tuple[Position, ...]:
        """Its own, every token of the prompt, and each of the last ones by itself."""
        own = OWN if self.setting.added_at or self.setting.spoken else self.setting.positions
        return tuple(dict.fromkeys((own, "prompt", *range(-LAST, 0))))

    @cached_property
    def known(self) -> SteeringReference:
        """What does not depend on a mapper."""
        return ground(self.bench, self.setting, self.strengths, self.draws, self.seed)

    def prepare(self) -> tuple[Answer, ...]:
        """Make the ground, and keep it."""
        self.setting.check()
        return self.known.answers

    def sweep(self) -> SweepPoint:
        """The native vector of the target on validation prompts, at every strength, beside random ones."""
        self.setting.check()
        found = validation_sweep(self.bench, self.setting, self.strengths, self.draws, self.seed)
        return SweepPoint([answer.record() for answer in found], "random", "last")

    def score(self, carrier: FittedMapper | None) -> Scored:
        """Run the mapped conditions beside the ground."""
        assert carrier is not None
        known = self.known
        native, mapped = self._vectors(carrier)
        grafted = graft(self.bench, self.setting, known, native, mapped)
        found = [*known.answers, *grafted.answers]
        test = scored_everywhere([a for a in found if a.split == "test"])
        kept = [prompt for prompt in known.test if prompt in test]
        reasons = {"random_contrast": known.contrast_reason} if known.contrast_reason else {}
        if grafted.reason:
            reasons |= {"mapped": grafted.reason, "mapped_best": grafted.reason}
        at_trigger = self._at_positions(carrier.carry, kept)
        return Scored(
            strength=known.strength,
            n_asked=known.n_asked,
            n_validation=len(known.validation),
            models={"source": self.source.identity, "target": self.target.identity},
            summary=summarise(found, self.setting.test, kept, known.clean),
            baseline="random",
            reasons=reasons,
            positions=(self.setting.positions, self.setting.positions),
            fidelity={
                "vector_cosine": grafted.cosine,
                "vector_norm_ratio": grafted.norm_ratio,
                "best_strength": grafted.best_strength,
                "positions_cosine": at_trigger.cosine,
                "positions_fvu": at_trigger.fvu,
            },
        )

    def on_any_text(self, carrier: FittedMapper, draws: int) -> AnyText:
        """Native, mapped and random vectors, where the suite's prompts have them and everywhere, and replacement."""
        native, mapped = self._vectors(carrier)
        native, equal = self.known.strength * native, self.known.strength * match_norms(mapped, native)
        noise = list(random_like(native, self.draws.test, seed=self.seed))[:draws]
        vectors = {"native": [native], "mapped": [] if is_zero(equal) else [equal], "random": noise}
        replaced = {"replacement": [replacement_condition(self.source, self.sites, carrier)]}
        setting = self.setting
        deployed = {name: [setting.adding(name, v) for v in some] for name, some in vectors.items()}
        stressed = {
            name: [setting.everywhere(name, v) for v in means_over_positions(some, native)]
            for name, some in vectors.items()
        }
        at_all = setting.added_at is not None
        return AnyText(self.target, setting.words, deployed | replaced, None if at_all else stressed | replaced)

    def _vectors(self, carrier: FittedMapper) -> tuple[Tensor, Tensor]:
        """The target's own vector, and the source's carried across."""
        source, theirs = (
            kept_contrast(self.bench.store, model, self.setting, site)
            for model, site in zip((self.source, self.target), self.sites, strict=True)
        )
        return theirs.vector, carried(carrier, self.setting, source, len(theirs.vector))

    def _at_positions(self, mapper: Map, ids: Sequence[str]) -> Fidelity:
        """How well the mapper predicts the target's states at the steered positions of the test prompts."""
        kept = [i for i, item in enumerate(self.setting.test) if item.id in set(ids)]
        places = ((-1,), (-1,)) if self.setting.spoken else self.setting.places
        ours, theirs = (
            self._states(model, site)[kept][:, list(where)]
            for model, site, where in zip((self.source, self.target), self.sites, places, strict=True)
        )
        return fidelity([(mapper(ours.flatten(0, 1).float()).double(), theirs.flatten(0, 1))])

    def _states(self, model: Model, site: int) -> Tensor:
        """The states of a model at the steered positions of all test prompts."""
        prompts, positions = [item.prompt for item in self.setting.test], self.setting.positions

        def make() -> list[Tensor]:
            return [states_at(model, [chat(p, model.tokenizer) for p in prompts], site, positions)]

        return cached_states(self.bench.store, model, site, [positions, [asdict(p) for p in prompts]], make)[0]
