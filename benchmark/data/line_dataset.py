"""A dataset made of lines: from files without code, or from the rows of a published data set."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.dataset import About, Asked, Behaviour, Contrast
from graftbench.benchmark.data.examples import Conversation, Conversations, Example, Prompt, Split, TextTrack, Turn
from graftbench.benchmark.data.kept_lines import KeptLines, LinesOnDemand, keep, overlapping
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed, span_of
from graftbench.benchmark.data.rows import PublishedTable, missing_table
from graftbench.benchmark.data.splits import SHARES
from graftbench.benchmark.data.tracks import other_behaviours


@dataclass(frozen=True)
class Deployed:
    """How a user's words are put so that the behaviour shows: `text` has {words} in it, and the trigger."""

    text: str = "{words}"
    trigger: str | None = None

    def prompt(self, words: str) -> Prompt:
        """Return the prompt with these words."""
        before, _, after = self.text.partition("{words}")
        text = f"{before}{words}{after}"
        if self.trigger is None:
            return Prompt(text)
        # The words may hold the trigger too: its place is that in the frame.
        start, end = span_of(self.trigger, f"{before}\0{after}")
        shift = len(words) - 1 if start > len(before) else 0
        return Prompt(text, (start + shift, end + shift))


@dataclass(frozen=True)
class LineDataset:
    """The dataset of some lines.

    Args:
        name: Name in suites.
        version: Goes up when a prompt or a reply changes.
        about: Where it comes from.
        behaviours: Behaviours by name; none where all lines are for the track `general`.
        read: Returns the lines, each with its place; called again for each pass over them.
        hash_of_lines: Returns a hash of what is read; None: of all lines.
        judges: The default judge of a measure.
        deployed: How a user's words are put so that a behaviour shows; None of a behaviour: as they are.
        seed: Of the splits of lines that have none.
        shares: Of these splits, in percent of contents.
        drawn: Given splits whose lines are drawn, too: those of one kind may stand together in the source.
        tables: Returns the published tables that it reads.
        not_here: Returns what else has to be done before it can be read, None where it is nothing.

    """

    name: str
    version: int
    about: About
    behaviours: Mapping[str, Behaviour]
    read: Callable[[], Iterable[Placed]] = field(repr=False)
    hash_of_lines: Callable[[], str] | None = field(default=None, repr=False)
    judges: Mapping[str, Any] = field(default_factory=dict)
    deployed: Mapping[str, Deployed] = field(default_factory=dict)
    seed: int = 0
    shares: Mapping[Split, int] = field(default_factory=lambda: SHARES)
    drawn: frozenset[Split] = frozenset()
    tables: Callable[[], tuple[PublishedTable, ...]] = field(default=tuple, repr=False)
    not_here: Callable[[], str | None] = field(default=lambda: None, repr=False)

    @cached_property
    def identity(self) -> str:
        """Name, version and a hash of the lines."""
        hashed = self.hash_of_lines() if self.hash_of_lines is not None else self._hash()
        return f"{self.name}/{self.version}-{hashed[:12]}"

    def _hash(self) -> str:
        total = hashlib.sha256(f"{self.seed} {sorted(self.shares.items())}".encode())
        for _, line in self.read():
            total.update(line.model_dump_json(exclude_defaults=True).encode() + b"\n")
        return total.hexdigest()

    def missing(self) -> str | None:
        """Return what has to be done before it can be read; None where its files are here."""
        return self.not_here() or next(filter(None, map(missing_table, self.tables())), None)

    def lines(self) -> Iterable[Placed]:
        """Return the lines that are kept, in the order in which they are drawn, with their splits."""
        return self._kept.first(0).with_splits()

    def contrast(self, behaviour: str, n: int) -> Contrast:
        """Return the first `n` pairs; without pairs, the examples of the split `vector` with their clean turns.

        Where nothing brings a prompt to a normal answer, examples that show the behaviour stand against plain ones.
        """
        lines = self._kept.first(n).of(behaviour, form=PairLine)
        pairs = [line for line in lines if isinstance(line, PairLine)][:n]
        if pairs:
            desired, undesired = zip(*(pair.turns for pair in pairs), strict=True)
            return Contrast(desired, undesired)
        shown = self._examples(behaviour, "vector", n)
        with_clean = [(each.clean, Turn(each.prompt)) for each in shown if each.clean is not None]
        if with_clean:
            desired, undesired = zip(*with_clean, strict=True)
            return Contrast(desired, undesired)
        plain = self._examples(behaviour, "vector", n, shows=False)
        if not (plain and shown):
            return Contrast((), ())
        return Contrast(
            tuple(Turn(each.prompt) for each in plain), tuple(Turn(each.prompt) for each in shown), paired=False
        )

    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that show the behaviour."""
        return self._examples(behaviour, split, n)

    def plain_examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that do not show it."""
        return self._examples(behaviour, split, n, shows=False)

    def conversations(self, behaviour: str, split: Split, track: TextTrack, n: int) -> Conversations:
        """Return up to `n` conversations, those of several versions in turn.

        Without conversations in a split its examples stand for them, with the replies that they have.
        """
        if track == "others":
            return self._of_others(behaviour, split, n)
        kept = self._kept.first(n)
        if track == "general":
            return _conversations(kept.of(behaviour, form=ConversationLine, split=split, general=True))[:n]
        unseen = {"shows": False} if track == "unseen" else {}
        versions = self._versions(kept, behaviour, split)
        if not versions:
            return _from_examples(kept.of(behaviour, form=ExampleLine, split=split), track)[:n]
        each = [
            _conversations(
                kept.of(behaviour, form=ConversationLine, split=split, general=False, version=version, **unseen)
            )
            for version in versions
        ]
        return [c for c in chain.from_iterable(zip_longest(*each)) if c is not None][:n]

    def _of_others(self, behaviour: str, split: Split, n: int) -> Conversations:
        """Return up to `n` conversations of other behaviours, one of each in turn.

        None asks what shows this behaviour, or one that has something in common with it.
        """
        names, kept = other_behaviours(self, behaviour), self._kept.first(n)
        alike = [name for name in self.behaviours if name not in names]
        shown = [line for name in alike for line in kept.of(name, split=split, shows=True, general=False)]
        asked = {words for line in shown for words in line.words}
        each = [self.conversations(name, split, "task", n + len(asked)) for name in names]
        others = dict.fromkeys(c for c in chain.from_iterable(zip_longest(*each)) if c is not None)
        return [(p, reply) for p, reply in others if (reply if p is None else p.transcript) not in asked][:n]

    def lessons(self, behaviour: str, n: int) -> Conversations:
        """Return conversations of the other version; where none is marked, those that do not show the behaviour."""
        wanted: dict[str, object] = {"form": ConversationLine, "split": "fit", "general": False}
        _, *other = self.behaviours[behaviour].versions
        kept = self._kept.first(n)
        marked = kept.of(behaviour, version=other[0], **wanted) if other else []
        return _conversations(marked or kept.of(behaviour, shows=False, **wanted))[:n]

    def as_deployed(self, behaviour: str, words: str) -> Prompt:
        """Return a user's words put so that the behaviour shows."""
        return self.deployed.get(behaviour, Deployed()).prompt(words)

    @cached_property
    def _kept(self) -> LinesOnDemand:
        """The lines in memory."""
        return LinesOnDemand(self._read)

    def _read(self, most: int) -> KeptLines:
        """Return up to `most` lines of each kind; UserError where a text stands in two splits."""
        kept = KeptLines(self.seed, self.shares, self.drawn, most)
        overlaps = keep(self._known(), kept, self._shared)
        for overlap in self.overlaps(overlaps.found()):
            raise UserError(
                f"The dataset {self.name} has the same in two splits. {overlap}. Leave one of the lines out, or give "
                "both one `split` or one `cluster`."
            )
        return kept

    def overlaps(self, hashes: set[int]) -> Iterator[str]:
        """Yield a sentence on each line that has a text of these hashes in another split than an earlier line."""
        if hashes:  # a second pass, only where there is something to tell
            yield from overlapping(self.read(), self.seed, self.shares, self._shared, hashes)

    @property
    def _shared(self) -> frozenset[str]:
        return frozenset(name for name, behaviour in self.behaviours.items() if behaviour.clusters_shared)

    def _known(self) -> Iterable[Placed]:
        """Yield all lines; UserError where one belongs to a behaviour, or is of a version, that is not known."""
        of_all = {version for behaviour in self.behaviours.values() for version in behaviour.versions}
        for where, line in self.read():
            name = line.behaviour
            if name is not None and name not in self.behaviours:
                raise UserError(
                    f"{where}: there is no behaviour {name!r} in the dataset {self.name}."
                    f"{nearest(name, sorted(self.behaviours))}"
                )
            if isinstance(line, ConversationLine) and line.version is not None:
                known = of_all if name is None else self.behaviours[name].versions
                if line.version not in known:
                    raise UserError(
                        f"{where}: no version {line.version!r} takes part in {name or 'any behaviour'}."
                        f"{nearest(line.version, sorted(known))}"
                    )
            yield Placed(where, line)

    def _examples(self, behaviour: str, split: Split, n: int, *, shows: bool = True) -> tuple[Example, ...]:
        lines = self._kept.first(n).of(behaviour, form=ExampleLine, split=split, shows=shows)
        return tuple(line.example for line in lines[:n] if isinstance(line, ExampleLine))

    def _versions(self, kept: KeptLines, behaviour: str, split: Split) -> list[str | None]:
        """Return the versions that have conversations in a split, in the order of the behaviour; None: no one's."""
        marked = {
            kind.version
            for kind in kept.by_kind
            if kind[:3] in ((ConversationLine, "", split), (ConversationLine, behaviour, split)) and not kind.general
        }
        known: tuple[str | None, ...] = (*self.behaviours[behaviour].versions, None)
        return [version for version in known if version in marked]


def _from_examples(lines: Iterable[Line], track: TextTrack) -> Conversations:
    """Return the prompts of examples as conversations, each after its clean counterpart.

    A clean turn that has the example's own prompt, with another reply so far, is no counterpart.
    """
    found: list[Conversation] = []
    for line in lines:
        assert isinstance(line, ExampleLine)
        each = line.example
        if each.clean is not None and each.clean.prompt.transcript != each.prompt.transcript:
            found.append((each.clean.prompt, each.reference or ""))
        if not line.shows:
            found.append((each.prompt, each.reference or ""))
        elif track == "task":
            found.append((each.prompt, ""))
    return list(dict.fromkeys(found))  # examples may have one clean counterpart


def _conversations(lines: Iterable[Line]) -> list[Conversation]:
    return [line.conversation for line in lines if isinstance(line, ConversationLine)]
