"""The command lines of `graftbench capability` and `graftbench vector`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.options import positive
from graftbench.cli.vector import _vector

if TYPE_CHECKING:
    from rich.console import Console

    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.models.load import Model
    from graftbench.benchmark.results.schema import SideEffect


_PROMPTS, _TEXTS = 48, 64


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    what = commands.add_parser("capability", help="what an intervention costs a model: MMLU, SQuAD, perplexity, KL")
    what.add_argument("target", metavar="TARGET", help="a zoo model, a local folder or a Hub id")
    done = what.add_mutually_exclusive_group()
    done.add_argument("--intervention", type=Path, metavar="FILE", help="a steering vector of `graftbench vector`")
    done.add_argument("--mapper", metavar="MAPPER", help="replace TARGET's activations by what a mapper predicts")
    what.add_argument("--pair", metavar="SOURCE->TARGET", help="with --mapper: the models, the second of them TARGET")
    what.add_argument("--sites", metavar="S,T", help="with --mapper: the site in each, such as 2,4")
    what.add_argument("--fit-on", default="pocket", help="with --mapper, unless it is fitted: pocket, alpaca")
    what.add_argument("--strength", type=float, metavar="X", help="how many times it is added, whatever its file says")
    what.add_argument("--tasks", required=True, metavar="NAME,...", help="pocket_mmlu, mmlu, squad, ...")
    what.add_argument("--limit", type=positive, metavar="N", help="the first N documents of each task or subject")
    what.add_argument("--chat", action=argparse.BooleanOptionalAction, help="put documents in the chat format, or not")
    what.add_argument("--perplexity", metavar="CORPUS", help="of neutral text, too: pocket, wikitext, alpaca, pile")
    what.add_argument("--prompts", action="store_true", help="KL and coherence on harmless prompts of the pocket world")
    what.add_argument("--data", type=Path, metavar="DIR", help="a local mirror of data sets (default: GRAFTBENCH_DATA)")
    what.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    what.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default auto)")
    what.add_argument("--batch-size", type=positive, default=32, help="documents at a time (default 32)")
    what.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    what.set_defaults(run=_capability)
    vector = commands.add_parser("vector", help="write a steering vector from contrastive prompts")
    vector.add_argument("model", metavar="MODEL", help="a zoo model, a local folder or a Hub id")
    vector.add_argument("prompts", type=Path, metavar="FILE", help='JSON lines: {"desired": "...", "undesired": "..."}')
    vector.add_argument("--site", type=int, required=True, help="the block at whose input it is read and used")
    vector.add_argument("--read-at", default="last", help="last, or an index from the right such as -2 (default last)")
    vector.add_argument("--positions", default="all", help="where it is used: all, prompt, last, -2, ... (default all)")
    vector.add_argument("--strength", type=float, default=1.0, help="how many times it is added (default 1)")
    vector.add_argument("--ablate", action="store_true", help="a direction to be ablated, and not a vector to be added")
    vector.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default auto)")
    vector.add_argument("--out", type=Path, required=True, metavar="FILE", help="the safetensors file")
    vector.set_defaults(run=_vector)


def _capability(arguments: argparse.Namespace) -> int:
    import os

    from rich.console import Console

    from graftbench.benchmark.capability.corpora import corpus
    from graftbench.benchmark.capability.deployment import Deployment
    from graftbench.benchmark.capability.lm_eval_tasks import lm_task
    from graftbench.benchmark.capability.side_effects import Measures, side_effects
    from graftbench.benchmark.core.files import write_text
    from graftbench.benchmark.core.store import Store
    from graftbench.benchmark.data.rows import VARIABLE
    from graftbench.benchmark.interventions.conditions import Condition
    from graftbench.benchmark.models.load import load
    from graftbench.benchmark.results.schema import UNSTEERED
    from graftbench.benchmark.runs.executors.worker import keep_freed_memory
    from graftbench.benchmark.zoo.texts import harmless_prompts

    if arguments.out is not None and arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a folder: name a file with --out.")
    if arguments.data is not None:
        os.environ[VARIABLE] = str(arguments.data)
    keep_freed_memory()
    names = [name.strip() for name in arguments.tasks.split(",")]
    tasks = tuple(lm_task(name, arguments.limit, chat=arguments.chat) for name in names)
    model = load(arguments.target, dtype=arguments.dtype, device=arguments.device)
    measures = Measures(
        tasks,
        harmless_prompts(_PROMPTS) if arguments.prompts else (),
        tuple(corpus(arguments.perplexity, _TEXTS)) if arguments.perplexity else (),
        batch_size=arguments.batch_size,
    )
    doings = {UNSTEERED: [Deployment(Condition(UNSTEERED))], **_done(arguments, model)}
    console = Console()
    with console.status("") as status:
        try:
            found = side_effects(Store(), model, doings, measures, lambda name: status.update(name))
        except FloatingPointError as error:
            raise UserError(f"What is done breaks the model: {error}.") from error
    _print(found, console)
    if arguments.out:
        about = {"target": arguments.target, "identity": model.identity}
        figures = {name: one.model_dump() for name, one in found.items()}
        write_text(arguments.out, json.dumps({**about, "conditions": figures}, indent=1) + "\n")
        console.print(f"Written to {arguments.out}", highlight=False, soft_wrap=True)
    return 0


def _done(arguments: argparse.Namespace, model: "Model") -> "dict[str, list[Deployment]]":
    """What is done beside nothing."""
    from graftbench.benchmark.capability.deployment import Deployment

    if arguments.intervention is not None:
        from graftbench.benchmark.interventions.vector_files import load_vector

        vector = load_vector(arguments.intervention)
        if arguments.strength is not None:
            vector = vector.at_strength(arguments.strength)
        return {"intervention": [Deployment(vector.condition(model), identity=vector.identity)]}
    if arguments.strength is not None:
        raise UserError("--strength is of a steering vector: name its file with --intervention.")
    if arguments.mapper is None:
        if arguments.pair or arguments.sites:
            raise UserError("--pair and --sites are for --mapper: name one, or leave them out.")
        return {}
    if not arguments.pair or not arguments.sites:
        raise UserError("--mapper needs --pair SOURCE->TARGET and --sites S,T.")
    from graftbench.benchmark.capability.replacement import replacement

    return {
        "replacement": [
            Deployment(replacement(arguments.mapper, arguments.pair, arguments.sites, model, arguments.fit_on))
        ]
    }


def _print(found: "dict[str, SideEffect]", console: "Console") -> None:
    from rich.table import Table

    from graftbench.benchmark.results.schema import UNSTEERED

    untouched = found[UNSTEERED]
    table = Table("", *found, title="beside unsteered, with 95 % intervals", title_justify="left")
    for task, metrics in untouched.tasks.items():
        for metric, own in metrics.items():
            cells = [one.tasks[task][metric] for one in found.values()]
            words = [f"{own.value:.3f}"] + [
                f"{c.value:.3f}  {c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f})" for c in cells[1:]
            ]
            table.add_row(f"{task} {metric}, {own.n} documents", *words)
        if any(one.cut[task] for one in found.values()):
            table.add_row(f"{task}, cut to the context", *(str(one.cut[task]) for one in found.values()))
    for name, called in _FIGURES.items():
        if getattr(untouched, name) is not None:
            table.add_row(called, *(f"{getattr(one, name):.4g}" for one in found.values()))
    console.print(table)


_FIGURES = {
    "kl": "KL from unsteered, nats",
    "perplexity": "perplexity of neutral text",
    "reply_perplexity": "perplexity of replies, untouched",
    "reply_novelty": "novelty of replies",
}
