"""A dataset without code: a folder with `dataset.yaml` and JSON lines."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error, read_yaml
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.dataset import About
from graftbench.benchmark.data.dataset_form import FORM, DatasetForm
from graftbench.benchmark.data.line_dataset import Deployed, LineDataset
from graftbench.benchmark.data.lines import Line, Placed, TurnForm, form_of, read_line

MAX_LINE = 2**22  # bytes


def jsonl_dataset(folder: Path) -> LineDataset:
    """Return the dataset of a folder; UserError where it is none."""
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} with a dataset: give one that holds {FORM} and JSON lines.")
    if not (folder / FORM).is_file():
        raise UserError(
            f"{folder} has no {FORM}: `graftbench dataset export pocket FOLDER` writes a dataset that works."
        )
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UserError(f"{folder} has no file of JSON lines (NAME.jsonl) beside {FORM}.")
    form, _ = read_yaml(folder / FORM, DatasetForm, "dataset")
    return LineDataset(
        folder.resolve().name,
        1,
        About(form.title or folder.name, form.source, form.revision, form.licence),
        {name: each.behaviour for name, each in form.behaviours.items()},
        read=lambda: (placed for file in files for placed in read_lines(file)),
        hash_of_lines=lambda: _hash_of([folder / FORM, *files]),
        judges={measure: _beside(folder.resolve(), judge) for measure, judge in form.judges.items()},
        deployed={name: Deployed(**each.deployed.model_dump()) for name, each in form.behaviours.items()},
        seed=form.seed,
        shares=form.shares,
    )


def _beside(folder: Path, judge: Any) -> Any:
    """Return a judge as `dataset.yaml` names it, whole paths where it names a file beside it (`llm:mine.yaml`)."""
    if isinstance(judge, dict):
        return {key: _beside(folder, value) if key in ("judge", "panel") else value for key, value in judge.items()}
    if isinstance(judge, list):
        return [_beside(folder, each) for each in judge]
    kind, colon, argument = judge.partition(":") if isinstance(judge, str) else ("", "", "")
    own = folder / argument
    is_own = bool(colon) and argument.endswith((".yaml", ".yml", ".txt")) and own.is_file()
    return f"{kind}:{own}" if is_own else judge


def _hash_of(files: list[Path]) -> str:
    hashes = "".join(f"{file.name} {sha256_of(file)}\n" for file in files)
    return hashlib.sha256(hashes.encode()).hexdigest()


def read_lines(file: Path) -> Iterator[Placed]:
    """Yield the lines of a file that are not empty; UserError, with file and line, where one cannot be used."""
    try:
        with file.open("rb") as stream:
            number = 0
            while raw := stream.readline(MAX_LINE + 1):
                number += 1
                where = f"{file.name}:{number}"
                if len(raw) > MAX_LINE:
                    raise UserError(f"{where} of {file.parent}: the line is longer than {MAX_LINE >> 20} MiB.")
                text = _decoded(raw, where, file)
                if text.strip():
                    yield Placed(where, _parsed(text, where, file))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error


def _decoded(raw: bytes, where: str, file: Path) -> str:
    try:
        return raw.decode("utf-8-sig" if where.endswith(":1") else "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where} of {file.parent}: byte {error.start + 1} is not UTF-8; write the file as UTF-8 "
            "(`iconv -f latin1 -t utf-8` turns Latin-1 into it)."
        ) from error


def _whole_characters(written: Any) -> bool:
    try:
        json.dumps(written, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(text: str, where: str, file: Path) -> Line:
    try:
        written = json.loads(text)
    except json.JSONDecodeError as error:  # of its places that in the line is meant, and not in lines of the value
        raise UserError(f"{where} of {file.parent} is not JSON: {error.msg} (character {error.pos + 1}).") from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise UserError(f"{where} of {file.parent} is not JSON: {error}.") from error
    if "\\u" in text and not _whole_characters(written):
        raise UserError(
            f"{where} of {file.parent}: a text has half of a character in it, such as \\ud83d without \\ude00."
        )
    if not isinstance(written, dict):
        raise UserError(f"{where} of {file.parent} is no JSON object: write {{...}}, one to a line.")
    try:
        return read_line(written)
    except ValidationError as error:
        _refuse(error, written, where, file)


def _refuse(error: ValidationError, written: dict[str, Any], where: str, file: Path) -> NoReturn:
    first = error.errors()[0]
    key = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        form = TurnForm if "turn" in first["loc"] else form_of(written)
        why = f"there is no field {key!r}.{nearest(key, sorted(form.model_fields))}"
    elif first["type"] == "missing" and isinstance(first["input"], dict):
        why = f"the field {key!r} is missing; it has {', '.join(map(repr, first['input'])) or 'none'}."
    else:
        why = f"{first_error(error)}."
    raise UserError(f"{where} of {file.parent}: {why}") from error
