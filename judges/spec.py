"""What a suite says of a judge: which one, with which model, and what counts as yes."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, model_validator

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.server import is_address
from graftbench.judges.llm.spending import Prices


class JudgeSpec(BaseModel):
    """A judge by its name, `llm:RUBRIC` and its like with a model, or a panel of several.

    With `at_least` a score on a scale becomes yes or no. Prices are in dollars per million tokens; `base_url` is where
    a server stands that is not the one of OPENAI_BASE_URL.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    judge: str | None = None
    panel: tuple["JudgeSpec", ...] = ()
    rule: Literal["majority", "mean"] = "majority"
    model: str | None = None
    structured: bool = True
    prices: Prices | None = None
    base_url: str | None = None
    at_least: FiniteFloat | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"judge": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_both(self) -> "JudgeSpec":
        if (self.judge is None) == (not self.panel):
            raise ValueError("name a `judge`, or several in a `panel`")
        if self.panel and self.model is not None:
            raise ValueError("a panel has no `model` of its own: name those of its members")
        asks = self.judge is not None and self.judge.startswith("llm:")
        if not asks and not (self.structured and self.prices is None and self.base_url is None):
            raise ValueError("`structured`, `prices` and `base_url` are for judges behind a server, llm:RUBRIC")
        if not self.panel and "rule" in self.model_fields_set:
            raise ValueError("a `rule` is for a panel")
        if self.base_url is not None and not is_address(self.base_url):
            raise ValueError(f"{self.base_url!r} is no address of a server")
        if len(self.panel) == 1:
            raise ValueError("a panel has at least two members")
        return self


def read_specs(
    task: str, measures: Mapping[str, str], beside: Sequence[str], named: Mapping[str, Any]
) -> dict[str, JudgeSpec]:
    """For each measure of a task the judge that a suite names, or the task's own.

    What may be judged `beside` them is where a suite names a judge. UserError where something makes no sense.
    """
    known = [*measures, *beside]
    for measure in named:
        if measure not in known:
            raise UserError(f"The task {task} has no measure {measure!r} to judge; it has {', '.join(known)}.")
    meant = {**measures, **named}
    return {measure: read_spec(one, f"The judge of {measure!r} in the task {task}") for measure, one in meant.items()}


def read_spec(meant: Any, what: str) -> JudgeSpec:
    """One judge as a suite or a command line names it; UserError where that makes no sense."""
    try:
        return JudgeSpec.model_validate(meant)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{what}: {where + ': ' if where else ''}{why}.") from error
