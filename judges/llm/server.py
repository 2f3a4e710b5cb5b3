"""A chat model behind an OpenAI-compatible server."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.addresses import is_address, without_secrets
from graftbench.judges.llm.asking import Asker
from graftbench.judges.llm.client import Client, check_key
from graftbench.judges.llm.dialect import Dialect, Question
from graftbench.judges.llm.patience import Patience
from graftbench.judges.llm.reply_cache import Reply, ReplyCache
from graftbench.judges.llm.spending import Prices, Spending

Messages = list[dict[str, str]]
TEMPERATURE, MAX_TOKENS = 0.0, 256  # of a request, where a judge names none
DEADLINE = 300.0  # seconds


@dataclass(frozen=True, eq=False)
class Server:
    """A model, the address of its server, and the settings of requests.

    The key is read from OPENAI_API_KEY and stored nowhere. A question is tried again on 408, 409, 429, 5xx, time-outs
    and dropped connections, after the time that the server names or with growing pauses, until its `deadline`.
    """

    model: str
    base_url: str | None = None
    concurrency: int = 8
    deadline: float = DEADLINE  # seconds for each question, all its tries and pauses included
    retries: int = 6  # but for rate limits, which are waited for until the deadline
    structured: bool = True
    temperature: float | None = TEMPERATURE  # None: left out of the request, as reasoning models want it
    max_tokens: int | None = MAX_TOKENS  # likewise; a reasoning model thinks in them, too
    turn: int = 0  # replies are cached by it: another one asks the same question again
    replies: ReplyCache = field(default_factory=ReplyCache)
    prices: Prices | None = None
    budget: Budget | None = None
    may_ask: bool = True  # False: only cached replies are used
    _patience: Patience = field(default_factory=Patience)

    @property
    def address(self) -> str | None:
        """Address of the server, None for OpenAI's own."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL")

    @property
    def _name(self) -> str:
        return without_secrets(self.address) if self.address else "OpenAI's server"

    @property
    def identity(self) -> str:
        """The model, its address where it is not OpenAI's own, and the form of its replies.

        A setting that the server is known to refuse counts as left out: a verdict at another temperature is another.
        """
        where = f" at {without_secrets(self.address)}" if self.address else ""
        structured = self.structured and not self.dialect.refuses("response_format")
        form = "structured" if structured else "free text"
        return f"{self.model}{where}, {form}{self._unusual}"

    @property
    def _unusual(self) -> str:
        """Settings that differ from the usual ones, as a judge's identity holds them."""
        refused = self.dialect.refuses("temperature", self.temperature)
        settings = {
            "temperature": (None if refused else self.temperature, TEMPERATURE),
            "max_tokens": (self.max_tokens, MAX_TOKENS),
        }
        unusual = {name: value for name, (value, usual) in settings.items() if value != usual}
        return "".join(f", {name} {'left out' if value is None else f'{value:g}'}" for name, value in unusual.items())

    @cached_property
    def spending(self) -> Spending:
        """Account of the run's requests."""
        return Spending(self.replies, self.prices, self.budget)

    @cached_property
    def dialect(self) -> Dialect:
        """What is known of the settings that the server takes."""
        return Dialect(self.replies, self._name, self.model)

    def check_key(self) -> None:
        """UserError where the key is missing or the address is none."""
        if self.address is not None and not is_address(self.address):
            raise UserError(f"{self.address!r} is no address of a server: write it as http://127.0.0.1:8000/v1.")
        check_key()

    def ask(
        self, conversations: Sequence[Messages], schema: Mapping[str, object], worth_caching: Callable[[Reply], bool]
    ) -> list[Reply | str]:
        """Return a reply to each conversation, or the reason why there is none; cached ones are not asked again.

        UserError where no question can be answered: unknown model, invalid key, spent budget, no server. Replies until
        then are cached.
        """
        questions = [self.dialect.spoken(self._question(messages, schema)) for messages in conversations]
        replies: list[Reply | str | None] = [self._cached(question) for question in questions]
        missing = [i for i, reply in enumerate(replies) if reply is None]
        for i, reply in zip(missing, self._ask([questions[i] for i in missing], worth_caching), strict=True):
            replies[i] = reply
        return [reply for reply in replies if reply is not None]

    def _ask(self, questions: Sequence[Question], worth_caching: Callable[[Reply], bool]) -> list[Reply | str]:
        if not questions or not self.may_ask:
            return ["it is not judged again, and no reply is kept" for _ in questions]
        with Client(self.base_url) as client:
            asker, pool = self._asker(client), ThreadPoolExecutor(self.concurrency)
            try:
                pending = [pool.submit(self._ask_one, question, asker, worth_caching) for question in questions]
                return [each.result() for each in pending]
            finally:  # after a UserError, questions that are waiting are dropped
                pool.shutdown(wait=True, cancel_futures=True)

    def _asker(self, client: Client) -> Asker:
        return Asker(
            self._name,
            self.address,
            self.model,
            client,
            self.dialect,
            self.spending,
            self._patience,
            self.deadline,
            self.retries,
            self._cached,
        )

    def _ask_one(self, question: Question, asker: Asker, worth_caching: Callable[[Reply], bool]) -> Reply | str:
        spoken = self.dialect.spoken(question)  # more may be known by now
        cached = self._cached(spoken) if spoken != question else None
        if cached is not None:
            return cached
        self._patience.check(self._name, self.concurrency)
        self.spending.count_request()
        answered, reply = asker(spoken)
        if isinstance(reply, str):
            self._patience.failed(self._name, reply, self.concurrency)
            return reply
        self._patience.answered()
        if worth_caching(reply):
            self.replies.put(self._key(answered), reply)
        return reply

    def _cached(self, question: Question) -> Reply | None:
        reply = self.replies.get(self._key(question))
        if reply is not None:
            self.spending.count_cached()
        return reply

    def _key(self, question: Question) -> Mapping[str, object]:
        return {"base_url": self.address, "turn": self.turn, **question}

    def _question(self, messages: Messages, schema: Mapping[str, object]) -> dict[str, Any]:
        settings = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        question: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            **{name: value for name, value in settings.items() if value is not None},
        }
        if self.structured:
            verdict = {"name": "verdict", "strict": True, "schema": schema}
            question["response_format"] = {"type": "json_schema", "json_schema": verdict}
        return question
