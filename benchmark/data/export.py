"""Write a dataset as a folder of JSON lines, the form that `dataset: {jsonl: FOLDER}` reads."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import yaml

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import put_in_place
from graftbench.benchmark.core.unfinished import unfinished_folder
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.dataset_form import FORM, form_of_dataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed

_FILES: dict[type[Line], str] = {
    ExampleLine: "examples.jsonl",
    PairLine: "pairs.jsonl",
    ConversationLine: "conversations.jsonl",
}


def export(dataset: Dataset, folder: Path, behaviours: list[str]) -> dict[str, int]:
    """Write some behaviours of a dataset into a new folder, and return the number of lines by file.

    UserError where something is there already, or the folder cannot be written. The folder appears when it is whole.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already: name a new folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(folder) as unfinished:
            whole = unfinished / "dataset"
            whole.mkdir()
            form = form_of_dataset(dataset, behaviours).model_dump(mode="json", exclude_defaults=True)
            (whole / FORM).write_text(yaml.safe_dump(form, sort_keys=False, allow_unicode=True), encoding="utf-8")
            counts = _write(dataset.lines(), whole, behaviours)
            put_in_place(whole, folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return counts


def _write(lines: Iterable[Placed], folder: Path, behaviours: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        streams = {}
        for _, line in lines:
            if line.behaviour not in (None, *behaviours):
                continue
            name = _FILES[type(line)]
            if name not in streams:
                streams[name] = stack.enter_context((folder / name).open("w", encoding="utf-8"))
            streams[name].write(f"{_json(line)}\n")
            counts[name] = counts.get(name, 0) + 1
    return counts


def _json(line: Line) -> str:
    """Return a line without defaults. The mark of a conversation is always written, for it is asked for."""
    written = line.model_dump(mode="json", exclude_defaults=True)
    if isinstance(line, ConversationLine) and not line.general:
        written["shows"] = line.shows
    return json.dumps(written, ensure_ascii=False)
