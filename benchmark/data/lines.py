"""The lines of a dataset: examples, contrastive pairs and conversations, as JSON lines write them."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo, model_validator

from graftbench.benchmark.data.examples import Conversation, Example, Prompt, Span, Split, Turn

Earlier = tuple[tuple[str, str], ...]
Trigger = Annotated[
    Annotated[str, Field(min_length=1), Tag("text")] | Annotated[Span, Tag("span")],
    Discriminator(lambda written: "text" if isinstance(written, str) else "span"),
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Said(_Form):
    """A user's message with the turns before it. `trigger` is a text that occurs in it once, or a span."""

    prompt: str
    trigger: Trigger | None = None
    before: Earlier = ()

    @model_validator(mode="after")
    def _trigger_inside(self) -> "_Said":
        if self.trigger is not None:
            span_of(self.trigger, self.prompt)
        return self

    @property
    def as_prompt(self) -> Prompt:
        """The message as a prompt."""
        span = None if self.trigger is None else span_of(self.trigger, self.prompt)
        return Prompt(self.prompt, span, self.before)


def span_of(trigger: str | Span, prompt: str) -> Span:
    """Return the span of a trigger in a prompt; ValueError where it is not in it, or more than once."""
    if isinstance(trigger, str):
        if prompt.count(trigger) != 1:
            raise ValueError(
                f"the trigger {trigger!r} is not in the prompt"
                if trigger not in prompt
                else f"the trigger {trigger!r} occurs more than once in the prompt; give its span, [first, last + 1]"
            )
        start = prompt.index(trigger)
        return start, start + len(trigger)
    if not 0 <= trigger[0] < trigger[1] <= len(prompt):
        raise ValueError(f"the trigger {list(trigger)} is not in the prompt, which has {len(prompt)} characters")
    return trigger


def _asked(prompt: str, before: Earlier) -> str:
    """Return the transcript of a prompt; most have no earlier turns, and millions are asked for theirs."""
    return Prompt(prompt, before=before).transcript if before else prompt


class TurnForm(_Said):
    """A prompt, the reply so far, and how the reply continues."""

    reply: str = ""
    continuation: str = ""

    @property
    def turn(self) -> Turn:
        """The same as a turn."""
        return Turn(self.as_prompt, self.reply, self.continuation)


TextOrTurn = Annotated[
    Annotated[str, Tag("text")] | Annotated[TurnForm, Tag("turn")],
    Discriminator(lambda written: "text" if isinstance(written, str) else "turn"),
]


class Line(_Form):
    """What every line may say.

    Args:
        behaviour: The behaviour that it belongs to; None: to all of the dataset.
        cluster: The content that it shares with others; None: its prompt.
        split: None: made from its cluster.

    """

    behaviour: str | None = None
    cluster: str | None = None
    split: Split | None = None

    @property
    def content(self) -> str:
        """The cluster, given or not."""
        return self.cluster if self.cluster is not None else self.words[0]

    @property
    def words(self) -> tuple[str, ...]:
        """What it asks: two lines that ask the same stand in one split."""
        raise NotImplementedError


class ExampleLine(Line, _Said):
    """A prompt that shows the behaviour (`shows`), or one like it that does not.

    `clean` brings the model to its normal answer: a prompt, or a turn; None where nothing does. A line without a
    `cluster` shares its content with the lines that have the same clean prompt. Where a behaviour is steered to, a
    reply that shows it is the `reference`, and one that does not the `other`.
    """

    clean: TextOrTurn | None = None
    shows: bool = True
    reference: str | None = None
    other: str | None = None
    group: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """What it asks: two lines that ask the same stand in one split."""
        return (_asked(self.prompt, self.before),)

    @property
    def content(self) -> str:
        """The cluster; else the clean prompt, else the prompt."""
        return super().content if self.cluster is not None else self.clean_words or self.words[0]

    @property
    def clean_words(self) -> str | None:
        """What the clean turn asks; None where there is none."""
        if isinstance(self.clean, TurnForm):
            return _asked(self.clean.prompt, self.clean.before)
        return None if self.clean is None else _asked(self.clean, self.before)

    @property
    def clean_turn(self) -> Turn | None:
        """The clean turn; a clean prompt comes after the same earlier turns."""
        if isinstance(self.clean, str):
            return Turn(Prompt(self.clean, before=self.before))
        return None if self.clean is None else self.clean.turn

    @property
    def example(self) -> Example:
        """The same as an example."""
        return Example(self.as_prompt, self.clean_turn, self.content, self.group, self.reference, self.other)


class PairLine(Line):
    """Two prompts, or turns, that differ by the behaviour alone; always of the split `vector`."""

    desired: TextOrTurn
    undesired: TextOrTurn
    split: Split | None = "vector"

    @model_validator(mode="after")
    def _for_the_vector(self) -> "PairLine":
        if self.split != "vector":
            raise ValueError("a pair is always of the split vector")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """What it asks: two lines that ask the same stand in one split."""
        return tuple(turn.prompt.transcript for turn in self.turns)

    @property
    def turns(self) -> tuple[Turn, Turn]:
        """The desired turn and the undesired one."""
        desired, undesired = (Turn(Prompt(x)) if isinstance(x, str) else x.turn for x in (self.desired, self.undesired))
        return desired, undesired


class ConversationLine(Line):
    """A conversation to fit on.

    Args:
        prompt: None for plain text.
        shows: Whether its prompt makes the behaviour show.
        version: The version of a model that replies so; None: no one in particular.
        general: For the track `general`: the same for every behaviour.

    """

    prompt: str | None
    before: Earlier = ()
    reply: str
    shows: bool = False
    version: str | None = None
    general: bool = False

    @model_validator(mode="before")
    @classmethod
    def _marked(cls, written: Any, info: ValidationInfo) -> Any:
        """Require the mark in a file: a forgotten one would let the behaviour into the track `unseen`."""
        if info.context and "shows" not in written and not written.get("general"):
            raise ValueError("say whether the conversation shows the behaviour: `shows` is true or false")
        return written

    @property
    def words(self) -> tuple[str, ...]:
        """What it asks: two lines that ask the same stand in one split."""
        return (self.reply if self.prompt is None else _asked(self.prompt, self.before),)

    @property
    def conversation(self) -> Conversation:
        """The same as a prompt with its reply."""
        return None if self.prompt is None else Prompt(self.prompt, before=self.before), self.reply


class Placed(NamedTuple):
    """A line, and where it stands, such as `examples.jsonl:12`."""

    where: str
    line: Line


def form_of(written: dict[str, Any]) -> type[ExampleLine] | type[PairLine] | type[ConversationLine]:
    """Return the form of a line, by its keys: a pair has `desired`, a conversation has `reply`."""
    if "desired" in written or "undesired" in written:
        return PairLine
    return ConversationLine if "reply" in written else ExampleLine


def read_line(written: dict[str, Any]) -> Line:
    """Parse one line of a file; pydantic's ValidationError where it has no such form."""
    return form_of(written).model_validate(written, context="file")
