"""Arguments that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import is_file
from graftbench.benchmark.runs.executors.protocol import EXECUTORS

if TYPE_CHECKING:
    from graftbench.benchmark.models.load import Model
    from graftbench.benchmark.runs.context import BatchSize
    from graftbench.benchmark.runs.executors.choose import Where

_JUDGE = ("judge", "model", "base_url", "at_least", "deadline")
_JUDGE_OR_NONE = ("temperature", "max_tokens")  # None is a value of theirs
T = TypeVar("T")


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def not_negative(text: str) -> int:
    """Parse a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not 0 or a positive whole number")
    return int(text)


def batch_size(text: str) -> "BatchSize":
    """Parse a number of rows, or `auto`."""
    return "auto" if text == "auto" else positive(text)


def above_0(text: str) -> float:
    """Parse an amount of money, or of seconds, above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount above 0")
    return number


def _or_none(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a parser that reads `none` as None."""

    def parsed(text: str) -> T | None:
        return None if text == "none" else parse(text)

    return parsed


def _temperature(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no temperature: 0 or a positive number, or none")
    return number


def add_mapper(parser: argparse.ArgumentParser) -> None:
    """Add the mapper and its options."""
    parser.add_argument("mapper", metavar="MAPPER", help="a name, or path/to/file.py:Class")
    add_mapper_options(parser)


def add_mapper_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a mapper."""
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the mapper")


def add_isolation(parser: argparse.ArgumentParser) -> None:
    """Add whether the mapper's code is kept apart; `isolate` is True unless it is given."""
    told = "run a mapper of your own in graftbench's process, as for a debugger; an entry says so"
    parser.add_argument("--no-isolation", dest="isolate", action="store_false", help=told)


def add_suite(parser: argparse.ArgumentParser) -> None:
    """Add the suite, the cells to select from it, and how to run them."""
    parser.add_argument("--suite", default="pocket", help="a suite that ships, or a YAML file (default pocket)")
    parser.add_argument("--task", action="append", default=[], help="run this task alone (may be repeated)")
    parser.add_argument("--pair", action="append", default=[], help="run this pair alone (may be repeated)")
    parser.add_argument("--variant", action="append", default=[], help="run this variant alone (may be repeated)")
    parser.add_argument("--track", action="append", default=[], help="run this fit track alone (may be repeated)")
    add_batch_size(parser, 256)
    add_device(parser)
    add_executor(parser)


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Add where jobs run, and how many at a time."""
    parser.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="where cells run: in this process, in workers of this machine (default), or on the nodes of a Ray cluster",
    )
    parser.add_argument("--address", help="of the Ray cluster: auto, or HOST:PORT (default: Ray on this machine alone)")
    parser.add_argument(
        "--workers",
        type=positive,
        help="cells at a time, on a CPU (default 2; on a cluster as many as it has room for)",
    )


def where_of(arguments: argparse.Namespace) -> "Where":
    """Return what the arguments of `add_executor` say."""
    from graftbench.benchmark.runs.executors.choose import Where

    return Where(arguments.executor, arguments.address, arguments.workers)


def add_batch_size(parser: argparse.ArgumentParser, default: int) -> None:
    """Add the number of rows at a time."""
    told = f"rows at a time, or auto: by the free memory (default {default})"
    parser.add_argument("--batch-size", type=batch_size, default=default, help=told)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the device that models run on."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default auto)")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add how a model is loaded."""
    parser.add_argument("--revision", help="branch, tag or commit on the Hub")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--blocks", metavar="PATH", help="the list of blocks, where it is not found: model.layers, ...")
    parser.add_argument(
        "--writers", metavar="NAME,...", help="the parts of a block that write to the residual stream, likewise"
    )
    parser.add_argument(
        "--chat-format",
        default="own",
        metavar="FORMAT",
        help="own (the tokenizer's template), plain (a base model reads plain text), alpaca, or a Jinja file",
    )
    add_device(parser)


def load_model(name: str, arguments: argparse.Namespace) -> "Model":
    """Load a model as the arguments of `add_model_options` say."""
    from graftbench.benchmark.models.chat_formats import read_format
    from graftbench.benchmark.models.load import load

    try:
        chat = read_format(arguments.chat_format, Path())
    except ValueError as error:
        raise UserError(f"{name} cannot be loaded: {error}.") from error
    return load(
        name,
        revision=arguments.revision,
        dtype=arguments.dtype,
        device=arguments.device,
        blocks=arguments.blocks,
        writers=None if arguments.writers is None else [name.strip() for name in arguments.writers.split(",")],
        chat=chat,
    )


def add_judge_options(parser: argparse.ArgumentParser) -> None:
    """Add the settings and the budget of a judge; the command adds the judge itself."""
    parser.add_argument("--model", help="the model that judges: its name at the server, a zoo name, a folder, a Hub id")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible server (default: OPENAI_BASE_URL)")
    parser.add_argument("--no-structured", action="store_true", help="the server knows no structured output")
    parser.add_argument("--at-least", type=float, metavar="X", help="yes is a score of so much, no is less")
    parser.add_argument(
        "--prices",
        nargs=2,
        type=float,
        metavar=("READ", "WRITTEN"),
        help="dollars per million tokens that a server reads and writes",
    )
    parser.add_argument(
        "--temperature",
        type=_or_none(_temperature),
        default=argparse.SUPPRESS,
        metavar="X",
        help="that a server is sent (default 0); none leaves it out, as reasoning models want it",
    )
    parser.add_argument(
        "--max-tokens",
        type=_or_none(positive),
        default=argparse.SUPPRESS,
        metavar="N",
        help="that a server may write, its reasoning included (default 256); none leaves it out",
    )
    parser.add_argument(
        "--deadline",
        type=above_0,
        metavar="SECONDS",
        help="that a server has for each question, all tries and pauses included (default 300)",
    )
    add_budget(parser)


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Add the limits on requests to judges behind a server, and on their cost."""
    parser.add_argument("--judge-requests", type=positive, metavar="N", help="stop after so many requests to a server")
    parser.add_argument(
        "--judge-dollars", type=above_0, metavar="X", help="stop when judges behind a server cost so much"
    )


def judge_named(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the judge as a suite would name it, with nothing but what was given."""
    judge = {name: getattr(arguments, name) for name in _JUDGE if getattr(arguments, name) is not None}
    judge |= {name: getattr(arguments, name) for name in _JUDGE_OR_NONE if name in arguments}
    if arguments.no_structured:
        judge["structured"] = False
    if arguments.prices is not None:
        judge["prices"] = dict(zip(("prompt", "completion"), arguments.prices, strict=True))
    return judge


def budget_of(arguments: argparse.Namespace, measure: str | None = None) -> Budget:
    """Return a new budget, for the judge of one measure or for all judges."""
    return Budget(uuid4().hex, arguments.judge_requests, arguments.judge_dollars, measure)


def add_leaderboard(parser: argparse.ArgumentParser) -> None:
    """Add the folder of a leaderboard."""
    parser.add_argument(
        "--leaderboard", type=Path, default=Path("leaderboard"), metavar="DIR", help="its folder (default leaderboard)"
    )


def leaderboard_folder(arguments: argparse.Namespace) -> Path:
    """Return the folder of the leaderboard, which need not exist yet; UserError where it is a file."""
    folder: Path = arguments.leaderboard
    if is_file(folder):
        raise UserError(f"{folder} is a file: --leaderboard names a folder.")
    return folder
