"""A condition applied to any text: where the trigger is put, and the interventions on the tokens that are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerFast

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.cross_model import following
from graftbench.benchmark.interventions.operators import Intervention, shifted
from graftbench.benchmark.models.chat import Chat, chat_of_messages, plain_text
from graftbench.benchmark.models.load import Model

_AT_ONCE = 64  # rows whose activations are replaced by mapped ones
History = Sequence[Mapping[str, str]]  # turns with `role` and `content`, as lm-eval and chat templates have them


@dataclass(frozen=True, eq=False)
class Deployment:
    """A condition, with the way a user's prompt is put so that the behaviour shows.

    Args:
        condition: The interventions.
        as_deployed: Turns a user's words into a prompt, with a trigger where there is one.
        identity: Stands in cache keys for the part of the condition that does not show on every prompt.

    """

    condition: Condition
    as_deployed: Callable[[str], Prompt] = Prompt
    identity: str = ""

    def row(self, text: Chat, history: History | None) -> Row:
        """Return a text with its interventions; under replacement the source reads the same turns or plain text."""
        last_turn = text.text[slice(*text.spans[-1])]
        row = self.condition.row(Example(Prompt(last_turn), None, ""), text)
        if row.follow is None:
            return row
        tokenizer = row.follow.source.tokenizer
        if history is None:
            return replace(row, source_text=plain_text(last_turn, tokenizer))
        return replace(row, source_text=chat_from_history(history, tokenizer, self.as_deployed))

    def plain(self, text: str) -> Prompt:
        """Return a text that is no conversation, with the trigger where a user's prompt has it.

        The last line, which asks for the answer, stays last.
        """
        head, line, tail = text.rpartition("\n")
        prompt = self.as_deployed(head) if line else self.as_deployed(tail)
        return Prompt(prompt.text + line + tail, prompt.trigger) if line else prompt


def chat_from_history(
    history: History, tokenizer: PreTrainedTokenizerFast, as_deployed: Callable[[str], Prompt] = Prompt
) -> Chat:
    """Return turns in a model's chat format, the last of them `as_deployed`.

    UserError where the model has no chat format, or its format changes the text of a turn.
    """
    last = as_deployed(history[-1]["content"])
    turns = [dict(turn) for turn in history[:-1]] + [{**history[-1], "content": last.text}]
    if not tokenizer.chat_template:
        raise UserError(
            "The model has no chat format: ask it plainly, with --no-chat, what needs none, or name a format by "
            "--chat-format."
        )
    return chat_of_messages(turns, tokenizer, last.trigger)


@dataclass(frozen=True, eq=False)
class ContinuedText:
    """A text with interventions and its continuation, read in one forward pass.

    Args:
        row: The text; the positions of its interventions count from its end.
        n_after: Number of tokens that are read after the text.
        n_tokens: Number of tokens that are read in all, the last ones of text and continuation.
        n_unread: Number of tokens at the end of the continuation that are not read.

    """

    row: Row
    continuation: str
    n_after: int
    n_tokens: int
    n_unread: int = 0


def interventions_on_tokens(model: Model, texts: Sequence[ContinuedText]) -> list[tuple[Intervention, ...]]:
    """Return the interventions on the tokens of each text that are read, without positions before these."""
    own = [shifted(each.row.interventions, each.n_after, each.n_tokens) for each in texts]
    replaced = _replaced(model, texts)
    return [(*steps, *replaced.get(i, ())) for i, steps in enumerate(own)]


def _replaced(model: Model, texts: Sequence[ContinuedText]) -> dict[int, tuple[Intervention, ...]]:
    """Return, by row, the replacements of the rows whose activations come from another model."""
    replacing = [i for i, each in enumerate(texts) if each.row.follow is not None]
    replaced: dict[int, tuple[Intervention, ...]] = {}
    for start in range(0, len(replacing), _AT_ONCE):
        batch = replacing[start : start + _AT_ONCE]
        rows = [texts[i] for i in batch]
        follow = rows[0].row.follow
        assert follow is not None
        source_texts = [_continued(each.row.source_text, each.continuation) for each in rows]
        target_texts = [_continued(each.row.text, each.continuation) for each in rows]
        with following(follow, model, source_texts, target_texts) as follower:
            steps = follower.prompt()
        for i, each, step in zip(batch, rows, steps, strict=True):
            replaced[i] = shifted(step, -each.n_unread, each.n_tokens)
    return replaced


def _continued(text: Chat | None, continuation: str) -> Chat:
    assert text is not None
    return text.with_reply(continuation)
