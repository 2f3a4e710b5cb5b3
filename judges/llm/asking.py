"""One question to a server: tried again where that may help, until there is a reply or a reason why there is none."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import openai

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.addresses import KEY, hidden
from graftbench.judges.llm.client import Client, NoAnswerInTimeError
from graftbench.judges.llm.dialect import Dialect, Question, without
from graftbench.judges.llm.patience import Patience
from graftbench.judges.llm.reply_cache import Reply, reply_of, tokens_of
from graftbench.judges.llm.retries import Deadline, may_pass, pause_after
from graftbench.judges.llm.spending import Spending

_NO_JSON = "the server's answer is no JSON"
_NO_QUOTA = "insufficient_quota"  # OpenAI's code; waiting does not help
_NOT_REACHED = ("ConnectError", "ConnectTimeout")  # by which openai's client means that nothing was sent
# HTTP statuses of one question, such as a content filter's or of one that is too long, that do not concern the others.
_SETTING_REFUSED = (400, 422)
_TOO_LARGE, _REQUEST_TIMEOUT = 413, 408


@dataclass(frozen=True)
class Asker:
    """Asks a model behind a server, each question for `seconds` in all; threads may share it.

    `name` is the server's in messages, and `cached` finds a reply that need not be asked for.
    """

    name: str
    address: str | None
    model: str
    client: Client
    dialect: Dialect
    spending: Spending
    patience: Patience
    seconds: float
    retries: int
    cached: Callable[[Question], Reply | None]

    def __call__(self, whole: Question) -> tuple[Question, Reply | str]:
        """Return a question as the server took it, and the reply or the reason why there is none.

        Where the server refuses a setting, the question is asked again without it. UserError where no question can be
        answered.
        """
        deadline, question, setting, complaint = Deadline(self.seconds), whole, "", ""
        while True:
            cached = self.cached(question) if setting else None
            reply = cached or self._ask(question, deadline)
            if not isinstance(reply, openai.APIStatusError):
                return question, self._settled(whole, question, reply)
            if reply.message == complaint:
                self.dialect.was_in_vain(setting)
                return question, self._no_such_question(reply)
            complaint, refused = reply.message, self.dialect.complaint(reply, question)
            if refused is None:
                return question, self._no_such_question(reply)
            question, setting = without(question, refused), refused

    def _settled(self, whole: Question, question: Question, reply: Reply | str) -> Reply | str:
        """Remember the settings that were taken; return the reply, or what is wrong with them."""
        return reply if isinstance(reply, str) else self.dialect.settle(whole, question) or reply

    def _ask(self, question: Question, deadline: Deadline) -> Reply | str | openai.APIStatusError:
        """Try until there is a reply or a reason for none; return an error that may be about a setting."""
        for tries in count(1):
            try:
                return self._try(question, deadline)
            except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
                return _NO_JSON
            except UnicodeEncodeError:  # a header cannot hold it; and no traceback is to show it
                raise UserError(f"The key in {KEY} holds a character that no key has: set it again.") from None
            except (NoAnswerInTimeError, openai.APIError) as error:
                if not may_pass(error):
                    return self._lasting(error)
                self._check_quota(error)
                pause = pause_after(error, tries, self.retries)
                if pause is None or pause >= deadline.left:
                    return f"no answer from {self.name}: {_named(error)}"
                if tries > self.retries:
                    self.patience.waits(self.name, self.seconds)
                time.sleep(pause)
        raise AssertionError("tries have no end but the deadline")

    def _try(self, question: Question, deadline: Deadline) -> Reply | str:
        most, before = self.spending.most_of(question), time.monotonic()
        with self.spending.reserved(most, deadline.one_try) as reservation:
            deadline.extend(time.monotonic() - before)  # the server did not make it wait for money
            try:
                answer = self.client.complete(question, deadline.one_try)
            except openai.APIError as error:
                if _costs_nothing(error):
                    self.spending.release(reservation)
                raise
            reply, tokens = reply_of(answer), tokens_of(answer)
            if isinstance(reply, Reply) or None not in tokens:
                self.spending.count_tokens(tokens, reservation)
        if isinstance(reply, str):
            return reply
        by = self._hidden(answer.model) if isinstance(answer.model, str) else ""
        if not self.dialect.is_model(by):
            return f"the reply is from the model {by!r}, and {self.model} was asked"
        return replace(reply, text=self._hidden(reply.text), refusal=reply.refusal and self._hidden(reply.refusal))

    def _lasting(self, error: Exception) -> str | openai.APIStatusError:
        """Return what an error that does not pass says of the question; UserError where it concerns all questions."""
        if not isinstance(error, openai.APIStatusError):
            return f"no answer from {self.name}: {_named(error)}"
        if error.status_code in _SETTING_REFUSED:
            return error
        if error.status_code == _TOO_LARGE:
            return self._no_such_question(error)
        raise UserError(f"The judge {self.model} cannot be asked: {self._hidden(error.message)}") from None

    def _check_quota(self, error: Exception) -> None:
        """UserError where a rate limit is a quota that is used up."""
        if isinstance(error, openai.RateLimitError) and error.code == _NO_QUOTA:
            raise UserError(
                f"The quota of {self.name} for {self.model} is used up: {self._hidden(error.message)} Verdicts so far "
                "are cached: the same command continues from here once there is more."
            ) from None

    def _no_such_question(self, error: openai.APIStatusError) -> str:
        return f"the server takes no such question: {self._hidden(error.message)}"

    def _hidden(self, text: str) -> str:
        return hidden(text, self.address)


def _costs_nothing(error: openai.APIError) -> bool:
    """Return True where nothing was generated for sure: a server that failed may have done so after that."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code < 500 and error.status_code != _REQUEST_TIMEOUT
    return type(error.__cause__).__name__ in _NOT_REACHED


def _named(error: Exception) -> str:
    """Return the kind of an error, with its status or its cause; its message may hold anything."""
    if isinstance(error, NoAnswerInTimeError):
        return str(error)
    if isinstance(error, openai.APIStatusError):
        return f"{type(error).__name__}, status {error.status_code}"
    cause = error.__cause__
    return type(error).__name__ if cause is None else f"{type(error).__name__}, {type(cause).__name__}"
