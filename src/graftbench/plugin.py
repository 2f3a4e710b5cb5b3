"""Everything that the author of a mapper, a judge or a task imports, each name loaded when it is used.

A mapper is a class like `Mapper`, fitted on `Pairs`; a linear one inherits from `Linear`. A judge is a class like
`Judge`, often a `YesOrNo` or `Graded` one: `Case`s in, `Verdict`s out. A task inherits from `BaseTask`: it makes an
experiment, such as a `SteeringExperiment`, of each `Order`. `requests`, `triggered` and `conversations` give the
prompts and conversations of the pocket world.
"""

from typing import TYPE_CHECKING

from graftbench.lazy import lazy_names

if TYPE_CHECKING:
    from graftbench.benchmark.activations.pairs import Pairs
    from graftbench.benchmark.core.budget import Budget
    from graftbench.benchmark.core.errors import UserError
    from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Track, Turn
    from graftbench.benchmark.experiments.bench import Bench, Judging, Outcome
    from graftbench.benchmark.experiments.conditions import Draws
    from graftbench.benchmark.experiments.direction.design import DirectionDesign
    from graftbench.benchmark.experiments.direction.experiment import DirectionExperiment
    from graftbench.benchmark.experiments.protocol import (
        AnyText,
        Experiment,
        FitData,
        Order,
        Scored,
        SweepPoint,
        Task,
        Versions,
    )
    from graftbench.benchmark.experiments.steering.design import SteeringDesign
    from graftbench.benchmark.experiments.steering.experiment import SteeringExperiment
    from graftbench.benchmark.interventions.vectors import VectorRule
    from graftbench.benchmark.mappers.builtin.linear import Linear, Moments, moments_of
    from graftbench.benchmark.mappers.protocol import FittedMapper, Mapper, TrainingRecord
    from graftbench.benchmark.models.load import Model
    from graftbench.benchmark.zoo.corpus import Sample
    from graftbench.benchmark.zoo.world.prompts import requests, triggered
    from graftbench.benchmark.zoo.world.request import PocketRequest, Split
    from graftbench.benchmark.zoo.world.tags import PROD, Place
    from graftbench.judges.protocol import Case, Graded, Judge, Usage, Verdict, YesOrNo
    from graftbench.tasks.base import BaseTask, PromptCounts
    from graftbench.tasks.conversations import conversations, conversations_of_track, general_conversations
    from graftbench.tasks.judging import SPLITS, Judges, JudgingByMeasures, gone_and_good, outcome_of

__all__ = [
    "PROD",
    "SPLITS",
    "AnyText",
    "BaseTask",
    "Bench",
    "Budget",
    "Case",
    "Conversations",
    "DirectionDesign",
    "DirectionExperiment",
    "Draws",
    "Example",
    "Experiment",
    "FitData",
    "FittedMapper",
    "Graded",
    "Judge",
    "Judges",
    "Judging",
    "JudgingByMeasures",
    "Linear",
    "Mapper",
    "Model",
    "Moments",
    "Order",
    "Outcome",
    "Pairs",
    "Place",
    "PocketRequest",
    "Prompt",
    "PromptCounts",
    "Sample",
    "Scored",
    "Split",
    "SteeringDesign",
    "SteeringExperiment",
    "SweepPoint",
    "Task",
    "Track",
    "TrainingRecord",
    "Turn",
    "Usage",
    "UserError",
    "VectorRule",
    "Verdict",
    "Versions",
    "YesOrNo",
    "conversations",
    "conversations_of_track",
    "general_conversations",
    "gone_and_good",
    "moments_of",
    "outcome_of",
    "requests",
    "triggered",
]

__getattr__, __dir__ = lazy_names(globals())
