"""Everything that the author of a mapper, a judge, a dataset or a task imports, each name loaded when it is used.

A mapper is a class like `Mapper`, fitted on `Pairs`; a linear one inherits from `Linear`. A judge is a class like
`Judge`, often a `YesOrNo` or `Graded` one: `Case`s in, `Verdict`s out. A dataset is a function that returns a
`Dataset`, most often a `LineDataset` of `ExampleLine`s, `PairLine`s and `ConversationLine`s. A task inherits from
`BaseTask`: it makes an experiment, such as a `SteeringExperiment`, of each `Order`.
"""

from typing import TYPE_CHECKING

from graftbench.lazy import lazy_names

if TYPE_CHECKING:
    from graftbench.benchmark.activations.pairs import Pairs
    from graftbench.benchmark.core.budget import Budget
    from graftbench.benchmark.core.errors import TooFewPairsError, UserError
    from graftbench.benchmark.data.dataset import About, Behaviour, Contrast, Dataset
    from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Split, TextTrack, Track, Turn
    from graftbench.benchmark.data.line_dataset import Deployed, LineDataset
    from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed
    from graftbench.benchmark.data.rows import PublishedTable, rows_of
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
    from graftbench.benchmark.interventions.rules import VectorRule
    from graftbench.benchmark.mappers.builtin.linear import Linear, Moments, moments_of
    from graftbench.benchmark.mappers.protocol import FittedMapper, Mapper, TrainingRecord
    from graftbench.benchmark.models.handle import ModelHandle
    from graftbench.benchmark.models.load import Model
    from graftbench.judges.protocol import Case, Graded, Judge, Usage, Verdict, YesOrNo
    from graftbench.tasks.base import BaseTask, PromptCounts, Variant
    from graftbench.tasks.judging import SPLITS, Judges, JudgingByMeasures, gone_and_good, outcome_of
    from graftbench.tasks.steering import SteeringSettings, SteeringTask

__all__ = [
    "SPLITS",
    "About",
    "AnyText",
    "BaseTask",
    "Behaviour",
    "Bench",
    "Budget",
    "Case",
    "Contrast",
    "ConversationLine",
    "Conversations",
    "Dataset",
    "Deployed",
    "DirectionDesign",
    "DirectionExperiment",
    "Draws",
    "Example",
    "ExampleLine",
    "Experiment",
    "FitData",
    "FittedMapper",
    "Graded",
    "Judge",
    "Judges",
    "Judging",
    "JudgingByMeasures",
    "Line",
    "LineDataset",
    "Linear",
    "Mapper",
    "Model",
    "ModelHandle",
    "Moments",
    "Order",
    "Outcome",
    "PairLine",
    "Pairs",
    "Placed",
    "Prompt",
    "PromptCounts",
    "PublishedTable",
    "Scored",
    "Split",
    "SteeringDesign",
    "SteeringExperiment",
    "SteeringSettings",
    "SteeringTask",
    "SweepPoint",
    "Task",
    "TextTrack",
    "TooFewPairsError",
    "Track",
    "TrainingRecord",
    "Turn",
    "Usage",
    "UserError",
    "Variant",
    "VectorRule",
    "Verdict",
    "Versions",
    "YesOrNo",
    "gone_and_good",
    "moments_of",
    "outcome_of",
    "rows_of",
]

__getattr__, __dir__ = lazy_names(globals())
