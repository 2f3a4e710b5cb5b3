"""Steering vectors as files of one's own: safetensors that say where and how strongly the vector is used.

The file holds one tensor, `vector`, [d] or, one row for each of several positions, [positions, d]; its metadata are
`kind` (`add` or `ablate`), `site` (the block to whose input it is added), `positions` (`last`, `prompt`, `all`, or an
index from the right such as `-2`) and `strength`, all of them text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import UserError
from .experiments.conditions import Condition
from .experiments.setting import check_site
from .files import whole
from .generation import Row
from .interventions import Ablate, Add
from .models import Model
from .tokens import Chat, positions_of
from .vectors import paired_positions

NAME = "vector"
Where = Literal["last", "prompt", "all"] | int


class About(BaseModel):
    """Where and how a vector is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["add", "ablate"] = "add"
    site: int = Field(default=0, ge=0)
    positions: Where = "all"
    strength: float = Field(default=1.0, allow_inf_nan=False)


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """A vector [d] or [positions, d] with where and how it is used."""

    vector: Tensor
    about: About

    def condition(self, model: Model, name: str = "intervention") -> Condition:
        """The condition that uses it on a model; UserError where it does not fit the model."""
        if self.vector.shape[-1] != model.d:
            raise UserError(f"The vector has width {self.vector.shape[-1]}, and {model.name} has {model.d}.")
        if self.about.kind == "ablate":
            if self.vector.ndim != 1 or not self.vector.any():
                raise UserError("A direction to ablate is one vector [d] that is not zero.")
            return Condition(name, lambda _, text: Row(text, (Ablate(self.vector),)))
        check_site(model, self.about.site)
        return Condition(name, lambda _, text: Row(text, (self._added(text, model),)))

    def _added(self, text: Chat, model: Model) -> Add:
        where = positions_of(self.about.positions, text, model.tokenizer)
        vector = self.about.strength * self.vector
        if vector.ndim == 1 or where is None:
            return Add(self.about.site, vector, where)
        return Add(self.about.site, paired_positions(vector, len(where)), where)


def save_vector(found: SteeringVector, path: Path) -> None:
    """Write a vector, whole or not at all."""
    about = {name: str(value) for name, value in found.about.model_dump().items()}
    with whole(path) as unfinished:
        save_file({NAME: found.vector.contiguous()}, unfinished, metadata=about)


def load_vector(path: Path) -> SteeringVector:
    """Read a vector; UserError where the file is none."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            vector = file.get_tensor(NAME)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is no file of a steering vector: {error}.") from error
    try:
        about = About.model_validate({name: _value(text) for name, text in metadata.items() if name != "format"})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"The steering vector in {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from error
    if vector.ndim not in (1, 2) or not vector.is_floating_point() or not vector.isfinite().all():
        raise UserError(f"The steering vector in {path} is to be finite numbers, [d] or [positions, d].")
    if vector.ndim == 2 and about.positions == "all":
        raise UserError(f"The steering vector in {path} has several rows: name the positions that they belong to.")
    return SteeringVector(vector.float(), about)


def _value(text: str) -> str | int | float:
    try:
        return int(text)
    except ValueError:
        return text
