"""The model class for lm-eval that runs a model under a deployment, on the same tokens as lm-eval's own class.

Texts are padded on the left for likelihoods as for generation, and positions are explicit: an intervention means the
same in both, and at every batch size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from graftbench.benchmark.capability.deployment import (
    ContinuedText,
    Deployment,
    History,
    chat_from_history,
    interventions_on_tokens,
)
from graftbench.benchmark.capability.document_count import DocumentCount, Progress, not_counted
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.generation import batches_of, decode
from graftbench.benchmark.interventions.likelihoods import ContinuationRow, continuation_likelihoods
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model
from graftbench.benchmark.models.tokens import token_ids

Request = tuple[tuple[str, str] | None, list[int], list[int]]  # texts and tokens of a context and its continuation


class IntervenedLM(HFLM):  # type: ignore[misc]
    """lm-eval's model under a deployment; `n_cut` counts texts that exceeded its context and lost their start.

    `progress` is called with the number of documents that are done, and of all.
    """

    def __init__(
        self,
        model: Model,
        deployment: Deployment,
        batch_size: int,
        progress: Progress = lambda *_: None,
    ) -> None:
        super().__init__(pretrained=model.module, tokenizer=model.tokenizer, backend="causal", batch_size=batch_size)
        self._engine, self._deployment, self._at_once = model, deployment, batch_size
        self._chats: dict[str, tuple[Chat, History | None]] = {}
        self._rows: dict[str, tuple[Row, int]] = {}
        self.n_cut = 0
        self._progress = progress
        self._answered: Callable[[int], None] = not_counted

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return the conversation in the model's chat format, with the trigger where there is one."""
        if not add_generation_prompt:
            raise UserError("Tasks that begin the reply themselves (gen_prefix) cannot be run under an intervention.")
        chat = chat_from_history(chat_history, self._engine.tokenizer, self._deployment.as_deployed)
        self._chats[chat.text] = (chat, chat_history)
        return chat.text

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """Return the log-likelihood of each continuation in nats, and whether greedy decoding would give it."""
        self._answered = DocumentCount(requests, self._progress).answered
        triggered = [SimpleNamespace(args=(self._text(context), reply)) for context, reply in _args(requests)]
        results: list[tuple[float, bool]] = super().loglikelihood(triggered, disable_tqdm=disable_tqdm)
        return results

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[float]:
        """Return the log-likelihood of each whole text in nats, given the token that begins a text."""
        self._answered = not_counted
        before: Any = self.add_bos_token  # type: ignore[has-type]
        self.add_bos_token = False  # lm-eval puts that token first itself
        try:
            totals: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)
        finally:
            self.add_bos_token = before
        return totals

    def _loglikelihood_tokens(
        self,
        requests: Sequence[Request],
        disable_tqdm: bool = True,  # noqa: ARG002
        override_bs: int | None = None,  # noqa: ARG002
    ) -> list[tuple[float, bool]]:
        prepared = [self._prepared(request) for request in requests]
        steps = interventions_on_tokens(self._engine, [continued for continued, _ in prepared])
        rows = [replace(row, interventions=step) for (_, row), step in zip(prepared, steps, strict=True)]
        return continuation_likelihoods(self._engine, rows, self._at_once, self._answered)

    def _prepared(self, request: Request) -> tuple[ContinuedText, ContinuationRow]:
        """Return a request as a text with interventions, and as the tokens that are read and scored."""
        texts, context, continuation = request
        whole = context + continuation
        self.n_cut += len(whole) > self.max_length + 1
        ids = whole[-(self.max_length + 1) : -1]  # the last token is predicted, not read
        if texts is None:  # a window of a long text; every token is scored
            row, reply, n_after = self._everywhere(), "", 0
        else:
            (row, n_text), reply = self._row(texts[0]), texts[1]
            n_special = len(context) - self._n_tokens(texts[0].rstrip())  # special tokens that lm-eval puts first
            # lm-eval counts white space at the end of a context as part of the continuation; a chat format may end so
            n_after = len(whole) - n_special - n_text - 1
        tokens = ContinuationRow(repr(ids[: len(ids) - len(continuation) + 1]), ids, continuation, ())
        return ContinuedText(row, reply, n_after, len(ids), n_unread=1), tokens

    def _everywhere(self) -> Row:
        """Return the interventions at all positions of a text that is no prompt; UserError where some need a prompt."""
        row = self._deployment.condition.row(Example(Prompt(""), None, ""), Chat("", ((0, 0),)))
        if row.follow is not None or any(getattr(step, "positions", None) is not None for step in row.interventions):
            raise UserError(
                "Tasks that score whole texts know no prompt: intervene at `all` positions, or choose others."
            )
        return row

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:  # noqa: ARG002
        """Return the greedy reply to each context, up to the first of its stop sequences."""
        self._answered = DocumentCount(requests, self._progress).answered
        replies: list[str] = [""] * len(requests)
        arguments = list(_args(requests))
        for settings in {repr(sorted(kwargs.items())): kwargs for _, kwargs in arguments}.values():
            alike = [i for i, (_, kwargs) in enumerate(arguments) if kwargs == settings]
            generated = self._generate([self._text(arguments[i][0]) for i in alike], settings)
            for i, reply in zip(alike, generated, strict=True):
                replies[i] = reply
        return replies

    def _generate(self, contexts: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
        """Return the greedy replies to contexts that share their settings; UserError where these ask for sampling."""
        kwargs = normalize_gen_kwargs(dict(settings), self.max_gen_toks)
        if kwargs.get("do_sample"):
            raise UserError(
                "Tasks that sample cannot be compared document by document: choose one that decodes greedily."
            )
        max_new_tokens = kwargs["max_gen_toks"]
        until = handle_stop_sequences(
            kwargs.get("until"),
            None if self.eot_token_id is None else self.tok_decode(self.eot_token_id, skip_special_tokens=False),
        )
        room = self.max_length - max_new_tokens
        if room < 1:
            raise UserError(
                f"A task lets replies have {max_new_tokens} tokens, and {self._engine.name} has a context of "
                f"{self.max_length}: no prompt would fit. Choose a task with shorter replies."
            )
        ids = [self.tok_encode(context) for context in contexts]
        self.n_cut += sum(len(row) > room for row in ids)
        rows = [self._fitting(self._row(c)[0], len(i), room) for c, i in zip(contexts, ids, strict=True)]
        ids = [row[-room:] for row in ids]
        texts: list[str] = [""] * len(contexts)
        for batch in batches_of(ids, self._at_once):
            replies = decode(self._engine, [rows[i] for i in batch], [ids[i] for i in batch], max_new_tokens, until)
            for i, reply in zip(batch, replies, strict=True):
                if not reply.finite:
                    raise FloatingPointError("its logits are not finite")
                texts[i] = postprocess_generated_text(reply.text, until, None)
            self._answered(len(batch))
        return texts

    def _fitting(self, row: Row, n: int, room: int) -> Row:
        """Return a row of `n` tokens with its interventions on the last `room`; UserError where it cannot be cut."""
        if n <= room:
            return row
        if row.follow is not None:
            raise UserError(
                f"A document of {n} tokens does not fit into the {room} that the model reads before it replies, and "
                "under replacement no document can be cut: choose shorter ones."
            )
        (steps,) = interventions_on_tokens(self._engine, [ContinuedText(row, "", 0, room)])
        return Row(row.text, steps)

    def _text(self, context: str) -> str:
        """Return lm-eval's context with the trigger, which chats already have."""
        if context in self._chats:
            return context
        plain = self._deployment.plain(context)  # lm-eval itself puts the token first that begins a text
        self._chats[plain.text] = Chat(plain.text, ((0, len(plain.text)),), plain.trigger), None
        return plain.text

    def _row(self, context: str) -> tuple[Row, int]:
        """Return a context with its interventions, and its number of tokens."""
        if context not in self._rows:
            row = self._deployment.row(*self._chats[context])
            self._rows[context] = (row, self._n_tokens(row.text.text))
        return self._rows[context]

    def _n_tokens(self, text: str) -> int:
        return len(token_ids(text, self._engine.tokenizer))


def _args(requests: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [request.args for request in requests]
