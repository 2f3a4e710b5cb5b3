"""YAML files that judges go by: read whole, checked, and refused in one sentence."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from graftbench.benchmark.errors import UserError
from graftbench.benchmark.json_lines import Form


def read_file(path: Path, form: type[Form], what: str) -> tuple[Form, bytes]:
    """What a file holds, and its bytes; UserError where it cannot be read or is not of that form."""
    try:
        raw = path.read_bytes()
        return form.model_validate(yaml.safe_load(raw)), raw
    except OSError as error:
        raise UserError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise UserError(f"The {what} {path} is no YAML: {why}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        raise UserError(f"The {what} {path} cannot be used: {where + ': ' if where else ''}{why}.") from error
