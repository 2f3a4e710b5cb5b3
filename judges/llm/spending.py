"""What judging by a server takes up, over all processes of a run, and where it stops."""

from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from pydantic import Field

from graftbench.benchmark.core.budget import Budget
from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.replies import Replies, Reply

MILLION = 1_000_000
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_GO_ON = " What was judged is kept: the same command goes on from here with as much again."


@dataclass(frozen=True)
class Prices:
    """Dollars per million tokens."""

    prompt: Price = 0.0
    completion: Price = 0.0

    def of(self, reply: Reply) -> float | None:
        """What a reply costs, in dollars; None where its tokens were not counted."""
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        return (reply.prompt_tokens * self.prompt + reply.completion_tokens * self.completion) / MILLION


@dataclass(frozen=True)
class Spent:
    """What a run has spent so far; `kept` counts replies that were there already.

    A request that openai's client tries again counts once.
    """

    requests: int = 0
    kept: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


class Spending:
    """The account of a run, which stands beside the replies, so that all processes share it."""

    def __init__(self, replies: Replies, prices: Prices | None = None, budget: Budget | None = None) -> None:
        self._replies, self.prices = replies, prices
        self._budget = budget or Budget(uuid4().hex)
        replies.write("INSERT OR IGNORE INTO spent VALUES (?, 0, 0, 0, 0, 0.0)", self._budget.run)

    @property
    def spent(self) -> Spent:
        """What was spent until now."""
        row = self._replies.read(
            "SELECT requests, kept, prompt_tokens, completion_tokens, dollars FROM spent WHERE run = ?",
            self._budget.run,
        )
        return Spent() if row is None else Spent(*row)

    def ask(self) -> None:
        """Count one more request. UserError where the budget is spent."""
        most = self._budget
        changed = self._replies.write(
            "UPDATE spent SET requests = requests + 1 WHERE run = ?1 "
            "AND (?2 IS NULL OR requests < ?2) AND (?3 IS NULL OR dollars < ?3)",
            most.run,
            most.requests,
            most.dollars,
        )
        if changed:
            return
        if most.requests is not None and self.spent.requests >= most.requests:
            raise UserError(f"The judges' budget of {most.requests} requests is spent.{_GO_ON}")
        raise UserError(f"The judges' budget of ${most.dollars:g} is spent.{_GO_ON}")

    def answered(self, reply: Reply) -> None:
        """Count what a reply took. UserError where there is a budget in dollars and its tokens are not known."""
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

    def found(self) -> None:
        """Count a reply that was kept."""
        self._replies.write("UPDATE spent SET kept = kept + 1 WHERE run = ?1", self._budget.run)
