"""Which tokens of two tokenizations of one conversation belong together: those that end at the same character."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import offsets_of

Alignment = Literal["ends", "index"]

# Where a token ends: in which stretch of the conversation (the format between two turns, a turn, ...), how far in
# it, in characters from its start for words (0 in the format), and how many tokens that end there come after it:
# the pieces of one character end together, as the tokens of the format do.
End = tuple[int, int, int]


@dataclass(frozen=True)
class Pairing:
    """Token numbers of the source and of the target that belong together, and how many tokens the target has."""

    source: tuple[int, ...]
    target: tuple[int, ...]
    n_target: int

    @property
    def share(self) -> float:
        """Share of the target's tokens that have a partner."""
        return len(self.target) / self.n_target


def ends(text: Chat, tokenizer: PreTrainedTokenizerFast) -> list[End]:
    """Where each token of a conversation ends.

    The format of two families differs, so its tokens are counted from where the next turn begins: the token
    after which a model replies has its partner, whatever it is called.
    """
    found: list[End] = []
    for _, stop in reversed(offsets_of(text.text, tokenizer)):
        stretch = _stretch(stop, text.spans)
        within = stop - text.spans[stretch // 2][0] if stretch % 2 else 0
        after = found[-1][2] + 1 if found and found[-1][:2] == (stretch, within) else 0
        found.append((stretch, within, after))
    return found[::-1]


def _stretch(stop: int, spans: Sequence[tuple[int, int]]) -> int:
    """Odd numbers are turns, even ones the format before, between and after them."""
    for i, (start, end) in enumerate(spans):
        if stop <= start:
            return 2 * i
        if stop <= end:
            return 2 * i + 1
    return 2 * len(spans)


def paired(source: Sequence[End], target: Sequence[End], how: Alignment = "ends") -> Pairing:
    """The tokens of two tokenizations that end at the same place; where several do, from the last backwards.

    `index` pairs the first with the first, the second with the second, and so on, whatever they hold, as
    Oozeer et al. (2025, section 5) do; it is here to compare with.
    """
    if how == "index":
        n = range(min(len(source), len(target)))
        return Pairing(tuple(n), tuple(n), len(target))
    where = {end: i for i, end in enumerate(source)}
    common = [(where[end], i) for i, end in enumerate(target) if end in where]
    return Pairing(tuple(s for s, _ in common), tuple(t for _, t in common), len(target))


def same_tokens(a: Model, b: Model) -> bool:
    """Whether two models have the same tokenizer."""
    return a.tokenizer.backend_tokenizer.to_str() == b.tokenizer.backend_tokenizer.to_str()
