"""Steering vectors in files: safetensors whose metadata state where and how strongly the vector is used.

The file holds one tensor, `vector`: [d], or [positions, d] with one row for each of several positions. Its metadata are
`kind` (`add` or `ablate`), `site` (the block to whose input it is added), `positions` (`last`, `prompt`, `all`, or an
index from the right such as `-2`) and `strength`, all of them text.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from torch import Tensor

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.activations.tensor_files import write_tensors
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import atomic_write, first_error, read_json_lines
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.ablation_check import check_ablation
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.operators import Ablate, Add
from graftbench.benchmark.interventions.vectors import difference_in_means, is_zero, paired_positions
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.load import Model, check_site
from graftbench.benchmark.models.tokens import positions_of

TENSOR_NAME = "vector"
_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_POSITIONS = "they are all, prompt, last, or an index from the right such as -2"


class About(BaseModel):
    """Site, positions and strength of a vector, and its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["add", "ablate"] = "add"
    site: Annotated[int, Field(ge=0)] | None = None
    positions: Literal["last", "prompt", "all"] | Annotated[int, Field(lt=0)] | None = None
    strength: FiniteFloat = 1.0

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "About":
        if self.kind == "add" and (self.site is None or self.positions is None):
            raise ValueError("a vector to add needs a `site` and `positions`")
        if self.kind == "ablate" and ({"site", "positions", "strength"} & self.model_fields_set):
            raise ValueError("a direction is ablated everywhere: it has no `site`, `positions` or `strength`")
        return self


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """A vector, [d] or [positions, d], with where and how it is used."""

    vector: Tensor
    about: About

    def __repr__(self) -> str:
        about, shape = self.about, list(self.vector.shape)
        use = f"site {about.site}, positions {about.positions}, strength {about.strength:g}, "
        use = use if about.kind == "add" else ""
        return f"{type(self).__name__}({about.kind}, {use}{shape}, norm {self.vector.norm():.4g})"

    def at_strength(self, strength: float) -> "SteeringVector":
        """Return the vector with another strength. UserError for a direction to ablate, which has none."""
        if self.about.kind == "ablate":
            raise UserError("A direction that is ablated has no strength.")
        return SteeringVector(self.vector, self.about.model_copy(update={"strength": strength}))

    @property
    def identity(self) -> str:
        """Hash of the vector and its use."""
        return digest(hashlib.sha256(self.vector.contiguous().numpy().tobytes()).hexdigest(), self.about.model_dump())

    def condition(self, model: Model, name: str = "intervention") -> Condition:
        """Return the condition that uses the vector on a model. UserError where it does not fit the model."""
        if self.vector.shape[-1] != model.d:
            raise UserError(f"The vector has width {self.vector.shape[-1]}, and {model.name} has {model.d}.")
        if self.about.kind == "ablate":
            if self.vector.ndim != 1 or not self.vector.any():
                raise UserError("A direction to ablate is one vector [d] that is not zero.")
            check_ablation(model)
            return Condition(name, lambda _, text: Row(text, (Ablate(self.vector),)))
        check_site(model, self._site)
        return Condition(name, lambda _, text: Row(text, (self._added(text, model),)))

    @property
    def _site(self) -> int:
        assert self.about.site is not None
        return self.about.site

    def _added(self, text: Chat, model: Model) -> Add:
        try:
            assert self.about.positions is not None
            where = positions_of(self.about.positions, text, model.tokenizer)
        except ValueError as error:
            raise UserError(f"The vector cannot be added at {self.about.positions}: {error}.") from error
        vector = self.about.strength * self.vector
        if vector.ndim == 1 or where is None:
            return Add(self._site, vector, where)
        return Add(self._site, paired_positions(vector, len(where)), where)


def save_vector(vector: SteeringVector, path: Path) -> None:
    """Write a vector to a file, whole or not at all."""
    about = {name: str(value) for name, value in vector.about.model_dump(exclude_unset=True).items()}
    with atomic_write(path) as unfinished:
        write_tensors({TENSOR_NAME: vector.vector.contiguous()}, unfinished, about)


def load_vector(path: Path) -> SteeringVector:
    """Read a vector from a file. UserError where the file holds none."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            vector = file.get_tensor(TENSOR_NAME)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is no file of a steering vector: {error}.") from error
    settings = {name: int_or_text(text) for name, text in metadata.items() if name != "format"}
    about = _about(settings, f"The steering vector in {path}")
    if vector.ndim not in (1, 2) or vector.dtype not in _DTYPES or not vector.float().isfinite().all():
        raise UserError(
            f"The steering vector in {path} is to be finite numbers, [d] or [positions, d], in float32 or a type that "
            "is converted to it: float64, float16, bfloat16."
        )
    vector = vector.float()
    if not vector.any():
        raise UserError(f"The steering vector in {path} is zero: it does nothing.")
    if vector.ndim == 2 and about.positions != "prompt":
        raise UserError(f"The steering vector in {path} has several rows: they are for the positions `prompt`.")
    return SteeringVector(vector, about)


class ContrastivePair(BaseModel):
    """Two prompts that differ only in the behaviour."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    desired: str
    undesired: str


def read_pairs(path: Path) -> list[ContrastivePair]:
    """Read pairs of prompts from JSON lines. UserError where there are none or a line is none."""
    pairs = read_json_lines(path, ContrastivePair, "file of contrastive prompts", "pair of prompts")
    if not pairs:
        raise UserError(f"{path} holds no pair of prompts.")
    return pairs


def vector_from_pairs(
    model: Model, pairs: Sequence[ContrastivePair], site: int, read_at: str, used: tuple[str, str, float]
) -> SteeringVector:
    """Return the difference in means [d] at a site and position. `used` has its kind, positions and strength.

    UserError where one of these makes no sense, or the vector is zero.
    """
    kind, positions, strength = used
    settings: dict[str, object] = {"kind": kind}
    if kind == "add":
        settings |= {"site": site, "positions": int_or_text(positions), "strength": strength}
    about = _about(settings, "The vector")
    check_site(model, site)
    if read_at != "last" and (not isinstance(int_or_text(read_at), int) or int(read_at) >= 0):
        raise UserError(
            f"A vector is read at `last`, or at an index from the right such as -2, and not at {read_at!r}."
        )
    sides = zip(*[(pair.desired, pair.undesired) for pair in pairs], strict=True)
    try:
        desired, undesired = (
            states_at(model, [chat(Prompt(text), model.tokenizer) for text in side], site, int_or_text(read_at))
            for side in sides
        )
    except ValueError as error:
        raise UserError(f"The vector cannot be read at {read_at}: {error}.") from error
    vector = difference_in_means(desired, undesired)[0]
    if is_zero(vector):
        raise UserError(f"The vector is zero: the prompts do not differ at site {site} at {read_at}.")
    return SteeringVector(vector.float(), about)


def _about(settings: Mapping[str, object], what: str) -> About:
    try:
        return About.model_validate(settings)
    except ValidationError as error:
        first = first_error(error)
        why = f"positions: {_POSITIONS}" if first.where.startswith("positions") else first
        raise UserError(f"{what}: {why}.") from error


def int_or_text(text: str) -> str | int:
    """Return the number that a text is, or else the text."""
    try:
        return int(text)
    except ValueError:
        return text
