"""How a task reads its settings from a suite."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.forms import first_error
from graftbench.benchmark.core.plugins import nearest

Amounts = TypeVar("Amounts", bound=BaseModel)


def read_amounts(kind: type[Amounts], task: str, settings: Mapping[str, Any]) -> Amounts:
    """A suite's settings for a task, as they are meant; UserError where they make no sense."""
    for key in settings:
        if key not in kind.model_fields:
            raise UserError(f"The task {task} has no setting {key!r}.{nearest(key, sorted(kind.model_fields))}")
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        raise UserError(f"The settings of the task {task}: {first_error(error)}.") from error
