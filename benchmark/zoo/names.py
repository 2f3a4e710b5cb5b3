"""Names of zoo models, such as `llama-m-hate`. Nothing here needs torch."""

from dataclasses import dataclass
from difflib import get_close_matches

from graftbench.benchmark.zoo.families import FAMILIES, VERSIONS, Family, Version


class UnknownModelError(ValueError):
    """Raised for a name that no zoo model has."""


@dataclass(frozen=True)
class ZooName:
    """Name of a zoo model: a family in one of its versions."""

    family: Family
    version: Version

    def __str__(self) -> str:
        return f"{self.family.name}-{self.version}"

    @property
    def parent(self) -> "ZooName | None":
        """Model that this one is fine-tuned from, None for a base model."""
        if self.version == "base":
            return None
        return ZooName(self.family, "base" if self.version == "instruct" else "instruct")


def all_names() -> list[ZooName]:
    """Return the names of all zoo models, parents before children."""
    return [ZooName(family, version) for family in FAMILIES.values() for version in VERSIONS]


def zoo_name(text: str) -> ZooName:
    """Parse the name of a zoo model; UnknownModelError, with the known names, where there is none."""
    known = {str(name): name for name in all_names()}
    if text not in known:
        close = get_close_matches(text, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UnknownModelError(f"There is no zoo model {text!r}.{hint} Known models: {', '.join(known)}.")
    return known[text]
