"""The protocol of datasets: prompts and replies of some behaviours, in splits that share no content."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from graftbench.benchmark.data.examples import Conversations, Example, Prompt, Split, TextTrack, Turn
from graftbench.benchmark.data.lines import Placed

Asked = Literal["validation", "test"]  # splits whose examples a model answers


@dataclass(frozen=True)
class Contrast:
    """Two sets of turns whose mean activations differ by the behaviour. `paired`: turn i differs in nothing else."""

    desired: tuple[Turn, ...]
    undesired: tuple[Turn, ...]
    paired: bool = True

    @property
    def pairs(self) -> tuple[tuple[Turn, Turn], ...]:
        """Turns side by side, the desired one first."""
        return tuple(zip(self.desired, self.undesired, strict=True))


@dataclass(frozen=True)
class Behaviour:
    """One behaviour of a dataset.

    Args:
        kind: What tasks look for: `backdoor`, `refusal`, `hidden_fact`, `switch`, `steering`.
        versions: The versions of a model that take part: one, or for a switch the running and the other one.
        shown_by: The measure that says yes where the behaviour shows.
        answered_by: The measure that says yes where an answer is as it should be; `shown_by` again where a behaviour
            that is steered to has no other.
        positions: Where the vector is read and added: `trigger`, `last`, `prompt` or an index from the right.
        everywhere: Added at every token instead, generated ones too.
        reply_tokens: Tokens of the reply into which the vector goes on.
        refusals: Replies whose first tokens mean refusal, with the white space that a reply begins with.
        clusters_shared: Splits share contents, such as facts that are asked in other words; prompts still differ.
        in_common: What other behaviours may have, too, such as the words of a reply: on the track `others` a mapper
            sees no behaviour that has any of it, or the same trigger.

    """

    kind: str
    versions: tuple[str, ...]
    shown_by: str
    answered_by: str = "good"
    positions: str | int = "trigger"
    everywhere: bool = False
    reply_tokens: int = 0
    refusals: tuple[str, ...] = ()
    clusters_shared: bool = False
    in_common: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """Where a dataset comes from, for people.

    Args:
        title: One line that says what is in it.
        source: Such as `Anthropic/hh-rlhf` on the Hub; empty for what is made here.
        revision: The commit that is read; empty where there is none.
        licence: As its authors state it.

    """

    title: str
    source: str = ""
    revision: str = ""
    licence: str = ""


class Dataset(Protocol):
    """The prompts and replies of some behaviours, in splits that share no content.

    It knows no model, no intervention and no judge's code. `graftbench dataset check NAME` tests its promises.
    """

    @property
    def name(self) -> str:
        """Name in suites."""

    @property
    def about(self) -> About:
        """Where it comes from."""

    @property
    def behaviours(self) -> Mapping[str, Behaviour]:
        """Behaviours by name; none where it only has texts for the track `general`."""

    @property
    def judges(self) -> Mapping[str, Any]:
        """The default judge of a measure, as a suite would write it."""

    @property
    def identity(self) -> str:
        """Name, version and, for rows that are read, a hash of them: a mirror may differ from the Hub."""

    def missing(self) -> str | None:
        """Return what has to be done before it can be read, in one sentence; None where its files are here."""

    def contrast(self, behaviour: str, n: int) -> Contrast:
        """Return up to `n` turns a side, of the split `vector`."""

    def examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that show the behaviour."""

    def plain_examples(self, behaviour: str, split: Asked, n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that do not show it, such as harmless questions; empty where there are none."""

    def conversations(self, behaviour: str, split: Split, track: TextTrack, n: int) -> Conversations:
        """Return up to `n` conversations to fit on, or to test a fit on.

        On the track `unseen` none shows the behaviour. The track `general` is the same for every behaviour. On the
        track `others` they are those of `other_behaviours`, and none shows one of the behaviours that are left out.
        """

    def lessons(self, behaviour: str, n: int) -> Conversations:
        """Return up to `n` conversations of the split `fit`, as the version that a model is to become has them."""

    def as_deployed(self, behaviour: str, words: str) -> Prompt:
        """Return a user's words put so that the behaviour shows, for side effects."""

    def lines(self) -> Iterable[Placed]:
        """Return all that it has, line by line, for export and for checks."""
