"""Suites: YAML files that say which tasks run on which pairs, with which data, judges and settings."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from graftbench.benchmark.capability.measures import SideEffectsSpec
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.core.names import Line, Word
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.examples import Track
from graftbench.benchmark.data.tracks import USUAL_TRACKS
from graftbench.benchmark.models.chat_formats import OWN, read_format
from graftbench.benchmark.models.choices import Alignment, Dtype, Sites
from graftbench.benchmark.results.entry_files import read_bytes

if TYPE_CHECKING:
    from graftbench.benchmark.activations.cached import PairStorage

SUITES = Path(__file__).parents[1] / "suites"  # those that ship
SUITE = "suite.json"  # in the folder of a run
MAX_BYTES = 2**22  # of such a file


NamedDataset = str | dict[str, Any]


def _folder(info: ValidationInfo) -> Path | None:
    """Return the folder of the suite's file; None for a suite that was read before and is stored as JSON."""
    folder: Path | None = (info.context or {}).get("folder")
    return folder


def _beside_suite(named: NamedDataset, info: ValidationInfo) -> NamedDataset:
    """Return the dataset with the folder of JSON lines found from that of the suite's file."""
    folder = _folder(info)
    if folder is None or isinstance(named, str) or "jsonl" not in named:
        return named
    return {**named, "jsonl": str((folder / str(named["jsonl"])).resolve())}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSpec(_Part):
    """The source of a model: a zoo name, a local folder or a Hub id with its revision; or the family of its twin.

    A suite holds the text of a chat format that its file names as a Jinja file, so that it needs the file no more.
    """

    model: str | None = None
    revision: str | None = None
    blocks: str | None = None
    writers: list[str] | None = None
    chat: str = OWN  # or alpaca, or a Jinja file beside the suite's
    twin_of: str | None = None  # a family of the suite
    seed: int = 0  # of the twin's rotation

    @model_validator(mode="after")
    def _one_of_both(self) -> "ModelSpec":
        if (self.model is None) == (self.twin_of is None):
            raise ValueError("a model is either a `model` or the `twin_of` a family")
        if self.twin_of is not None and self.chat != OWN:
            raise ValueError("a twin has the chat format of its family: name `chat` there")
        return self

    @field_validator("chat")
    @classmethod
    def _format(cls, chat: str, info: ValidationInfo) -> str:
        return read_format(chat, _folder(info))


class CellSpec(_Part):
    """Cells of one variant and one pair, a track each. `check` cells never enter the score.

    `side_effects` says whether those of the suite are measured here, too. `left_out` is the reason why cells that are
    no checks enter no score: a probe, or a second copy of an experiment.
    """

    variant: str
    pair: str  # source->target, by family
    sites: Sites | None = None  # for tasks that do not choose them themselves
    tracks: list[Track] = list(USUAL_TRACKS)
    check: bool = False
    side_effects: bool = True
    left_out: Line | None = None
    min_transfer: Annotated[float, Field(allow_inf_nan=False)] | None = None  # below which a test under pytest fails


class TaskSpec(_Part):
    """The cells of a task, with its dataset, settings and judges."""

    dataset: NamedDataset = "pocket"  # a default for runs of former versions: suites have to name one
    settings: dict[str, Any] = {}
    judges: dict[str, Any] = {}  # by measure; where none is named, the dataset's
    cells: list[CellSpec]

    @field_validator("dataset")
    @classmethod
    def _beside(cls, named: NamedDataset, info: ValidationInfo) -> NamedDataset:
        return _beside_suite(named, info)

    @model_validator(mode="after")
    def _names_dataset(self, info: ValidationInfo) -> "TaskSpec":
        """Require a dataset in a file: prompts of the pocket world mean nothing to other models."""
        if _folder(info) is not None and "dataset" not in self.model_fields_set:
            raise ValueError("name a `dataset`, such as pocket or {jsonl: FOLDER}")
        return self


class Suite(_Part):
    """A suite as it was written."""

    name: Word
    dtype: Dtype = "float32"
    storage: Dtype | None = None  # of activations on disk; None: that of the models, which loses nothing
    pairs: Annotated[int, Field(ge=20)] | None = None  # sampled over all texts for a fit; None: all there are
    seeds: Annotated[int, Field(ge=1)] = 3  # of mappers that are not deterministic
    max_new_tokens: Annotated[int, Field(ge=1)]
    alignment: Alignment = "ends"  # how tokens of two models are paired
    models: dict[str, dict[str, ModelSpec]]  # family -> version -> where it is; `any` stands for every version
    tasks: dict[str, TaskSpec]
    general: NamedDataset | None = None  # dataset of the track `general`; None: each task's own
    side_effects: SideEffectsSpec | None = None
    shuffled_refit: bool = False  # each mapper is fitted again on shuffled pairs: what it does then is its own null

    @field_validator("general")
    @classmethod
    def _beside(cls, named: NamedDataset | None, info: ValidationInfo) -> NamedDataset | None:
        return None if named is None else _beside_suite(named, info)

    @model_validator(mode="after")
    def _twins_of_models(self) -> "Suite":
        for family, versions in self.models.items():
            for spec in versions.values():
                of = self.models.get(spec.twin_of, {}) if spec.twin_of else {"any": spec}
                if not of or any(original.twin_of for original in of.values() if original is not spec):
                    raise ValueError(f"{family} is the twin of {spec.twin_of!r}, which is no model of its own")
                if spec.twin_of == family:
                    raise ValueError(f"{family} cannot be its own twin")
        return self

    @property
    def hash(self) -> str:
        """Hash of all settings that affect what is measured.

        Settings at their defaults are left out, so that a new setting keeps the hash of every suite that does without
        it; a default is therefore never changed. `min_transfer` only decides whether a test passes, and `left_out`
        what a score is over: entries name it. Of a folder of JSON lines its name counts, and not where it lies: entries
        tell its lines by their hash.
        """
        not_measured = {"tasks": {"__all__": {"cells": {"__all__": {"min_transfer", "left_out"}}}}}
        measured = self.model_dump(mode="json", exclude_defaults=True, exclude=not_measured)
        for part in (measured, *measured["tasks"].values()):
            for key in ("dataset", "general"):
                if isinstance(part.get(key), dict) and "jsonl" in part[key]:
                    part[key] = {"jsonl": Path(part[key]["jsonl"]).name}
        return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def left_out(self) -> dict[str, str]:
        """The cells that enter no score, as `task variant pair`, with the reason."""
        specs = [(name, cell) for name, task in self.tasks.items() for cell in task.cells]
        return {f"{name} {cell.variant} {cell.pair}": cell.left_out for name, cell in specs if cell.left_out}

    @property
    def pair_storage(self) -> "PairStorage":
        """How the pairs that mappers are fitted on are stored."""
        from graftbench.benchmark.activations.cached import PairStorage

        return PairStorage(self.storage or self.dtype, self.pairs)

    def spec(self, family: str, version: str) -> ModelSpec:
        """Return the source of a model by family and version; UserError where the suite has none."""
        if family not in self.models:
            raise UserError(f"The suite {self.name} has no model {family!r}.{nearest(family, sorted(self.models))}")
        versions = self.models[family]
        if version not in versions and "any" not in versions:
            raise UserError(
                f"The suite {self.name} has no {version!r} version of {family}.{nearest(version, sorted(versions))}"
            )
        return versions.get(version) or versions["any"]


def ships(suite: Suite) -> bool:
    """Return True where a suite that ships with this package measures the same."""
    return suite.hash in {read_suite(name).hash for name in _shipped()}


def _shipped() -> list[str]:
    return sorted(file.stem for file in SUITES.glob("*.yaml"))


def read_suite(name: str) -> Suite:
    """Return the suite that ships as `name`, or in the file `name`; UserError where something in it is wrong."""
    shipped = _shipped()
    path = SUITES / f"{name}.yaml" if name in shipped else Path(name)
    if not path.is_file():
        raise UserError(f"There is no suite {name!r}, nor a file of that name.{nearest(name, shipped)}")
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Suite.model_validate(written, context={"folder": path.parent})
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}") from error
    except (OSError, ValueError, RecursionError) as error:  # bytes that are no text, a day that is none, too deep
        raise UserError(f"{path} cannot be read as YAML: {' '.join(str(error).split())[:200]}.") from error


def _first(error: ValidationError) -> str:
    """Return the first problem of a file in one sentence, with the nearest known name."""
    first, (where, why) = error.errors()[0], first_error(error)
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        return f"{where} is not known here.{nearest(key, _known(first['loc']))}"
    return f"{where or 'the file'}: {why[0].lower()}{why[1:]}."


def _known(where: Sequence[int | str]) -> list[str]:
    """Return the keys that are known at the place of the last of `where`."""
    kinds: dict[int, type[BaseModel]] = {1: Suite}
    named: dict[str, dict[int, type[BaseModel]]] = {
        "side_effects": {2: SideEffectsSpec},
        "models": {4: ModelSpec},
        "tasks": {3: TaskSpec, 5: CellSpec},
    }
    kind = kinds.get(len(where)) or named.get(str(where[0]), {}).get(len(where), Suite)
    return sorted(kind.model_fields)


def read_suite_file(path: Path) -> Suite:
    """Return the suite of a run or a leaderboard; UserError where the file holds none."""
    try:
        return Suite.model_validate_json(read_bytes(path, MAX_BYTES))
    except ValidationError as error:
        raise UserError(f"{path} holds no suite: {str(error).splitlines()[0]}.") from error
