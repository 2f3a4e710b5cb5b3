"""The part of a suite, or of a command line, that names a judge: which one, its model, and what counts as yes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.judges.llm.addresses import is_address
from graftbench.judges.llm.server import DEADLINE, MAX_TOKENS, TEMPERATURE
from graftbench.judges.llm.spending import Prices


class JudgeSpec(BaseModel):
    """A judge by name, with a model for `llm:RUBRIC` and the like; or a panel of several judges.

    `at_least` turns a score on a scale into yes or no. Prices are in dollars per million tokens. `base_url` replaces
    the server of OPENAI_BASE_URL. A server is sent `temperature` and `max_tokens` unless they are None, and has
    `deadline` seconds for each question.
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
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = TEMPERATURE
    max_tokens: Annotated[int, Field(ge=1)] | None = MAX_TOKENS
    deadline: Annotated[float, Field(gt=0, allow_inf_nan=False)] = DEADLINE

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"judge": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_judge_or_panel(self) -> "JudgeSpec":
        if (self.judge is None) == (not self.panel):
            raise ValueError("name a `judge`, or several in a `panel`")
        if self.panel and self.model is not None:
            raise ValueError("a panel has no `model` of its own: name those of its members")
        if not self.panel and "rule" in self.model_fields_set:
            raise ValueError("a `rule` is for a panel")
        if len(self.panel) == 1:
            raise ValueError("a panel has at least two members")
        return self

    @model_validator(mode="after")
    def _check_server(self) -> "JudgeSpec":
        has_server = self.judge is not None and self.judge.startswith("llm:")
        own = {"structured", "prices", "base_url", "temperature", "max_tokens", "deadline"} & self.model_fields_set
        if not has_server and own:
            raise ValueError(f"`{min(own)}` is for judges behind a server, llm:RUBRIC")
        if self.base_url is not None and not is_address(self.base_url):
            raise ValueError(f"{self.base_url!r} is no address of a server")
        return self


def read_specs(
    task: str, defaults: Mapping[str, Any], optional: Sequence[str], named: Mapping[str, Any]
) -> dict[str, JudgeSpec]:
    """Return the judge of each measure of a task: the one that the suite names, or the task's default.

    `optional` measures are judged only where the suite names a judge. UserError for a measure that the task does not
    have, or a judge that cannot be read.
    """
    known = [*defaults, *optional]
    for measure in named:
        if measure not in known:
            raise UserError(f"The task {task} has no measure {measure!r} to judge; it has {', '.join(known)}.")
    return {
        measure: read_spec(value, f"The judge of {measure!r} in the task {task}")
        for measure, value in {**defaults, **named}.items()
    }


def read_spec(value: Any, what: str) -> JudgeSpec:
    """Parse a judge as a suite or a command line names it; UserError, beginning with `what`, where it is invalid."""
    try:
        return JudgeSpec.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{what}: {first_error(error)}.") from error
