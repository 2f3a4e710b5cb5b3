"""Lines that are kept in memory while a dataset is read: as many of each kind as somebody asks for."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed
from graftbench.benchmark.data.splits import SHARES, Overlaps, short_hash, split_of, text_key

USUAL = 20_000  # lines of one kind that are kept, however few are asked for, so that most files are read once


class LineKind(NamedTuple):
    """What a line is for. `behaviour` is empty where it belongs to all."""

    form: type[Line]
    behaviour: str
    split: Split
    shows: bool = True
    version: str | None = None
    general: bool = False


Rank = tuple[int, int, int]
Ranked = tuple[Rank, Placed]


@dataclass
class KeptLines:
    """Up to `most` lines of each kind, with their splits.

    Lines whose split is given keep their order, and the first are kept. The others, and those of the splits `drawn`,
    are drawn by a hash of their content, so that neither their order nor their number matters.
    """

    seed: int = 0
    shares: Mapping[Split, int] = field(default_factory=lambda: SHARES)
    drawn: frozenset[Split] = frozenset()
    most: int = USUAL
    by_kind: dict[LineKind, list[Ranked]] = field(default_factory=dict)
    _last: dict[LineKind, Rank] = field(default_factory=dict)  # beyond which no line is kept

    def add(self, i: int, placed: Placed) -> Split:
        """Keep line `i` if it is among the first of its kind, and return its split."""
        line = placed.line
        split = line.split or split_of(line.content, self.seed, self.shares)
        in_order = line.split is not None and line.split not in self.drawn
        rank: Rank = (0, i, 0) if in_order else (1, short_hash(self.seed, *line.words), 0)
        kind = kind_of(line, split)
        if kind in self._last and rank > self._last[kind]:
            return split
        if not in_order:  # lines that ask the same, in an order of their own
            rank = (*rank[:2], short_hash(line.model_dump_json(exclude_defaults=True)))
        kept = self.by_kind.setdefault(kind, [])
        kept.append((rank, placed))
        if len(kept) >= self.most + USUAL:
            self._keep_first(kind)
        return split

    def finish(self) -> None:
        """Put every kind in order, when all lines were added."""
        for kind in self.by_kind:
            self._keep_first(kind)

    def _keep_first(self, kind: LineKind) -> None:
        kept = self.by_kind[kind]
        kept.sort(key=lambda each: each[0])
        if len(kept) > self.most:
            del kept[self.most :]
            self._last[kind] = kept[-1][0]

    @property
    def whole(self) -> bool:
        """Whether no line was left out."""
        return not self._last

    def first(self, most: int) -> "KeptLines":
        """Return the first lines of each kind, as if so many had been kept."""
        by_kind = {kind: kept[:most] for kind, kept in self.by_kind.items()}
        return replace(self, most=most, by_kind=by_kind)

    def of(self, behaviour: str, **wanted: object) -> list[Line]:
        """Return the lines of a behaviour, and those of all behaviours, of the wanted kinds in order."""
        kinds = [
            kind
            for kind in self.by_kind
            if kind.behaviour in ("", behaviour) and all(getattr(kind, name) == value for name, value in wanted.items())
        ]
        return [placed.line for placed in self._in_order(kinds)]

    def with_splits(self) -> Iterator[Placed]:
        """Yield every line that is kept, in order, with its split."""
        splits = {id(placed): kind.split for kind, kept in self.by_kind.items() for _, placed in kept}
        for placed in self._in_order(self.by_kind):
            yield Placed(placed.where, placed.line.model_copy(update={"split": splits[id(placed)]}))

    def _in_order(self, kinds: Iterable[LineKind]) -> list[Placed]:
        ranked = [each for kind in kinds for each in self.by_kind[kind]]
        return [placed for _, placed in sorted(ranked, key=lambda each: each[0])]


def kind_of(line: Line, split: Split) -> LineKind:
    """Return what a line of a split is for."""
    behaviour = line.behaviour or ""
    if isinstance(line, ConversationLine):
        return LineKind(ConversationLine, behaviour, split, line.shows, line.version, line.general)
    if isinstance(line, ExampleLine):
        return LineKind(ExampleLine, behaviour, split, line.shows)
    return LineKind(PairLine, behaviour, split)


@dataclass
class LinesOnDemand:
    """The first lines of each kind, which `read` keeps up to a number; more than before are read again."""

    read: Callable[[int], KeptLines]
    _kept: KeptLines | None = None

    def first(self, n: int) -> KeptLines:
        """Return the first `n` lines of each kind or the usual number, if that is more, whatever was asked before."""
        most = max(n, USUAL)
        if self._kept is None or (most > self._kept.most and not self._kept.whole):
            self._kept = None  # not two of them in memory
            self._kept = self.read(most)
        return self._kept.first(most)


def keep(lines: Iterable[Placed], kept: KeptLines, shared: frozenset[str]) -> Overlaps:
    """Read all lines once, and keep some. `shared` names behaviours whose contents may stand in several splits."""
    overlaps = Overlaps()
    for i, placed in enumerate(lines):
        split = kept.add(i, placed)
        for text in distinct_texts(placed.line, shared):
            overlaps.add(split, text)
    kept.finish()
    return overlaps


def distinct_texts(line: Line, shared: frozenset[str]) -> tuple[str, ...]:
    """Return the texts of a line that may stand in its split alone: what it asks, cleanly too, and its content."""
    texts = line.words
    if isinstance(line, ExampleLine) and line.clean_words is not None:
        texts = (*texts, line.clean_words)
    return texts if line.behaviour in shared or line.content in texts else (*texts, line.content)


def overlapping(
    lines: Iterable[Placed], seed: int, shares: Mapping[Split, int], shared: frozenset[str], hashes: set[int]
) -> Iterator[str]:
    """Yield a sentence on each line that has a text of these hashes which an earlier line has in another split."""
    first: dict[str, tuple[Split, str]] = {}
    for where, line in lines:
        split = line.split or split_of(line.content, seed, shares)
        for text in distinct_texts(line, shared):
            if text_key(text) not in hashes:
                continue
            earlier_split, earlier = first.setdefault(text, (split, where))
            if earlier_split != split:
                yield f"{where}: {_short(text)!r} stands in the split {split}, and at {earlier} in {earlier_split}"
                break


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
