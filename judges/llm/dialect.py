"""Which settings of a question a server takes: learnt from its answers, and remembered for the server and its model."""

import re
from collections.abc import Mapping
from typing import Any

import openai

from graftbench.judges.llm.patience import say
from graftbench.judges.llm.reply_cache import ReplyCache

Question = Mapping[str, Any]

_TAKEN, _REFUSED = "taken", "refused"
_MODEL = "model"
# What names a setting in the message of an error.
_NAMES = {
    "max_tokens": re.compile(r"\bmax_tokens\b"),
    "temperature": re.compile(r"\btemperature\b", re.IGNORECASE),
    "response_format": re.compile(
        r"response.?format|json.?schema|structured.?output|guided.?(json|decoding)|grammar", re.IGNORECASE
    ),
}
_SNAPSHOT = re.compile(r"[-@:]\d[\w.-]*|[@:][\w.-]+")  # gpt-4o-2024-08-06, llama@main, llama:latest


class Dialect:
    """What a server takes for a model, in the same file as the cached replies.

    The first answer settles it: a setting that was taken once is never left out afterwards, nor one sent again that was
    refused, so that all verdicts of a judge are given in one way.
    """

    def __init__(self, replies: ReplyCache, server: str, model: str) -> None:
        self._replies, self._server, self._model = replies, server, model
        self._known: dict[str, str] = {}
        self._in_vain: set[str] = set()

    def refuses(self, setting: str, value: object = None) -> bool:
        """Return True where the server is known to refuse a setting; of temperatures, one may be taken."""
        return self._fact(_fact_name(setting, value)) == _REFUSED

    def spoken(self, question: Question) -> Question:
        """Return a question without the settings that the server is known to refuse."""
        for setting in [setting for setting in _NAMES if setting in question]:
            if self.refuses(setting, question[setting]):
                question = without(question, setting)
        return question

    def complaint(self, error: openai.APIStatusError, question: Question) -> str | None:
        """Return the setting of a question that the server refuses by an error; None where it is something else.

        An error that names no setting may mean that the server does not know structured output.
        """
        open_settings = [name for name in _NAMES if name in question and self._is_open(name, question[name])]
        if error.param:
            return next((name for name in open_settings if name == error.param.partition(".")[0]), None)
        named = [name for name, words in _NAMES.items() if words.search(error.message)]
        return next((name for name in open_settings if name in (named or ["response_format"])), None)

    def was_in_vain(self, setting: str) -> None:
        """Leave a setting out no more: the server said the same without it."""
        self._in_vain.add(setting)

    def settle(self, whole: Question, answered: Question) -> str | None:
        """Remember which settings of a whole question were in the one that was answered.

        Return what contradicts former answers, if anything does.
        """
        for setting in [setting for setting in _NAMES if setting in whole]:
            now = _TAKEN if setting in answered else _REFUSED
            if self._remember(_fact_name(setting, whole[setting]), now) != now:
                return f"the server takes {setting} at one time and refuses it at another"
        return None

    def is_model(self, name: str) -> bool:
        """Return True where a reply is from the model that was asked, by the name that the server gives with it.

        That is the model's own name or a dated version of it, or else the name in the server's first reply: some
        servers have names of their own. A reply without a name is taken for the model's.
        """
        if not name:
            return True
        rest = name.lower().removeprefix(self._model.lower())
        own = len(rest) < len(name) and (not rest or _SNAPSHOT.fullmatch(rest) is not None)
        first = self._remember(_MODEL, self._model if own else name)
        return own or name == first

    def _is_open(self, setting: str, value: object) -> bool:
        return setting not in self._in_vain and self._fact(_fact_name(setting, value)) is None

    def _fact(self, name: str) -> str | None:
        if name not in self._known:
            row = self._replies.read(
                "SELECT fact FROM dialects WHERE server = ? AND model = ? AND name = ?", self._server, self._model, name
            )
            if row is None:
                return None
            self._known[name] = row[0]
        return self._known[name]

    def _remember(self, name: str, fact: str) -> str:
        """Return the fact that was remembered first, this one where there was none."""
        known = self._fact(name)
        if known is not None:
            return known
        statement = "INSERT OR IGNORE INTO dialects VALUES (?, ?, ?, ?)"
        if self._replies.write(statement, self._server, self._model, name, fact) and fact == _REFUSED:
            say(f"{self._server} refuses {name} for {self._model}: it is asked without, here and in later runs.")
        return self._fact(name) or fact


def without(question: Question, setting: str) -> dict[str, Any]:
    """Return a question without a setting; a limit on tokens stays, by the name that newer models want."""
    rest = {name: value for name, value in question.items() if name != setting}
    return rest | ({"max_completion_tokens": question[setting]} if setting == "max_tokens" else {})


def _fact_name(setting: str, value: object) -> str:
    """Return what is remembered: one temperature may be refused and another taken."""
    return f"{setting} {value:g}" if setting == "temperature" and isinstance(value, int | float) else setting
