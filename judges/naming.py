"""A judge from what a suite or a user says of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from graftbench.benchmark.budget import Budget
from graftbench.benchmark.errors import UserError
from graftbench.benchmark.plugins import nearest, plugin

from .protocol import Judge
from .spec import JudgeSpec

if TYPE_CHECKING:
    from graftbench.benchmark.models import Model


@dataclass(frozen=True)
class Service:
    """What may be spent on judges behind a server, and which turn it is: those of another turn ask anew.

    Where it is not `asked`, nothing is said but what was said before.
    """

    budget: Budget | None = None
    turn: int = 0
    asked: bool = True


def judge_of(spec: JudgeSpec, service: Service = Service()) -> Judge:
    """The judge that is meant; UserError where there is none, or it lacks a model or has one too many."""
    found = _panel(spec, service) if spec.judge is None else _single(spec.judge, spec, service)
    if spec.at_least is None:
        return found
    from .threshold import AtLeast

    return AtLeast(found, spec.at_least)


def _panel(spec: JudgeSpec, service: Service) -> Judge:
    from .panel import Panel

    return Panel(tuple(judge_of(member, service) for member in spec.panel), spec.rule)


def _single(name: str, spec: JudgeSpec, service: Service) -> Judge:
    kind, colon, what = name.partition(":")
    if kind in _KINDS:
        if spec.model is None:
            raise UserError(f"The judge {name} needs a model.")
        if what and kind in _NOTHING_MORE:
            raise UserError(f"The judge {kind} takes nothing but a model: leave out {what!r}.")
        return _KINDS[kind](what, spec.model, spec, service)
    if colon and kind != _WEAKNESS:
        raise UserError(f"There is no kind of judge {kind!r}.{nearest(kind, kinds())}")
    if spec.model is not None:
        raise UserError(f"The judge {name} uses no model: leave it out.")
    if kind == _WEAKNESS and colon:
        from .weakness import Weakness

        return Weakness(Path(what))
    from .installed import Installed

    return Installed(name, plugin("judges", name, kinds()))


def _llm(rubric: str, model: str, spec: JudgeSpec, service: Service) -> Judge:
    from .llm import LLMJudge
    from .rubric import read_rubric
    from .server import Server

    if service.budget is not None and service.budget.dollars is not None and spec.prices is None:
        raise UserError(
            f"A budget in dollars needs the prices of {model}: name them, as `prices` in a suite or by --prices."
        )
    server = Server(
        model,
        spec.base_url,
        structured=spec.structured,
        turn=service.turn,
        prices=spec.prices,
        budget=service.budget,
        asked=service.asked,
    )
    if service.asked:
        server.check_key()
    return LLMJudge(read_rubric(rubric), server)


def _local(rubric: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from .local import LocalJudge
    from .rubric import read_rubric

    return LocalJudge(read_rubric(rubric), _loaded(model))


def _guard(form: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from .guards import GuardJudge, guard_format

    return GuardJudge(guard_format(form), _loaded(model))


def _fluency(_: str, model: str, __: JudgeSpec, ___: Service) -> Judge:
    from .fluency import Fluency

    return Fluency(_loaded(model))


@cache
def _cosine(_: str, model: str, __: JudgeSpec, ___: Service) -> Judge:
    from .embedding import load_cosine

    return load_cosine(model)


@cache
def _classifier(label: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from .classifier import classifier_judge

    return classifier_judge(model, label or None)


@cache
def _classifier_of_both(label: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from .classifier import classifier_judge

    return classifier_judge(model, label or None, "both")


@cache
def _loaded(model: str) -> "Model":
    from graftbench.benchmark.models import load

    return load(model)


def kinds() -> list[str]:
    """The judges that take something after a colon, or a model."""
    return [f"{kind}:..." if kind not in _NOTHING_MORE else kind for kind in sorted({*_KINDS, _WEAKNESS})]


_WEAKNESS = "weakness"
_NOTHING_MORE = ("cosine", "fluency")
# `kind:what` with a model: a rubric, a guard's format, a classifier's label; what is compared needs nothing more.
_KINDS: dict[str, Callable[[str, str, JudgeSpec, Service], Judge]] = {
    "llm": _llm,
    "local": _local,
    "guard": _guard,
    "classifier": _classifier,
    "classifier_of_both": _classifier_of_both,  # prompt and completion
    "cosine": _cosine,
    "fluency": _fluency,
}
