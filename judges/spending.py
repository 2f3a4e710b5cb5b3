"""What judging by a server takes up, and where it stops."""

import threading
from dataclasses import dataclass, field

from graftbench.benchmark.errors import UserError

from .replies import Reply

MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Dollars per million tokens."""

    prompt: float = 0.0
    completion: float = 0.0


@dataclass
class Spending:
    """Requests, tokens and money so far, and how much of each there may be; None is no limit.

    A request that openai's client tries again counts once.
    """

    prices: Prices = field(default_factory=Prices)
    most_requests: int | None = None
    most_dollars: float | None = None
    requests: int = 0
    kept: int = 0  # replies that were there already
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def dollars(self) -> float:
        """What the tokens cost."""
        prompt, completion = self.prompt_tokens * self.prices.prompt, self.completion_tokens * self.prices.completion
        return (prompt + completion) / MILLION

    def ask(self) -> None:
        """Count one more request. UserError where the budget is spent."""
        with self._lock:
            if self.most_requests is not None and self.requests >= self.most_requests:
                raise UserError(f"The judge's budget of {self.most_requests} requests is spent.{_GO_ON}")
            if self.most_dollars is not None and self.dollars >= self.most_dollars:
                raise UserError(f"The judge's budget of ${self.most_dollars:g} is spent.{_GO_ON}")
            self.requests += 1

    def answered(self, reply: Reply) -> None:
        """Count what a reply took."""
        with self._lock:
            self.prompt_tokens += reply.prompt_tokens
            self.completion_tokens += reply.completion_tokens

    def found(self) -> None:
        """Count a reply that was kept."""
        with self._lock:
            self.kept += 1


_GO_ON = " What was judged is kept: the same command goes on from here with as much again."
