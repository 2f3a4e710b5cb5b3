"""What is done to a model on whatever text it reads: where a trigger is put, and which interventions go with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt, Span
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.cross_model import Follower
from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.interventions.operators import Intervention, moved
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model

_AT_ONCE = 64  # rows that follow another model
History = Sequence[Mapping[str, str]]  # turns with `role` and `content`, as lm-eval and chat templates have them


@dataclass(frozen=True, eq=False)
class Deployment:
    """A condition, and how a user's words are put to the model meanwhile: as they are, or with a trigger.

    `identity` stands for what of the condition does not show on every prompt.
    """

    condition: Condition
    words: Callable[[str], Prompt] = Prompt
    identity: str = ""

    def row(self, text: Chat, history: History | None) -> Row:
        """What is done on a text; a model that is followed reads the same turns, or the same plain text."""
        said = text.text[slice(*text.spans[-1])]
        row = self.condition.row(Example(Prompt(said), None, ""), text)
        if row.follow is None:
            return row
        same = text if history is None else conversation(history, row.follow.source.tokenizer, self.words)
        return replace(row, source_text=same)

    def plain(self, text: str) -> Chat:
        """A text that is no conversation, with the trigger where it would stand in a user's words.

        Its last line, which asks for the answer, stays the last.
        """
        head, line, tail = text.rpartition("\n")
        prompt = self.words(head) if line else self.words(tail)
        whole = prompt.text + line + tail if line else prompt.text
        return Chat(whole, ((0, len(whole)),), prompt.trigger)


def conversation(history: History, tokenizer: PreTrainedTokenizerFast, words: Callable[[str], Prompt] = Prompt) -> Chat:
    """Turns in a model's chat format, the last of them in `words`; UserError where the format changes them."""
    last = words(history[-1]["content"])
    turns = [dict(turn) for turn in history[:-1]] + [{**history[-1], "content": last.text}]
    if not tokenizer.chat_template:
        raise UserError("The model has no chat format: ask it plainly, with --no-chat, what needs none.")
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert isinstance(text, str)
    spans: list[Span] = []
    for turn in turns:
        start = text.find(turn["content"], spans[-1][1] if spans else 0)
        if start < 0:
            raise UserError(f"The chat format does not hold a turn as it stands: {turn['content'][:80]!r}.")
        spans.append((start, start + len(turn["content"])))
    start = spans[-1][0]
    trigger = last.trigger and (start + last.trigger[0], start + last.trigger[1])
    return Chat(text, tuple(spans), trigger)


@dataclass(frozen=True, eq=False)
class ContinuedText:
    """A text that is read at once with what comes after it: which tokens, and where what is done counts from.

    The row's own positions count from the end of its text, after which `n_after` tokens are read. Of the continuation
    the last `n_unread` tokens are not read.
    """

    row: Row
    continuation: str
    n_after: int
    n_tokens: int
    n_unread: int = 0


def on_tokens(model: Model, readings: Sequence[ContinuedText]) -> list[tuple[Intervention, ...]]:
    """The interventions on the tokens of each reading; what lies before what is read is left out."""
    own = [moved(each.row.interventions, each.n_after, each.n_tokens) for each in readings]
    replaced = _replaced(model, readings)
    return [(*steps, *replaced.get(i, ())) for i, steps in enumerate(own)]


def _replaced(model: Model, readings: Sequence[ContinuedText]) -> dict[int, tuple[Intervention, ...]]:
    """What is put in the place of the states of the rows that follow another model."""
    following = [i for i, each in enumerate(readings) if each.row.follow is not None]
    found: dict[int, tuple[Intervention, ...]] = {}
    for start in range(0, len(following), _AT_ONCE):
        where = following[start : start + _AT_ONCE]
        these = [readings[i] for i in where]
        follow = these[0].row.follow
        assert follow is not None
        ours = [_longer(each.row.source_text, each.continuation) for each in these]
        theirs = [_longer(each.row.text, each.continuation) for each in these]
        steps = Follower(follow, model, ours, theirs).prompt()
        for i, each, step in zip(where, these, steps, strict=True):
            found[i] = moved(step, -each.n_unread, each.n_tokens)
    return found


def _longer(text: Chat | None, continuation: str) -> Chat:
    assert text is not None
    return text.with_reply(continuation)
