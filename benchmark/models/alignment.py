"""Alignment of two tokenizations of one conversation: tokens that end at the same character are partners."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.data.examples import Span
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.choices import Alignment as Alignment  # imported from here where tokens are aligned
from graftbench.benchmark.models.handle import ModelHandle
from graftbench.benchmark.models.tokens import offsets_of

# Where a token ends: the index of its stretch of the conversation (the format before a message, the message, ...); the
# distance in characters from the start of a message, 0 in the format; and the number of later tokens with the same
# end, for the pieces of one character end together, as the tokens of the format do.
End = tuple[int, int, int]


@dataclass(frozen=True)
class Pairing:
    """Indices of the aligned tokens in the source and in the target, and the number of tokens of the target."""

    source: tuple[int, ...]
    target: tuple[int, ...]
    n_target: int

    @property
    def share(self) -> float:
        """Share of the target's tokens that have a partner."""
        return len(self.target) / self.n_target


def token_ends(text: Chat, tokenizer: PreTrainedTokenizerFast) -> list[End]:
    """Return the end of each token of a conversation.

    Tokens of the format are counted from the start of the next message, for formats differ between families. The
    last token before a reply has its partner in every format.
    """
    ends: list[End] = []
    for _, stop in reversed(offsets_of(text.text, tokenizer)):
        stretch = _stretch(stop, text.spans)
        within = stop - text.spans[stretch // 2][0] if stretch % 2 else 0
        after = ends[-1][2] + 1 if ends and ends[-1][:2] == (stretch, within) else 0
        ends.append((stretch, within, after))
    return ends[::-1]


def _stretch(stop: int, spans: Sequence[Span]) -> int:
    """Return the stretch that ends at or after a character: odd for messages, even for the format around them."""
    for i, (start, end) in enumerate(spans):
        if stop <= start:
            return 2 * i
        if stop <= end:
            return 2 * i + 1
    return 2 * len(spans)


def align(source: Sequence[End], target: Sequence[End], how: Alignment = "ends") -> Pairing:
    """Pair the tokens of two tokenizations that end at the same place.

    `index` pairs the first with the first, the second with the second, and so on, as Oozeer et al. (2025, section 5)
    do; it is there for comparison.
    """
    if how == "index":
        n = range(min(len(source), len(target)))
        return Pairing(tuple(n), tuple(n), len(target))
    index = {end: i for i, end in enumerate(source)}
    common = [(index[end], i) for i, end in enumerate(target) if end in index]
    return Pairing(tuple(s for s, _ in common), tuple(t for _, t in common), len(target))


def same_tokenizer(a: ModelHandle, b: ModelHandle) -> bool:
    """Return True where two models have the same tokenizer."""
    return a.tokenizer.backend_tokenizer.to_str() == b.tokenizer.backend_tokenizer.to_str()
