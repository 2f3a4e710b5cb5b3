"""What a steering experiment is made of: its prompts, its models and sites, and how answers are judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..completions import completions
from ..errors import UserError
from ..generation import Completion, Row
from ..models import Model
from ..store import Store, digest
from ..tokens import Chat, Prompt, chat

Progress = Callable[[str, int, int], None]  # what is being done, how many rows are done, of how many


@dataclass(frozen=True)
class Item:
    """A prompt that shows the undesired behaviour, the same prompt without it, and the content they share."""

    prompt: Prompt
    clean: Prompt
    cluster: str

    @property
    def id(self) -> str:
        """A short name that goes with the words."""
        return digest(self.prompt.text)[:12]


@dataclass(frozen=True)
class Outcome:
    """What a judge says of a completion: whether the behaviour is gone and the answer good; None where unscored."""

    gone: bool | None
    good: bool | None
    reason: str = ""

    @property
    def success(self) -> bool | None:
        """Gone and good; None where either is unscored."""
        return None if self.gone is None or self.good is None else self.gone and self.good


Judging = Callable[[Sequence[Item], Sequence[str]], list[Outcome]]


@dataclass(frozen=True, eq=False)
class Bench:
    """Where experiments run: what is kept, how many rows at a time, how long replies may be, who is told."""

    store: Store
    batch_size: int
    max_new_tokens: int
    progress: Progress

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


@dataclass(frozen=True, eq=False)
class Setting:
    """One experiment: contrast, validation and test prompts, two models with a site in each, positions and judge."""

    source: Model
    target: Model
    sites: tuple[int, int]
    contrast: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]
    judging: Judging
    judges: str  # task and judges, with their versions
    positions: str | int = "trigger"

    def check(self) -> None:
        """UserError, with the known sites, where a site is none of the model's."""
        for model, site in ((self.source, self.sites[0]), (self.target, self.sites[1])):
            if not 0 <= site < len(model.blocks):
                raise UserError(f"{model.name} has no site {site}; its sites are 0 to {len(model.blocks) - 1}.")


def chats(prompts: Sequence[Prompt], model: Model) -> list[Chat]:
    """Prompts in a model's chat format."""
    return [chat(prompt, model.tokenizer) for prompt in prompts]
