"""The state of a fitted mapper: the tensors and plain values that it is saved as, and loaded from."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from graftbench.benchmark.mappers.protocol import Mapper


def tensors_and_fields(mapper: Mapper) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a mapper's tensors by name, and its other fields.

    TypeError where one of these is no number, string or None.
    """
    if isinstance(mapper, nn.Module):
        return dict(mapper.state_dict()), {}
    if not dataclasses.is_dataclass(mapper):
        raise TypeError(
            "a mapper is an nn.Module or a dataclass of tensors, numbers and strings, or it cannot be saved"
        )
    fields = {field.name: vars(mapper)[field.name] for field in dataclasses.fields(mapper)}
    tensors = {name: value for name, value in fields.items() if isinstance(value, Tensor)}
    others = {name: value for name, value in fields.items() if name not in tensors}
    wrong = [name for name, value in others.items() if not isinstance(value, str | int | float | bool | None)]
    if wrong:
        raise TypeError(f"the field {wrong[0]} is no tensor, number or string, so the mapper cannot be saved")
    return tensors, others


def set_state(mapper: Mapper, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> None:
    """Give a mapper the state of one that was fitted."""
    if isinstance(mapper, nn.Module):
        mapper.load_state_dict(tensors)
        return
    for name, value in (*tensors.items(), *fields.items()):
        object.__setattr__(mapper, name, value)


def move_to(mapper: Mapper, device: str) -> None:
    """Move a mapper to a device, ready for inference."""
    if isinstance(mapper, nn.Module):
        mapper.to(device).eval()
        return
    for name, tensor in tensors_and_fields(mapper)[0].items():
        object.__setattr__(mapper, name, tensor.to(device))
