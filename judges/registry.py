"""Judges made from their specs: installed ones by name, those with a model by kind, panels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest, plugin
from graftbench.judges.combine import AtLeast, Panel
from graftbench.judges.llm.judge import LLMJudge
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.pattern import Pattern
from graftbench.judges.protocol import Case, Judge, Verdict
from graftbench.judges.spec import JudgeSpec

if TYPE_CHECKING:
    from graftbench.benchmark.models.load import Model
    from graftbench.judges.classifier import ClassifierJudge
    from graftbench.judges.similarity import Cosine


@dataclass(frozen=True)
class ServerPolicy:
    """Limits on judges behind a server: their budget, and whether they may ask at all or only use cached replies.

    Only judges of the same `turn` share cached replies.
    """

    budget: Budget | None = None
    turn: int = 0
    may_ask: bool = True


@dataclass(frozen=True)
class _Order:
    """A judge with a model, which a spec names as `kind:argument`."""

    argument: str
    model: str
    spec: JudgeSpec
    policy: ServerPolicy


def judge_of(spec: JudgeSpec, policy: ServerPolicy = ServerPolicy()) -> Judge:
    """Make the judge of a spec; UserError where there is none of that name, or a model is missing or not used."""
    judge = _panel(spec, policy) if spec.judge is None else _single(spec.judge, spec, policy)
    return judge if spec.at_least is None else AtLeast(judge, spec.at_least)


def kinds() -> list[str]:
    """Return the kinds of judges that take a model or an argument, the latter as `kind:...`."""
    return [kind if kind in _WITHOUT_ARGUMENT else f"{kind}:..." for kind in sorted({*_WITH_MODEL, *_WITHOUT_MODEL})]


def _panel(spec: JudgeSpec, policy: ServerPolicy) -> Judge:
    return Panel(tuple(judge_of(member, policy) for member in spec.panel), spec.rule)


def _single(name: str, spec: JudgeSpec, policy: ServerPolicy) -> Judge:
    kind, colon, argument = name.partition(":")
    if kind in _WITH_MODEL:
        if spec.model is None:
            raise UserError(f"The judge {name} needs a model.")
        if argument and kind in _WITHOUT_ARGUMENT:
            raise UserError(f"The judge {kind} takes nothing but a model: leave out {argument!r}.")
        return _WITH_MODEL[kind](_Order(argument, spec.model, spec, policy))
    if colon and kind not in _WITHOUT_MODEL:
        raise UserError(f"There is no kind of judge {kind!r}.{nearest(kind, kinds())}")
    if spec.model is not None:
        raise UserError(f"The judge {name} uses no model: leave it out.")
    if colon:
        return _WITHOUT_MODEL[kind](argument)
    return InstalledJudge(name, plugin("judges", name, kinds()))


def _llm(order: _Order) -> Judge:
    budget, prices = order.policy.budget, order.spec.prices
    if budget is not None and budget.dollars is not None and prices is None:
        raise UserError(
            f"A budget in dollars needs the prices of {order.model}: name them, as `prices` in a suite or by --prices."
        )
    if budget is not None and budget.dollars is not None and order.spec.max_tokens is None:
        raise UserError(
            f"A budget in dollars needs a limit on what {order.model} writes: name `max_tokens` in the suite, or "
            "--max-tokens."
        )
    server = Server(
        order.model,
        order.spec.base_url,
        deadline=order.spec.deadline,
        structured=order.spec.structured,
        temperature=order.spec.temperature,
        max_tokens=order.spec.max_tokens,
        turn=order.policy.turn,
        prices=prices,
        budget=budget,
        may_ask=order.policy.may_ask,
    )
    if server.may_ask:
        server.check_key()
    return LLMJudge(read_rubric(order.argument), server)


# The judges below run a model: torch is imported only where one of them is named.


def _local(order: _Order) -> Judge:
    from graftbench.judges.local import LocalJudge

    return LocalJudge(read_rubric(order.argument), _loaded(order.model))


def _guard(order: _Order) -> Judge:
    from graftbench.judges.guard_formats import guard_format
    from graftbench.judges.guards import GuardJudge

    return GuardJudge(guard_format(order.argument), _loaded(order.model))


def _fluency(order: _Order) -> Judge:
    from graftbench.judges.fluency import Fluency

    return Fluency(_loaded(order.model))


def _cosine(order: _Order) -> Judge:
    return _loaded_cosine(order.model)


def _classifier(order: _Order) -> Judge:
    return _loaded_classifier(order.model, order.argument)


def _classifier_of_both(order: _Order) -> Judge:
    return _loaded_classifier(order.model, order.argument, of_both=True)


@cache
def _loaded(model: str) -> "Model":
    from graftbench.benchmark.models.load import load

    return load(model)


@cache
def _loaded_cosine(model: str) -> "Cosine":
    from graftbench.judges.similarity import load_cosine

    return load_cosine(model)


@cache
def _loaded_classifier(model: str, label: str, *, of_both: bool = False) -> "ClassifierJudge":
    from graftbench.judges.classifier import classifier_judge

    return classifier_judge(model, label or None, "both" if of_both else "completion")


def _weakness(argument: str) -> Judge:
    from graftbench.judges.weakness import Weakness

    return Weakness(Path(argument))


_WITHOUT_ARGUMENT = ("cosine", "fluency")
_WITH_MODEL: dict[str, Callable[[_Order], Judge]] = {
    "llm": _llm,  # :RUBRIC
    "local": _local,  # :RUBRIC
    "guard": _guard,  # :FORMAT
    "classifier": _classifier,  # :LABEL
    "classifier_of_both": _classifier_of_both,  # :LABEL, of prompt and completion
    "cosine": _cosine,
    "fluency": _fluency,
}

_WITHOUT_MODEL: dict[str, Callable[[str], Judge]] = {
    "pattern": Pattern,  # :REGULAR_EXPRESSION
    "weakness": _weakness,  # :FILE
}


@dataclass(frozen=True, eq=False)
class InstalledJudge:
    """A judge of an installed package, whose verdicts are counted and checked.

    UserError where `make` needs arguments or what it makes is no judge.
    """

    name: str
    make: Callable[[], Any]
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        try:
            judge = self.make()
        except TypeError as error:
            raise UserError(f"The judge {self.name} cannot be made without arguments: {error}.") from error
        missing = [name for name in ("identity", "scale", "binary") if not hasattr(judge, name)]
        if missing or not callable(judge):
            raise UserError(f"The judge {self.name} has no {missing[0] if missing else '__call__'}: it is no judge.")
        object.__setattr__(self, "judge", judge)

    @property
    def scale(self) -> tuple[float, float]:
        """Scale of the judge."""
        return self.judge.scale

    @property
    def binary(self) -> bool:
        """True where the judge says yes or no."""
        return self.judge.binary

    @property
    def needs_perplexity(self) -> bool:
        """True where the judge says so; most judges need not mention it."""
        return bool(getattr(self.judge, "needs_perplexity", False))

    @property
    def identity(self) -> str:
        """Identity of the judge."""
        return self.judge.identity

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case.

        UserError for a wrong number of verdicts, or where a judge of yes or no gives a score other than 0 and 1.
        """
        verdicts = self.judge(cases)
        if len(verdicts) != len(cases):
            raise UserError(f"The judge {self.name} gave {len(verdicts)} verdicts on {len(cases)} completions.")
        for verdict in verdicts:
            if self.binary and verdict.score not in (None, 0.0, 1.0):
                raise UserError(f"The judge {self.name} says yes or no, and scored {verdict.score:g}.")
        return verdicts
