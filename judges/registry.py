"""A judge from what a suite or a user says of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest, plugin
from graftbench.judges.protocol import Case, Judge, Verdict
from graftbench.judges.spec import JudgeSpec

if TYPE_CHECKING:
    from graftbench.benchmark.models.load import Model


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
    from graftbench.judges.combine import AtLeast

    return AtLeast(found, spec.at_least)


def _panel(spec: JudgeSpec, service: Service) -> Judge:
    from graftbench.judges.combine import Panel

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
        from graftbench.judges.weakness import Weakness

        return Weakness(Path(what))
    from graftbench.judges.registry import Installed

    return Installed(name, plugin("judges", name, kinds()))


def _llm(rubric: str, model: str, spec: JudgeSpec, service: Service) -> Judge:
    from graftbench.judges.llm.judge import LLMJudge
    from graftbench.judges.llm.rubric import read_rubric
    from graftbench.judges.llm.server import Server

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
    from graftbench.judges.llm.rubric import read_rubric
    from graftbench.judges.local import LocalJudge

    return LocalJudge(read_rubric(rubric), _loaded(model))


def _guard(form: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from graftbench.judges.guards import GuardJudge, guard_format

    return GuardJudge(guard_format(form), _loaded(model))


def _fluency(_: str, model: str, __: JudgeSpec, ___: Service) -> Judge:
    from graftbench.judges.fluency import Fluency

    return Fluency(_loaded(model))


@cache
def _cosine(_: str, model: str, __: JudgeSpec, ___: Service) -> Judge:
    from graftbench.judges.embedding import load_cosine

    return load_cosine(model)


@cache
def _classifier(label: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from graftbench.judges.classifier import classifier_judge

    return classifier_judge(model, label or None)


@cache
def _classifier_of_both(label: str, model: str, _: JudgeSpec, __: Service) -> Judge:
    from graftbench.judges.classifier import classifier_judge

    return classifier_judge(model, label or None, "both")


@cache
def _loaded(model: str) -> "Model":
    from graftbench.benchmark.models.load import load

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


_PROMISED = ("identity", "scale", "binary")


@dataclass(frozen=True, eq=False)
class Installed:
    """The judge that `make` gives, with its verdicts counted and checked; UserError where it is none."""

    name: str
    make: Callable[[], Any]
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        try:
            found = self.make()
        except TypeError as error:
            raise UserError(f"The judge {self.name} cannot be made without arguments: {error}.") from error
        missing = [name for name in _PROMISED if not hasattr(found, name)]
        if missing or not callable(found):
            raise UserError(f"The judge {self.name} has no {missing[0] if missing else '__call__'}: it is no judge.")
        object.__setattr__(self, "judge", found)

    @property
    def scale(self) -> tuple[float, float]:
        """Its scale."""
        return self.judge.scale

    @property
    def binary(self) -> bool:
        """Whether it says yes or no."""
        return self.judge.binary

    @property
    def identity(self) -> str:
        """Its identity."""
        return self.judge.identity

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Its verdicts; UserError where there are too few or too many of them, or one is neither yes nor no."""
        found = self.judge(cases)
        if len(found) != len(cases):
            raise UserError(f"The judge {self.name} gave {len(found)} verdicts on {len(cases)} completions.")
        for verdict in found:
            if self.binary and verdict.score not in (None, 0.0, 1.0):
                raise UserError(f"The judge {self.name} says yes or no, and scored {verdict.score:g}.")
        return found
