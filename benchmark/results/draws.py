"""Bits of a condition: the success, 0 or 1, of every prompt in every draw, as one string for each draw."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, overload

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from graftbench.benchmark.metrics.statistics import Bits

Bit = Annotated[int, Field(ge=0, le=1)]


class Draws(Sequence[list[int]]):
    """Bits [draws][prompts]; they read like a list of lists, and are compared and hashed as `strings` of 0 and 1."""

    __slots__ = ("strings",)

    def __init__(self, strings: Iterable[str]) -> None:
        """Hold draws, each a string with a 0 or a 1 for every prompt."""
        self.strings = tuple(strings)

    @classmethod
    def of(cls, draws: "Draws | Sequence[Sequence[int]]") -> "Draws":
        """Return bits [draws][prompts] as strings."""
        return draws if isinstance(draws, Draws) else cls("".join(map(str, draw)) for draw in draws)

    @property
    def array(self) -> "Bits":
        """The bits as an array [draws, prompts] that is not written to; ValueError where draws differ in length."""
        return _array(self.strings)

    def kept(self, prompts: Sequence[int]) -> "Draws":
        """Return the bits on some prompts, given the number of each."""
        return Draws("".join(draw[i] for i in prompts) for draw in self.strings)

    @overload
    def __getitem__(self, i: int) -> list[int]: ...
    @overload
    def __getitem__(self, i: slice) -> "Draws": ...
    def __getitem__(self, i: int | slice) -> "list[int] | Draws":
        """Return a draw as a list of integers, or some draws."""
        return Draws(self.strings[i]) if isinstance(i, slice) else list(map(int, self.strings[i]))

    def __len__(self) -> int:
        """Return the number of draws."""
        return len(self.strings)

    def __eq__(self, other: object) -> bool:
        """Return whether the bits are the same, also beside a list of lists."""
        return self.strings == other.strings if isinstance(other, Draws) else list(self) == other

    def __hash__(self) -> int:
        """Hash the strings."""
        return hash(self.strings)

    def __repr__(self) -> str:
        """Show the strings."""
        return f"Draws({list(self.strings)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate lists of lists of bits, and write them as such."""
        return core_schema.no_info_wrap_validator_function(
            _validated,
            handler.generate_schema(list[list[Bit]]),
            serialization=core_schema.plain_serializer_function_ser_schema(list),
        )


def _validated(value: Any, rows: Callable[[Any], list[list[int]]]) -> Draws:
    return value if isinstance(value, Draws) else Draws.of(rows(value))


@lru_cache(maxsize=2**12)
def _array(strings: tuple[str, ...]) -> "Bits":
    import numpy as np  # commands that read no entry do without

    digits = np.frombuffer("".join(strings).encode(), dtype=np.uint8).reshape(len(strings), -1)
    bits = (digits - ord("0")).astype(float)
    bits.setflags(write=False)
    return bits
