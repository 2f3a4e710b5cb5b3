"""Files of JSON lines, each of one form: read whole, and refused in one sentence."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from .errors import UserError

Form = TypeVar("Form", bound=BaseModel)


def read_lines(path: Path, form: type[Form], what: str, each: str) -> list[Form]:
    """The lines of a file that are not empty; UserError, with the number of the line, where one is not of that form."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other marks that end lines may stand in a text
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The {what} {path} cannot be read: {error}.") from error
    found: list[Form] = []
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(form.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise UserError(f"Line {i} of {path} is no {each}: {where}: {first['msg']}.") from error
    return found
