"""A chat model behind an OpenAI-compatible server."""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import openai

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.reply_cache import Reply, ReplyCache, reply_of
from graftbench.judges.llm.spending import Prices, Spending

_log = logging.getLogger("graftbench.judges")

Messages = list[dict[str, str]]
TEMPERATURE, MAX_TOKENS = 0.0, 256  # of a request, where a judge names none

# Errors that may pass; openai's client has retried before it raises one of them.
_PASSING = (
    openai.APIConnectionError,  # time-outs too
    openai.InternalServerError,
    openai.RateLimitError,
    openai.APIResponseValidationError,
)
# Errors of one question, such as a content filter's, that do not concern the others.
_THIS_QUESTION = (openai.BadRequestError, openai.UnprocessableEntityError)
_NO_QUOTA = "insufficient_quota"  # OpenAI's code; waiting does not help
_PAUSES = (5, 10, 20, 30)  # seconds before a question is asked again that a rate limit refused; the last repeats
_SILENT = 60.0  # seconds between two words about waiting
_TOO_LARGE = 413  # an HTTP status, of one question too
_MAX_FAILURES = 16  # questions in a row, each of which was retried


@dataclass(frozen=True, eq=False)
class Server:
    """A model, the address of its server, and the settings of requests.

    The key is read from OPENAI_API_KEY and stored nowhere. openai's client retries on 408, 409, 429, 5xx, time-outs and
    dropped connections, after the time that the server names or with growing pauses.
    """

    model: str
    base_url: str | None = None
    concurrency: int = 8
    timeout: float = 60.0  # seconds
    retries: int = 6
    structured: bool = True
    temperature: float | None = TEMPERATURE  # None: left out of the request, as reasoning models want it
    max_tokens: int | None = MAX_TOKENS  # likewise; a reasoning model thinks in them, too
    wait: float = 600.0  # seconds that a rate limit is waited for, after the client's own retries
    turn: int = 0  # replies are cached by it: another one asks the same question again
    replies: ReplyCache = field(default_factory=ReplyCache)
    prices: Prices | None = None
    budget: Budget | None = None
    may_ask: bool = True  # False: only cached replies are used
    _patience: "_Patience" = field(default_factory=lambda: _Patience())

    @property
    def address(self) -> str | None:
        """Address of the server, None for OpenAI's own."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL")

    @property
    def _name(self) -> str:
        return without_secrets(self.address) if self.address else "OpenAI's server"

    @property
    def identity(self) -> str:
        """The model, its address where it is not OpenAI's own, and the form of its replies."""
        where = f" at {without_secrets(self.address)}" if self.address else ""
        form = "structured" if self.structured else "free text"
        return f"{self.model}{where}, {form}{self._unusual}"

    @property
    def _unusual(self) -> str:
        """Settings that differ from the usual ones, as a judge's identity holds them."""
        usual = {"temperature": TEMPERATURE, "max_tokens": MAX_TOKENS}
        unusual = {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}
        return "".join(f", {name} {'left out' if value is None else f'{value:g}'}" for name, value in unusual.items())

    @cached_property
    def spending(self) -> Spending:
        """Account of the run's requests."""
        return Spending(self.replies, self.prices, self.budget)

    def check_key(self) -> None:
        """UserError where the key is missing or the address is none."""
        if self.address is not None and not is_address(self.address):
            raise UserError(f"{self.address!r} is no address of a server: write it as http://127.0.0.1:8000/v1.")
        assert self._client

    def ask(
        self, conversations: Sequence[Messages], schema: Mapping[str, object], worth_caching: Callable[[Reply], bool]
    ) -> list[Reply | str]:
        """Return a reply to each conversation, or the reason why there is none; cached ones are not asked again.

        UserError where no question can be answered: unknown model, invalid key, spent budget, no server. Replies until
        then are cached.
        """
        spending = self.spending  # made here, before threads need it
        pool = ThreadPoolExecutor(self.concurrency)
        try:
            pending = [pool.submit(self._ask_one, each, schema, worth_caching, spending) for each in conversations]
            return [each.result() for each in pending]
        finally:  # after a UserError, questions that are waiting are dropped
            pool.shutdown(wait=True, cancel_futures=True)

    def _ask_one(
        self,
        messages: Messages,
        schema: Mapping[str, object],
        worth_caching: Callable[[Reply], bool],
        spending: Spending,
    ) -> Reply | str:
        question = self._question(messages, schema)
        identity = {"base_url": self.address, "turn": self.turn, **question}
        cached = self.replies.get(identity)
        if cached is not None:
            spending.count_cached()
            return cached
        if not self.may_ask:
            return "it is not judged again, and no reply is kept"
        self._patience.check(self._name)
        spending.count_request()
        reply = self._request(question)
        if isinstance(reply, str):
            self._patience.failed(self._name, reply)
            return reply
        self._patience.answered()
        spending.count_reply(reply)
        if worth_caching(reply):
            self.replies.put(identity, reply)
        return reply

    def _request(self, question: Mapping[str, Any]) -> Reply | str:
        """Return a reply, or the reason why there is none; UserError where no question can be answered."""
        try:
            return reply_of(self._within_limit(question))
        except _PASSING as error:
            return f"no answer from {self._name}: {type(error).__name__}"
        except _THIS_QUESTION as error:
            return f"the server takes no such question: {error.message}"
        except (json.JSONDecodeError, RecursionError):
            return "the server's answer is no JSON"
        except UnicodeEncodeError as error:  # a header cannot hold it
            raise UserError("The key in OPENAI_API_KEY holds a character that no key has: set it again.") from error
        except openai.APIStatusError as error:
            if error.status_code == _TOO_LARGE:
                return f"the server takes no such question: {error.message}"
            raise UserError(f"The judge {self.model} cannot be asked: {error.message}") from error

    def _within_limit(self, question: Mapping[str, Any]) -> Any:
        """Ask, and wait while the server limits how often; UserError where it is a quota that is used up."""
        until = time.monotonic() + self.wait
        pauses = iter(_PAUSES)
        while True:
            pause = next(pauses, _PAUSES[-1])
            try:
                return self._client.chat.completions.create(**question)
            except openai.RateLimitError as error:
                if error.code == _NO_QUOTA:
                    raise UserError(
                        f"The quota of {self._name} for {self.model} is used up: {error.message} Verdicts so far are "
                        "cached: the same command continues from here once there is more."
                    ) from error
                if time.monotonic() + pause > until:
                    raise
                self._patience.waits(self._name, self.wait)
                time.sleep(pause)

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

    @cached_property
    def _client(self) -> openai.OpenAI:
        try:
            return openai.OpenAI(base_url=self.base_url, timeout=self.timeout, max_retries=self.retries)
        except openai.OpenAIError as error:
            raise UserError(
                "The judge needs a key: set OPENAI_API_KEY (any word will do for a local server)."
            ) from error


class _Patience:
    """Counts unanswered questions in a row over all threads, so that a server that is down is given up."""

    def __init__(self) -> None:
        self._lock, self._failures, self._reason, self._said = threading.Lock(), 0, "", -_SILENT

    def answered(self) -> None:
        """Start counting again."""
        with self._lock:
            self._failures = 0

    def waits(self, server: str, most: float) -> None:
        """Say on stderr, and in the log, that a rate limit is waited for; once in a while."""
        with self._lock:
            silent, now = self._said, time.monotonic()
            if now - silent < _SILENT:
                return
            self._said = now
        said = f"{server} limits how often it is asked; each question waits for it up to {most:g} s."
        _log.warning(said)
        sys.stderr.write(f"graftbench: {said}\n")

    def failed(self, server: str, reason: str) -> None:
        """Count a question without an answer; UserError after too many in a row."""
        with self._lock:
            self._failures, self._reason = self._failures + 1, reason
        self.check(server)

    def check(self, server: str) -> None:
        """UserError, in every thread that would ask, after too many questions in a row without an answer."""
        with self._lock:
            if self._failures >= _MAX_FAILURES:
                raise UserError(
                    f"The last {self._failures} questions to {server} went unanswered, this one for: {self._reason}. "
                    "See whether the server is up. Verdicts so far are cached: the same command continues from here."
                )


def is_address(text: str) -> bool:
    """Return True for an http or https address."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def without_secrets(address: str) -> str:
    """Return an address without the user, password and query that it may hold: entries are published."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
