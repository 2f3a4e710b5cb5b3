"""Requests, tokens and dollars spent on judges behind servers, counted over all processes of a run."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

from pydantic import Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.reply_cache import ReplyCache

MILLION = 1_000_000
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_TEMPLATE = 512  # tokens, above what chat templates add to a conversation of two turns
_POLL = 0.02  # seconds
_SLACK = 5.0  # seconds that a try may end late in
_CONTINUE = " Verdicts so far are cached: the same command continues from here with a new budget."


_RESERVE = (
    "INSERT INTO reserved SELECT ?1, ?2, ?3, ?4 WHERE ?3 + (SELECT dollars FROM spent WHERE run = ?2) "
    "+ (SELECT COALESCE(SUM(dollars), 0) FROM reserved WHERE run = ?2) <= ?5"
)
# What is set aside for a try whose time is over does not come back: its process may have been ended.
_GONE = (
    "SELECT ?3 + dollars + gone <= ?4, dollars + gone FROM spent, "
    "(SELECT COALESCE(SUM(dollars), 0) AS gone FROM reserved WHERE run = ?1 AND until < ?2) WHERE run = ?1"
)
_COUNT_TOKENS = (
    "UPDATE spent SET prompt_tokens = prompt_tokens + ?2, completion_tokens = completion_tokens + ?3, "
    "dollars = dollars + ?4 WHERE run = ?1"
)


@dataclass(frozen=True)
class Prices:
    """Dollars per million tokens."""

    prompt: Price = 0.0
    completion: Price = 0.0

    def of(self, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
        """Return the price of a reply in dollars; None where its tokens were not counted."""
        if prompt_tokens is None or completion_tokens is None:
            return None
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION

    def most_of(self, question: Mapping[str, Any]) -> float:
        """Return a bound on the price of a question in dollars. ValueError where it does not limit the reply.

        No token of a prompt is shorter than a byte, and the question as JSON is longer than its texts.
        """
        limit: int | None = question.get("max_tokens", question.get("max_completion_tokens"))
        if limit is None:
            raise ValueError("a reply without a limit may cost anything")
        return (self.prompt * (len(json.dumps(question)) + _TEMPLATE) + self.completion * limit) / MILLION


@dataclass(frozen=True)
class Spent:
    """A run's total so far; `cached` counts questions that were answered from the cache.

    A request that is tried again counts once.
    """

    requests: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


@dataclass
class Reservation:
    """Money that is set aside for one try, until it is known what the try costs."""

    id: str
    is_open: bool = True


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
        """Count one more request; UserError where the budget of requests is spent."""
        limit = self._budget.requests
        counted = self._replies.write(
            "UPDATE spent SET requests = requests + 1 WHERE run = ?1 AND (?2 IS NULL OR requests < ?2)",
            self._budget.run,
            limit,
        )
        if not counted:
            raise UserError(f"The judges' budget of {limit} requests is spent.{_CONTINUE}")

    def most_of(self, question: Mapping[str, Any]) -> float:
        """Return the most dollars that a question may cost, where there is a limit to keep; else 0."""
        return self.prices.most_of(question) if self.prices and self._budget.dollars is not None else 0.0

    @contextmanager
    def reserved(self, most: float, seconds: float) -> Iterator["Reservation"]:
        """Set money aside for a try of some seconds that may cost `most` dollars; UserError where it is not there.

        The money of a try whose answer did not come stays set aside, for the server may have charged for it.
        """
        reservation = Reservation(uuid4().hex)
        if self._budget.dollars is not None:
            self._wait_for(reservation, self._budget.dollars, most, seconds)
        try:
            yield reservation
        finally:
            if self._budget.dollars is not None and reservation.is_open:
                self._replies.write("UPDATE reserved SET until = 0 WHERE id = ?", reservation.id)

    def _wait_for(self, reservation: "Reservation", limit: float, most: float, seconds: float) -> None:
        """Reserve, waiting for tries in flight that may cost less than is set aside for them."""
        run = self._budget.run
        while not self._replies.write(_RESERVE, reservation.id, run, most, time.time() + seconds + _SLACK, limit):
            will_fit, gone = self._replies.read(_GONE, run, time.time(), most, limit)
            if not will_fit:
                raise UserError(
                    f"The judges' budget of ${limit:g} is spent, but for ${max(limit - gone, 0):.2g}: another question "
                    f"may cost ${most:.2g}.{_CONTINUE}"
                )
            time.sleep(_POLL)

    def release(self, reservation: "Reservation") -> None:
        """Give back what was set aside for a try that costs nothing."""
        if self._budget.dollars is not None:
            self._replies.write("DELETE FROM reserved WHERE id = ?", reservation.id)
        reservation.is_open = False

    def count_tokens(self, tokens: tuple[int | None, int | None], reservation: "Reservation") -> None:
        """Count the tokens of an answer in place of what was set aside for it.

        UserError where a budget in dollars meets a server that counts no tokens.
        """
        dollars = self.prices.of(*tokens) if self.prices else 0.0
        if dollars is None and self._budget.dollars is not None:
            raise UserError("The server counts no tokens: a budget in dollars cannot be kept.")
        counted = (self._budget.run, tokens[0] or 0, tokens[1] or 0, dollars or 0.0)
        self._replies.write_all(("DELETE FROM reserved WHERE id = ?", (reservation.id,)), (_COUNT_TOKENS, counted))
        reservation.is_open = False

    def count_cached(self) -> None:
        """Count a reply from the cache."""
        self._replies.write("UPDATE spent SET kept = kept + 1 WHERE run = ?1", self._budget.run)
