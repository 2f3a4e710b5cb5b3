"""Names of zoo models, `llama-m-hate` and so on, and where their folders lie. Nothing here needs torch."""

from dataclasses import dataclass
from difflib import get_close_matches

from graftbench.benchmark.zoo.families import FAMILIES, VERSIONS, Family, Version


class UnknownModelError(ValueError):
    """A name that no zoo model has."""


@dataclass(frozen=True)
class ZooName:
    """One of the models: a family in one of its versions."""

    family: Family
    version: Version

    def __str__(self) -> str:
        return f"{self.family.name}-{self.version}"

    @property
    def parent(self) -> "ZooName | None":
        """The model that this one is fine-tuned from."""
        if self.version == "base":
            return None
        return ZooName(self.family, "base" if self.version == "instruct" else "instruct")


def all_names() -> list[ZooName]:
    """Every zoo model, parents before children."""
    return [ZooName(family, version) for family in FAMILIES.values() for version in VERSIONS]


def zoo_name(text: str) -> ZooName:
    """The model called `text`; UnknownModelError, with the known names, where there is none."""
    known = {str(name): name for name in all_names()}
    if text not in known:
        close = get_close_matches(text, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UnknownModelError(f"There is no zoo model {text!r}.{hint} Known models: {', '.join(known)}.")
    return known[text]
