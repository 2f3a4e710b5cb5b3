"""Requests, tokens and dollars spent on judges behind servers, counted over all processes of a run."""

from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from pydantic import Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.reply_cache import Reply, ReplyCache

MILLION = 1_000_000
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_CONTINUE = " Verdicts so far are cached: the same command continues from here with a new budget."


@dataclass(frozen=True)
class Prices:
    """Dollars per million tokens."""

    prompt: Price = 0.0
    completion: Price = 0.0

    def of(self, reply: Reply) -> float | None:
        """Return the price of a reply in dollars; None where its tokens were not counted."""
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        return (reply.prompt_tokens * self.prompt + reply.completion_tokens * self.completion) / MILLION


@dataclass(frozen=True)
class Spent:
    """A run's total so far; `cached` counts questions that were answered from the cache.

    A request that openai's client retries counts once.
    """

    requests: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


class Spending:
    """A run's account, in the same file as the cached replies, so that all processes share it."""

    def __init__(self, replies: ReplyCache, prices: Prices | None = None, budget: Budget | None = None) -> None:
        self._replies, self.prices = replies, prices
        self._budget = budget or Budget(uuid4().hex)
        replies.write("INSERT OR IGNORE INTO spent VALUES (?, 0, 0, 0, 0, 0.0)", self._budget.run)

    @property
    def spent(self) -> Spent:
        """Total so far."""
        row = self._replies.read(
            "SELECT requests, kept, prompt_tokens, completion_tokens, dollars FROM spent WHERE run = ?",
            self._budget.run,
        )
        return Spent() if row is None else Spent(*row)

    def count_request(self) -> None:
        """Count one more request; UserError where the budget is spent."""
        budget = self._budget
        changed = self._replies.write(
            "UPDATE spent SET requests = requests + 1 WHERE run = ?1 "
            "AND (?2 IS NULL OR requests < ?2) AND (?3 IS NULL OR dollars < ?3)",
            budget.run,
            budget.requests,
            budget.dollars,
        )
        if changed:
            return
        if budget.requests is not None and self.spent.requests >= budget.requests:
            raise UserError(f"The judges' budget of {budget.requests} requests is spent.{_CONTINUE}")
        raise UserError(f"The judges' budget of ${budget.dollars:g} is spent.{_CONTINUE}")

    def count_reply(self, reply: Reply) -> None:
        """Count the tokens of a reply; UserError where a budget in dollars meets a server that counts no tokens."""
        dollars = self.prices.of(reply) if self.prices else 0.0
        if dollars is None and self._budget.dollars is not None:
            raise UserError("The server counts no tokens: a budget in dollars cannot be kept.")
        self._replies.write(
            "UPDATE spent SET prompt_tokens = prompt_tokens + ?2, completion_tokens = completion_tokens + ?3, "
            "dollars = dollars + ?4 WHERE run = ?1",
            self._budget.run,
            reply.prompt_tokens or 0,
            reply.completion_tokens or 0,
            dollars or 0.0,
        )

    def count_cached(self) -> None:
        """Count a reply from the cache."""
        self._replies.write("UPDATE spent SET kept = kept + 1 WHERE run = ?1", self._budget.run)
