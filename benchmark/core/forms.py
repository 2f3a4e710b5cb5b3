"""Files that are checked against a pydantic model, and what is wrong with one in a sentence."""

from pathlib import Path
from typing import NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from graftbench.benchmark.core.errors import UserError

Form = TypeVar("Form", bound=BaseModel)
_LONGEST_PLACE = 200  # characters: keys of somebody's file may be of any length


class FormError(NamedTuple):
    """Where a value breaks its model, as `cells.0.seed` or empty for the value itself, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}" if self.where else self.why


def first_error(error: ValidationError) -> FormError:
    """Return the first thing that pydantic found wrong, in one line without a full stop."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))[:_LONGEST_PLACE]
    why = first["msg"].removeprefix("Value error, ").partition("\n")[0]
    return FormError(where, why)


def read_json_lines(path: Path, form: type[Form], what: str, each: str) -> list[Form]:
    """Parse every line of a file that is not empty; UserError, with the line's number, where one is not of that form.

    `what` names the file and `each` one of its lines in messages.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other marks that end lines may stand in a text
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The {what} {path} cannot be read: {error}.") from error
    rows: list[Form] = []
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(form.model_validate_json(line))
        except ValidationError as error:
            raise UserError(f"Line {i} of {path} is no {each}: {first_error(error)}.") from error
    return rows


def read_yaml(path: Path, form: type[Form], what: str) -> tuple[Form, bytes]:
    """Parse a YAML file, and return its bytes too; UserError where it cannot be read or is not of that form."""
    try:
        raw = path.read_bytes()
        return form.model_validate(yaml.safe_load(raw)), raw
    except OSError as error:
        raise UserError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UserError(f"The {what} {path} is no YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        raise UserError(f"The {what} {path} cannot be used: {first_error(error)}.") from error
