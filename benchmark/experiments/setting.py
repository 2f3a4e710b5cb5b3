"""What every experiment is made of: its prompts, how answers are judged, and the bench on which models are run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..budget import Budget
from ..completions import completions
from ..errors import UserError
from ..generation import Completion, Row
from ..models import Model
from ..store import Store, digest
from ..tokens import Chat, Prompt, chat


def turn_chat(turn: "Said", model: Model) -> Chat:
    """Render a turn, up to the reply so far, in a model's chat format."""
    text = chat(turn.prompt, model.tokenizer)
    return text.with_reply(turn.reply) if turn.reply else text


def continued_chat(turn: "Said", model: Model) -> Chat:
    """Render a turn with the reply so far and its continuation in a model's chat format."""
    return chat(turn.prompt, model.tokenizer).with_reply(turn.reply + turn.then)


Progress = Callable[[str, int, int], None]  # what is being done, how many rows are done, of how many


@dataclass(frozen=True)
class Said:
    """A prompt, what the model has said to it so far, and what it says then."""

    prompt: Prompt
    reply: str = ""
    then: str = ""


@dataclass(frozen=True)
class Item:
    """A prompt that shows the undesired behaviour, and how the same is asked without it, where that can be.

    `cluster` is the content that it shares with other items, `group` the class that it is reported under, `reference`
    a reply that is known to be good.
    """

    prompt: Prompt
    clean: Said | None
    cluster: str
    group: str = ""
    reference: str | None = None

    @property
    def id(self) -> str:
        """A short name that goes with the words."""
        return digest(self.prompt.text)[:12]


@dataclass(frozen=True)
class Outcome:
    """What a judge says of a completion: whether the behaviour is gone and the answer good; None where unscored.

    `marks` are what else it says, reported as shares or means beside success; `unscored` says why one of them is None.
    `took` is what the judges of it took: tokens read, tokens written, dollars, None where no prices are known.
    """

    gone: bool | None
    good: bool | None
    reason: str = ""
    marks: Mapping[str, float | None] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    took: tuple[int, int, float | None] = (0, 0, 0.0)

    @property
    def success(self) -> bool | None:
        """Gone and good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good


Judging = Callable[[Sequence[Item], Sequence[str]], list[Outcome]]


@dataclass(frozen=True, eq=False)
class Bench:
    """Where experiments run: what is kept, how many rows at a time, how long replies may be, who is told.

    `budget` is what judges may spend.
    """

    store: Store
    batch_size: int
    max_new_tokens: int
    progress: Progress
    budget: Budget | None = None

    def run(self, model: Model, rows: Sequence[Row], what: str) -> list[str]:
        """The reply to each row, without white space around it. FloatingPointError where one is not finite."""
        told = [0]

        def done(n: int) -> None:
            told[0] += n
            self.progress(what, told[0], len(rows))

        found = completions(
            self.store, model, rows, max_new_tokens=self.max_new_tokens, batch_size=self.batch_size, done=done
        )
        return [_sound(completion, model, what) for completion in found]


def _sound(completion: Completion, model: Model, what: str) -> str:
    if not completion.finite:
        raise FloatingPointError(f"{model.name} gave logits that are not finite ({what})")
    return completion.text.strip()


def check_site(model: Model, site: int) -> None:
    """UserError, with the known sites, where a site is none of the model's."""
    if not 0 <= site < len(model.blocks):
        raise UserError(f"{model.name} has no site {site}; its sites are 0 to {len(model.blocks) - 1}.")
