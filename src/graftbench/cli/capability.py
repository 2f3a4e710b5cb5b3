"""The command `graftbench capability`."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import add_model_options, load_model, positive

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.capability.measures import Measures
    from graftbench.benchmark.models.load import Model
    from graftbench.benchmark.results.schema import SideEffect

_PROMPTS, _TEXTS = 48, 64  # harmless prompts, and texts of neutral text
_FIGURES = {
    "kl": "KL from unsteered, nats",
    "perplexity": "perplexity of neutral text",
    "reply_perplexity": "perplexity of replies, untouched",
    "reply_novelty": "novelty of replies",
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("capability", help="what an intervention costs a model: MMLU, SQuAD, perplexity, KL")
    parser.add_argument("target", metavar="TARGET", help="a zoo model, a local folder or a Hub id")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--intervention", type=Path, metavar="FILE", help="a steering vector of `graftbench vector`")
    either.add_argument("--mapper", metavar="MAPPER", help="replace TARGET's activations by what a mapper predicts")
    parser.add_argument("--pair", metavar="SOURCE->TARGET", help="with --mapper: the models, the second of them TARGET")
    parser.add_argument("--sites", metavar="S,T", help="with --mapper: the site in each, such as 2,4")
    parser.add_argument("--fit-on", default="pocket", help="with --mapper, unless it is fitted: pocket, alpaca")
    parser.add_argument(
        "--strength", type=float, metavar="X", help="how many times it is added, whatever its file says"
    )
    parser.add_argument("--tasks", required=True, metavar="NAME,...", help="pocket_mmlu, mmlu, squad, ...")
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N documents of each task or subject")
    parser.add_argument(
        "--chat", action=argparse.BooleanOptionalAction, help="put documents in the chat format, or not"
    )
    parser.add_argument("--perplexity", metavar="CORPUS", help="of neutral text, too: pocket, wikitext, alpaca, pile")
    parser.add_argument(
        "--prompts", action="store_true", help="KL and coherence on harmless prompts of the pocket world"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="a local mirror of data sets (default: GRAFTBENCH_DATA)"
    )
    add_model_options(parser)
    parser.add_argument("--batch-size", type=positive, default=32, help="documents at a time (default 32)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.set_defaults(run=_capability, goes_on=True)


def _capability(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from graftbench.benchmark.capability.side_effects import side_effects
    from graftbench.benchmark.core.store import Store
    from graftbench.benchmark.interventions.model_check import check_once
    from graftbench.benchmark.runs.executors.worker import keep_freed_memory
    from graftbench.benchmark.runs.progress import following

    _prepare(arguments)
    keep_freed_memory()
    measures = _measures(arguments)
    model = load_model(arguments.target, arguments)
    check_once(Store(), model)
    deployments = _deployments(arguments, model)
    console = Console()
    with following(console) as told:
        try:
            effects = side_effects(Store(), model, deployments, measures, told)
        except FloatingPointError as error:
            raise UserError(f"What is done breaks the model: {error}.") from error
    _print(effects, console)
    if arguments.out:
        _write(arguments, model, effects)
        console.print(f"Written to {arguments.out}", highlight=False, soft_wrap=True)
    return 0


def _prepare(arguments: argparse.Namespace) -> None:
    """Point to the local mirror of data sets; UserError where the report cannot be written."""
    import os

    from graftbench.benchmark.data.rows import DATA_VARIABLE

    if arguments.out is not None and arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a folder: name a file with --out.")
    if arguments.data is not None:
        os.environ[DATA_VARIABLE] = str(arguments.data)


def _measures(arguments: argparse.Namespace) -> "Measures":
    """Return the side effects to measure: lm-eval tasks, and harmless prompts and neutral text where asked for."""
    from graftbench.benchmark.capability.lm_eval_tasks import lm_task
    from graftbench.benchmark.capability.measures import Measures, corpus
    from graftbench.benchmark.zoo.corpus import harmless_prompts

    names = [name.strip() for name in arguments.tasks.split(",")]
    tasks = tuple(lm_task(name, arguments.limit, chat=arguments.chat) for name in names)
    return Measures(
        tasks,
        harmless_prompts(_PROMPTS) if arguments.prompts else (),
        tuple(corpus(arguments.perplexity, _TEXTS)) if arguments.perplexity else (),
        batch_size=arguments.batch_size,
    )


def _deployments(arguments: argparse.Namespace, model: "Model") -> "dict[str, Sequence[Deployment]]":
    """Return the unsteered model, and the intervention that the arguments name."""
    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.interventions.conditions import Condition
    from graftbench.benchmark.results.schema import UNSTEERED

    deployments: dict[str, Sequence[Deployment]] = {UNSTEERED: [Deployment(Condition(UNSTEERED))]}
    if arguments.intervention is None and arguments.strength is not None:
        raise UserError("--strength is of a steering vector: name its file with --intervention.")
    if arguments.intervention is not None:
        deployments["intervention"] = [_of_vector(arguments, model)]
    elif arguments.mapper is not None:
        deployments["replacement"] = [_of_mapper(arguments, model)]
    elif arguments.pair or arguments.sites:
        raise UserError("--pair and --sites are for --mapper: name one, or leave them out.")
    return deployments


def _of_vector(arguments: argparse.Namespace, model: "Model") -> "Deployment":
    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.interventions.vector_files import load_vector

    vector = load_vector(arguments.intervention)
    if arguments.strength is not None:
        vector = vector.at_strength(arguments.strength)
    return Deployment(vector.condition(model), identity=vector.identity)


def _of_mapper(arguments: argparse.Namespace, model: "Model") -> "Deployment":
    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.capability.full_replacement import full_replacement

    if not arguments.pair or not arguments.sites:
        raise UserError("--mapper needs --pair SOURCE->TARGET and --sites S,T.")
    replaced = full_replacement(
        arguments.mapper, arguments.pair, arguments.sites, model, arguments.fit_on, arguments.dtype
    )
    return Deployment(replaced)


def _write(arguments: argparse.Namespace, model: "Model", effects: "Mapping[str, SideEffect]") -> None:
    from graftbench.benchmark.core.files import write_text

    conditions = {name: effect.model_dump() for name, effect in effects.items()}
    report = {"target": arguments.target, "identity": model.identity, "conditions": conditions}
    write_text(arguments.out, json.dumps(report, indent=1) + "\n")


def _print(effects: "Mapping[str, SideEffect]", console: "Console") -> None:
    from rich.table import Table

    from graftbench.benchmark.core.tables import print_table
    from graftbench.benchmark.results.schema import UNSTEERED

    unsteered = effects[UNSTEERED]
    table = Table("", *effects, title="compared with unsteered, with 95 % intervals", title_justify="left")
    for task, metrics in unsteered.tasks.items():
        for metric, own in metrics.items():
            scores = [effect.tasks[task][metric] for effect in effects.values()]
            words = [f"{own.value:.3f}"] + [
                f"{s.value:.3f}  {s.difference:+.3f} ({s.low:+.3f} to {s.high:+.3f})" for s in scores[1:]
            ]
            table.add_row(f"{task} {metric}, {own.n} documents", *words)
        if any(effect.cut[task] for effect in effects.values()):
            table.add_row(f"{task}, cut to the context", *(str(effect.cut[task]) for effect in effects.values()))
    for name, label in _FIGURES.items():
        if getattr(unsteered, name) is not None:
            table.add_row(label, *(f"{getattr(effect, name):.4g}" for effect in effects.values()))
    print_table(table, console)
