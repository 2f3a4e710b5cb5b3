"""A chat model behind an OpenAI-compatible server."""

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import openai

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.replies import Replies, Reply
from graftbench.judges.llm.spending import Prices, Spending

Messages = list[dict[str, str]]

# What may be otherwise the next time; openai's client has tried again before it raises one of them.
_PASSING = (
    openai.APIConnectionError,  # time-outs too
    openai.InternalServerError,
    openai.RateLimitError,
    openai.APIResponseValidationError,
)
_MOST_FAILURES = 16  # questions in a row, each of which was tried several times

_TOO_LARGE = 413  # a status

# What a server holds against one question, such as a filter, and not against all.
_THIS_ONE = (openai.BadRequestError, openai.UnprocessableEntityError)


@dataclass(frozen=True, eq=False)
class Server:
    """A model, where it is served, and how it is asked: so many requests at once, so patiently.

    The key is read from OPENAI_API_KEY and kept nowhere. openai's own client tries again on 408, 409, 429, 5xx,
    time-outs and dropped connections, as long as the server asks for, or ever longer.
    """

    model: str
    base_url: str | None = None
    at_once: int = 8
    seconds: float = 60.0
    retries: int = 6
    structured: bool = True
    most_tokens: int = 256
    turn: int = 0  # to ask the same again
    replies: Replies = field(default_factory=Replies)
    prices: Prices | None = None
    budget: Budget | None = None
    asked: bool = True  # or nothing is said but what is kept
    _patience: "_Patience" = field(default_factory=lambda: _Patience())

    @property
    def served_at(self) -> str | None:
        """The address, None for OpenAI's own."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL")

    @property
    def _where(self) -> str:
        return without_secrets(self.served_at) if self.served_at else "OpenAI's server"

    @property
    def identity(self) -> str:
        """The model, its address where it is not OpenAI's own, and the form of its replies."""
        where = f" at {without_secrets(self.served_at)}" if self.served_at else ""
        return f"{self.model}{where}, {'structured' if self.structured else 'free text'}"

    @cached_property
    def spending(self) -> Spending:
        """The account that requests are counted on."""
        return Spending(self.replies, self.prices, self.budget)

    def check_key(self) -> None:
        """UserError where there is no key to ask with, or no address to ask at."""
        where = self.served_at
        if where is not None and not is_address(where):
            raise UserError(f"{where!r} is no address of a server: write it as http://127.0.0.1:8000/v1.")
        assert self._client

    def ask(
        self, conversations: Sequence[Messages], schema: Mapping[str, object], worth_keeping: Callable[[Reply], bool]
    ) -> list[Reply | str]:
        """A reply to each conversation, or why there is none; those that are kept are not asked again.

        UserError where no question can be answered (no such model, no valid key, the budget is spent, nobody there);
        what was answered until then is kept.
        """
        spending = self.spending  # made here, before threads need it
        pool = ThreadPoolExecutor(self.at_once)
        try:
            asked = [pool.submit(self._one, messages, schema, worth_keeping, spending) for messages in conversations]
            return [each.result() for each in asked]
        finally:  # where one failed for good, those that have not begun never do
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(
        self,
        messages: Messages,
        schema: Mapping[str, object],
        worth_keeping: Callable[[Reply], bool],
        spending: Spending,
    ) -> Reply | str:
        asked = self._question(messages, schema)
        identity = {"base_url": self.served_at, "turn": self.turn, **asked}
        known = self.replies.get(identity)
        if known is not None:
            spending.found()
            return known
        if not self.asked:
            return "it is not judged again, and no reply is kept"
        self._patience.check(self._where)
        spending.ask()
        reply = self._answer(asked)
        if isinstance(reply, str):
            self._patience.failed(self._where, reply)
            return reply
        self._patience.answered()
        spending.answered(reply)
        if worth_keeping(reply):
            self.replies.put(identity, reply)
        return reply

    def _answer(self, asked: Mapping[str, Any]) -> Reply | str:
        """A reply, or why there is none; UserError where no question can be answered."""
        try:
            return _reply(self._client.chat.completions.create(**asked))
        except _PASSING as error:
            return f"no answer from {self._where}: {type(error).__name__}"
        except _THIS_ONE as error:
            return f"the server takes no such question: {error.message}"
        except (json.JSONDecodeError, RecursionError):
            return "the server's answer is no JSON"
        except UnicodeEncodeError as error:  # a header cannot hold it
            raise UserError("The key in OPENAI_API_KEY holds a character that no key has: set it again.") from error
        except openai.APIStatusError as error:
            if error.status_code == _TOO_LARGE:
                return f"the server takes no such question: {error.message}"
            raise UserError(f"The judge {self.model} cannot be asked: {error.message}") from error

    def _question(self, messages: Messages, schema: Mapping[str, object]) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": self.most_tokens,
        }
        if self.structured:
            shape = {"name": "verdict", "strict": True, "schema": schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": shape}
        return asked

    @cached_property
    def _client(self) -> openai.OpenAI:
        try:
            return openai.OpenAI(base_url=self.base_url, timeout=self.seconds, max_retries=self.retries)
        except openai.OpenAIError as error:
            raise UserError(
                "The judge needs a key: set OPENAI_API_KEY (any word will do for a local server)."
            ) from error


class _Patience:
    """How many questions in a row went unanswered, over all threads: a server that is not there is not asked on."""

    def __init__(self) -> None:
        self._lock, self._failures, self._why = threading.Lock(), 0, ""

    def answered(self) -> None:
        """A question was answered."""
        with self._lock:
            self._failures = 0

    def failed(self, where: str, why: str) -> None:
        """A question was not. UserError after too many in a row."""
        with self._lock:
            self._failures, self._why = self._failures + 1, why
        self.check(where)

    def check(self, where: str) -> None:
        """UserError where too many in a row were not answered, for every thread that would ask on."""
        with self._lock:
            if self._failures >= _MOST_FAILURES:
                raise UserError(
                    f"The last {self._failures} questions to {where} went unanswered, this one for: {self._why}. See "
                    "whether the server is up. What was judged is kept: the same command goes on from here."
                )


def _reply(answer: Any) -> Reply | str:
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list) or not choices or not hasattr(getattr(choices[0], "message", None), "content"):
        return "the server's answer holds no message"
    message = choices[0].message
    said, refusal = message.content, getattr(message, "refusal", None)
    if not isinstance(said, str | None) or not isinstance(refusal, str | None):
        return "the server's answer holds no text"
    usage = getattr(answer, "usage", None)
    return Reply(
        said or "",
        refusal,
        str(getattr(choices[0], "finish_reason", None) or ""),
        _count(getattr(usage, "prompt_tokens", None)),
        _count(getattr(usage, "completion_tokens", None)),
    )


def _count(tokens: Any) -> int | None:
    """A number of tokens, None where the server does not say it."""
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0 else None


def is_address(text: str) -> bool:
    """Whether a server can be asked there."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def without_secrets(address: str) -> str:
    """An address without the name and password that may stand in it: entries are published."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
