"""A model under an intervention as lm-eval sees it: the same tokens as lm-eval's own, read by this package's engine.

Texts are padded on the left for likelihoods as for generation, and positions are explicit, so that an intervention
means the same in both, and whatever the batch size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from graftbench.benchmark.capability.deployment import ContinuedText, Deployment, History, conversation, on_tokens
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.generation import Row, batches_of, decode
from graftbench.benchmark.interventions.logits import ContinuationRow, continuation_likelihoods
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids

Request = tuple[tuple[str, str] | None, list[int], list[int]]  # texts, and the tokens of context and continuation


class Intervened(HFLM):  # type: ignore[misc]
    """lm-eval's model, with something done to it. `n_cut` texts were longer than its context, and lost their start."""

    def __init__(self, model: Model, doing: Deployment, batch_size: int) -> None:
        super().__init__(pretrained=model.module, tokenizer=model.tokenizer, backend="causal", batch_size=batch_size)
        self._it, self._doing, self._at_once = model, doing, batch_size
        self._chats: dict[str, tuple[Chat, History | None]] = {}
        self._rows: dict[str, tuple[Row, int]] = {}
        self.n_cut = 0

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The conversation in the model's chat format, with the trigger where there is one."""
        if not add_generation_prompt:
            raise UserError("Tasks that begin the reply themselves (gen_prefix) cannot be run under an intervention.")
        found = conversation(chat_history, self._it.tokenizer, self._doing.words)
        self._chats[found.text] = (found, chat_history)
        return found.text

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """The log-likelihood of each continuation in nats, and whether each of its tokens is the likeliest."""
        asked = [SimpleNamespace(args=(self._text(context), continuation)) for context, continuation in _args(requests)]
        found: list[tuple[float, bool]] = super().loglikelihood(asked, disable_tqdm=disable_tqdm)
        return found

    def _loglikelihood_tokens(
        self,
        requests: Sequence[Request],
        disable_tqdm: bool = True,  # noqa: ARG002
        override_bs: int | None = None,  # noqa: ARG002
    ) -> list[tuple[float, bool]]:
        readings = [self._reading(request) for request in requests]
        steps = on_tokens(self._it, [reading for reading, _ in readings])
        rows = [replace(read, interventions=done) for (_, read), done in zip(readings, steps, strict=True)]
        return continuation_likelihoods(self._it, rows, self._at_once)

    def _reading(self, request: Request) -> tuple[ContinuedText, ContinuationRow]:
        texts, context, continuation = request
        whole = context + continuation
        self.n_cut += len(whole) > self.max_length + 1
        ids = whole[-(self.max_length + 1) : -1]  # the last token is predicted, and not read
        if texts is None:  # a window of a long text, of which every token is a continuation
            row, said, n_after = self._everywhere(), "", 0
        else:
            (row, n_text), said = self._row(texts[0]), texts[1]
            n_special = len(context) - self._n_tokens(texts[0].rstrip())  # what lm-eval puts before it
            # lm-eval counts white space at the end of a context, with which a format may end, as continuation
            n_after = len(whole) - n_special - n_text - 1
        read = ContinuationRow(repr(ids[: len(ids) - len(continuation) + 1]), ids, continuation, ())
        return ContinuedText(row, said, n_after, len(ids), n_unread=1), read

    def _everywhere(self) -> Row:
        """What is done at all positions of a text that is no prompt."""
        row = self._doing.condition.row(Example(Prompt(""), None, ""), Chat("", ((0, 0),)))
        if row.follow is not None or any(getattr(step, "positions", None) is not None for step in row.interventions):
            raise UserError(
                "Tasks that score whole texts know no prompt: intervene at `all` positions, or choose others."
            )
        return row

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:  # noqa: ARG002
        """What is said to each context, greedily, up to the first of its stop sequences."""
        found: list[str] = [""] * len(requests)
        asked = list(_args(requests))
        for settings in {repr(sorted(kwargs.items())): kwargs for _, kwargs in asked}.values():
            where = [i for i, (_, kwargs) in enumerate(asked) if kwargs == settings]
            replies = self._generate([self._text(asked[i][0]) for i in where], settings)
            for i, reply in zip(where, replies, strict=True):
                found[i] = reply
        return found

    def _generate(self, contexts: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
        how = normalize_gen_kwargs(dict(settings), self.max_gen_toks)
        if how.get("do_sample"):
            raise UserError(
                "Tasks that sample cannot be compared document by document: choose one that decodes greedily."
            )
        most = how["max_gen_toks"]
        until = handle_stop_sequences(how.get("until"), self.tok_decode(self.eot_token_id, skip_special_tokens=False))
        room = self.max_length - most
        ids = [self.tok_encode(context) for context in contexts]
        self.n_cut += sum(len(row) > room for row in ids)
        rows = [self._fitting(self._row(c)[0], len(i), room) for c, i in zip(contexts, ids, strict=True)]
        ids = [row[-room:] for row in ids]
        found: list[str] = [""] * len(contexts)
        for batch in batches_of(ids, self._at_once):
            replies = decode(self._it, [rows[i] for i in batch], [ids[i] for i in batch], most)
            for i, reply in zip(batch, replies, strict=True):
                if not reply.finite:
                    raise FloatingPointError("its logits are not finite")
                found[i] = postprocess_generated_text(reply.text, until, None)
        return found

    def _fitting(self, row: Row, n: int, room: int) -> Row:
        if n <= room:
            return row
        if row.follow is not None:
            raise UserError(
                f"A document of {n} tokens does not fit into the {room} that the model reads before it replies, and "
                "under replacement no document can be cut: choose shorter ones."
            )
        (steps,) = on_tokens(self._it, [ContinuedText(row, "", 0, room)])
        return Row(row.text, steps)

    def _text(self, context: str) -> str:
        """What is read in the place of lm-eval's context: with the trigger, which chats have in them already."""
        if context in self._chats:
            return context
        found = self._doing.plain(context)
        self._chats[found.text] = (found, None)
        return found.text

    def _row(self, context: str) -> tuple[Row, int]:
        """What is done on a context, and how many tokens it has."""
        if context not in self._rows:
            row = self._doing.row(*self._chats[context])
            self._rows[context] = (row, self._n_tokens(row.text.text))
        return self._rows[context]

    def _n_tokens(self, text: str) -> int:
        return len(token_ids(text, self._it.tokenizer))


def _args(requests: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [request.args for request in requests]
