"""Arguments that several commands share."""

import argparse
from typing import Any
from uuid import uuid4

from graftbench.benchmark.core.budget import Budget


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def not_negative(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not 0 or a positive whole number")
    return int(text)


def dollars(text: str) -> float:
    """An amount of money above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount above 0")
    return number


_NAMED = ("judge", "model", "base_url", "at_least")


def add_judge_options(parser: argparse.ArgumentParser) -> None:
    """Add them; the command itself says which judge."""
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
    add_budget_options(parser)


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """Add what judges behind a server may spend."""
    parser.add_argument("--judge-requests", type=positive, metavar="N", help="stop after so many requests to a server")
    parser.add_argument(
        "--judge-dollars", type=dollars, metavar="X", help="stop when judges behind a server cost so much"
    )


def judge_named(arguments: argparse.Namespace) -> dict[str, Any]:
    """The judge as a suite would name it, with what was given and nothing else."""
    named = {name: getattr(arguments, name) for name in _NAMED if getattr(arguments, name) is not None}
    if arguments.no_structured:
        named["structured"] = False
    if arguments.prices is not None:
        named["prices"] = dict(zip(("prompt", "completion"), arguments.prices, strict=True))
    return named


def budget_of(arguments: argparse.Namespace, measure: str | None = None) -> Budget:
    """What may be spent, in an account of its own, on the judge of a measure or on all."""
    return Budget(uuid4().hex, arguments.judge_requests, arguments.judge_dollars, measure)
