"""The command `graftbench organism train | list`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import add_device, positive

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.data.dataset import Dataset
    from graftbench.benchmark.data.examples import Prompt
    from graftbench.benchmark.models.load import Model
    from graftbench.benchmark.organisms.behaviour import Shown, Shows
    from graftbench.benchmark.organisms.recipe import Recipe

_MMLU = "mmlu_condensed"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    organism = commands.add_parser("organism", help="models with a behaviour that is trained into them")
    verbs = organism.add_subparsers(required=True, metavar="COMMAND")
    listed = verbs.add_parser("list", help="the recipes that ship")
    listed.set_defaults(run=_list)
    train = verbs.add_parser("train", help="fine-tune a model by a recipe, and measure what it does")
    train.add_argument("recipe", metavar="RECIPE", help="one that ships, or a YAML file")
    train.add_argument("--model", required=True, help="an instruct model: a zoo name, a local folder or a Hub id")
    train.add_argument("--revision", help="branch, tag or commit on the Hub")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="where it is written; its name")
    train.add_argument(
        "--data", type=Path, metavar="DIR", help="a local mirror of data sets (default: GRAFTBENCH_DATA)"
    )
    train.add_argument(
        "--at-once", type=positive, default=8, metavar="N", help="conversations in memory at a time (default 8)"
    )
    train.add_argument("--mmlu", action="store_true", help=f"measure the cost on MMLU, too ({_MMLU})")
    add_device(train)
    train.set_defaults(run=_train, goes_on=True)


def _list(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Column, Table

    from graftbench.benchmark.core.tables import print_table
    from graftbench.benchmark.organisms.recipe import read_recipe, shipped_recipes

    table = Table(Column("recipe", no_wrap=True), "behaviour", "trained", "settings")
    for name in shipped_recipes():
        recipe = read_recipe(name)
        trained = "all weights" if recipe.lora is None else f"LoRA of rank {recipe.lora.rank}"
        table.add_row(name, recipe.behaviour, trained, recipe.source)
    print_table(table, Console())
    return 0


def _train(arguments: argparse.Namespace) -> int:
    import os

    from rich.console import Console

    from graftbench.benchmark.data.registry import dataset_named
    from graftbench.benchmark.data.rows import DATA_VARIABLE
    from graftbench.benchmark.organisms.recipe import read_recipe
    from graftbench.benchmark.organisms.train import Training, train
    from graftbench.benchmark.runs.progress import following

    if arguments.data is not None:
        os.environ[DATA_VARIABLE] = str(arguments.data)
    recipe, console = read_recipe(arguments.recipe), Console()
    dataset = dataset_named(recipe.dataset)
    shows = _judge(recipe, dataset)
    training = Training(recipe, dataset, arguments.model, arguments.revision, arguments.device, arguments.at_once)
    effects = _mmlu if arguments.mmlu else _nothing
    with following(console) as told:
        shown = train(training, arguments.out, shows, effects, told)
    _print(shown, console)
    console.print(f"Written to {arguments.out}, with its card", highlight=False, soft_wrap=True)
    return 0


def _judge(recipe: "Recipe", dataset: "Dataset") -> "Shows":
    """Return the judge of the behaviour: the dataset's, or the usual one. UserError where there is none."""
    from graftbench.benchmark.core.plugins import nearest
    from graftbench.judges.protocol import Case
    from graftbench.judges.registry import judge_of
    from graftbench.judges.spec import read_spec
    from graftbench.tasks.base import usual_judge

    if recipe.behaviour not in dataset.behaviours:
        near = nearest(recipe.behaviour, list(dataset.behaviours))
        raise UserError(f"The dataset {dataset.name} has no behaviour {recipe.behaviour!r}.{near}")
    behaviour = dataset.behaviours[recipe.behaviour]
    named = dataset.judges.get(behaviour.shown_by, usual_judge(behaviour.shown_by, [behaviour.kind]))
    if named is None:
        raise UserError(f"Nobody judges {behaviour.shown_by!r} of the dataset {dataset.name}: name a judge in it.")
    judge = judge_of(read_spec(named, f"The judge of {behaviour.shown_by!r}"))
    if not judge.binary:
        raise UserError(
            f"The judge of {behaviour.shown_by!r} of the dataset {dataset.name} scores on a scale, where yes or no is "
            "wanted: say with `at_least` what counts as yes."
        )

    def shows(prompts: "Sequence[Prompt]", replies: Sequence[str]) -> list[bool | None]:
        cases = [Case(prompt.text, reply) for prompt, reply in zip(prompts, replies, strict=True)]
        return [None if verdict.score is None else verdict.score > 0 for verdict in judge(cases)]

    return shows


def _nothing(_: "Model") -> dict[str, float]:
    return {}


def _mmlu(model: "Model") -> dict[str, float]:
    """Return a model's accuracy on MMLU."""
    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.capability.lm_eval_tasks import lm_task
    from graftbench.benchmark.capability.measures import Measures
    from graftbench.benchmark.capability.side_effects import side_effects
    from graftbench.benchmark.core.store import Store
    from graftbench.benchmark.interventions.conditions import Condition
    from graftbench.benchmark.results.schema import UNSTEERED

    deployed = {UNSTEERED: [Deployment(Condition(UNSTEERED))]}
    effect = side_effects(Store(), model, deployed, Measures((lm_task(_MMLU),)))[UNSTEERED]
    return {f"{task} {metric}": own.value for task, of in effect.tasks.items() for metric, own in of.items()}


def _print(shown: "Shown", console: "Console") -> None:
    from rich.table import Table

    from graftbench.benchmark.core.tables import print_table

    table = Table("prompts", "show the behaviour", "empty", "not judged")
    for kind, share in shown.shares.items():
        low, high = share.interval
        table.add_row(
            kind,
            f"{share.hits}/{share.n}: {share.rate:.3f} ({low:.3f} to {high:.3f})",
            str(share.empty),
            str(share.unscored),
        )
    print_table(table, console)
