"""A judge by what a user calls it: an installed one, or `llm:RUBRIC` or `local:RUBRIC` with a model."""

from dataclasses import dataclass

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.plugins import plugin

from .protocol import Judge
from .rubric import Rubric, read_rubric

LLM, LOCAL = "llm", "local"


@dataclass(frozen=True)
class Asked:
    """Which model judges, where it is served, and what may be spent on it."""

    model: str | None = None
    base_url: str | None = None
    most_requests: int | None = None
    structured: bool = True


def judge_called(name: str, asked: Asked, turn: int = 0) -> Judge:
    """The judge that `name` stands for; UserError where there is none, or it lacks a model.

    Judges of another turn ask a server anew.
    """
    kind, colon, rubric = name.partition(":")
    if not colon:
        if asked != Asked():
            raise UserError(f"The judge {name} uses no model: leave out --model and what goes with it.")
        found: Judge = plugin("judges", name)()
        return found
    if kind not in (LLM, LOCAL):
        raise UserError(f"There is no kind of judge {kind!r}: it is {LLM}:RUBRIC, {LOCAL}:RUBRIC or an installed name.")
    read = read_rubric(rubric)
    if asked.model is None:
        raise UserError(f"The judge {name} needs --model.")
    return _llm(read, asked.model, asked, turn) if kind == LLM else _local(read, asked.model)


def _llm(rubric: Rubric, model: str, asked: Asked, turn: int) -> Judge:
    from .llm import LLMJudge
    from .server import Server
    from .spending import Spending

    spending = Spending(most_requests=asked.most_requests)
    return LLMJudge(rubric, Server(model, asked.base_url, structured=asked.structured, spending=spending, turn=turn))


def _local(rubric: Rubric, model: str) -> Judge:
    from graftbench.benchmark.models import load

    from .local import LocalJudge

    return LocalJudge(rubric, load(model))
