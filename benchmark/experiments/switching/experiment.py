"""A switching experiment as a task hands it to the runner."""

from dataclasses import dataclass
from functools import cached_property

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.conditions import answers, chosen
from graftbench.benchmark.experiments.protocol import AnyText, FitData, Scored, SweepPoint
from graftbench.benchmark.experiments.switching.design import SwitchingDesign
from graftbench.benchmark.experiments.switching.noise import matched_noise, residual_factor
from graftbench.benchmark.experiments.switching.reference import SwitchingReference, ground, validation_answers
from graftbench.benchmark.mappers.protocol import FittedMapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import Position
from graftbench.benchmark.results.answers import Answer, scored_everywhere
from graftbench.benchmark.results.summary import summarise

NO_VECTOR = "no_vector"  # whole activations are carried


@dataclass(frozen=True, eq=False)
class SwitchingExperiment:
    """A setting with the number of draws of noise, and what mappers are fitted on.

    Transfer is measured from `mean_ablated`, which no mapper changes. `matched_noise` stands beside it: with a
    perfect mapper there is no residual, so that it is the direct patch itself and nothing can be measured from it.
    """

    setting: SwitchingDesign
    bench: Bench
    noise_draws: int
    fit: FitData
    seed: int = 0

    @property
    def source(self) -> Model:
        """What the mapper reads."""
        return self.setting.source

    @property
    def target(self) -> Model:
        """The version whose activations are predicted."""
        return self.setting.other

    @property
    def sites(self) -> Sites:
        """The site in each."""
        return self.setting.sites

    @property
    def positions(self) -> tuple[Position, ...]:
        """Every token, and those of the prompt alone."""
        return "all", "prompt"

    @cached_property
    def known(self) -> SwitchingReference:
        """What does not depend on a mapper."""
        return ground(self.bench, self.setting, self.seed)

    def prepare(self) -> tuple[Answer, ...]:
        """Make the ground, and keep it."""
        self.setting.check()
        return self.known.answers

    def sweep(self) -> SweepPoint:
        """The direct patch on validation prompts, beside the mean and the running model as it is."""
        self.setting.check()
        found = validation_answers(self.bench, self.setting)
        return SweepPoint([answer.record() for answer in found], "mean_ablated", "first")

    def score(self, carrier: FittedMapper | None) -> Scored:
        """Run the mapped condition and noise like what it leaves unexplained, beside the ground."""
        assert carrier is not None
        setting, known = self.setting, self.known
        items = chosen(setting.test, known.test)
        factors = [residual_factor(each) for each in (carrier, *carrier.others)]
        noise = matched_noise(setting, factors, self.noise_draws, self.bench.max_new_tokens, self.seed)
        conditions = [setting.mapped(carrier), *noise]
        run = answers(self.bench, setting.running, setting.judging, "test", items, conditions, "mapped, test")
        found = [*known.answers, *run]
        test = scored_everywhere([a for a in found if a.split == "test"])
        kept = [prompt for prompt in known.test if prompt in test]
        return Scored(
            summary=summarise(found, setting.test, kept, known.clean),
            baseline="mean_ablated",
            strength=None,
            n_asked=len(setting.test),
            n_validation=len(known.validation),
            models={
                "source": setting.source.identity,
                "target": setting.other.identity,
                "running": setting.running.identity,
            },
            reasons={"mapped_own_norm": NO_VECTOR, "random": NO_VECTOR},
            fidelity={},
            positions=(setting.positions, setting.positions),
            measures={
                name: {"parameters": each.parameters, "bytes": each.size} for name, each in known.alternatives.items()
            },
            seconds={name: each.seconds for name, each in known.alternatives.items()},
        )

    def on_any_text(self, carrier: FittedMapper, draws: int) -> AnyText:
        """The direct patch, the prediction and noise like what it leaves unexplained, everywhere as they are."""
        setting = self.setting
        factors = [residual_factor(each) for each in (carrier, *carrier.others)]
        noise = matched_noise(setting, factors, draws, self.bench.max_new_tokens, self.seed)
        mapped = setting.mapped(carrier)
        found = {"native": [setting.patched()], "mapped": [mapped], "random": noise}
        return AnyText(setting.running, Prompt, found, None)
