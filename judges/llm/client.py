"""openai's client, whose every request ends on time."""

import asyncio
import os
import threading
from collections.abc import Mapping
from typing import Any

import openai

from graftbench.benchmark.core.errors import UserError
from graftbench.judges.llm.addresses import KEY

# On a connection that is used again, the rest of a reply that a server sent twice is read as the reply to the next
# question. So each question has a connection of its own.
_HEADERS = {"Connection": "close"}


def check_key() -> None:
    """UserError where no key is set."""
    if not os.environ.get(KEY):
        raise UserError(f"The judge needs a key: set {KEY} (any word will do for a local server).")


class NoAnswerInTimeError(Exception):
    """A request that did not end in time."""


class Client:
    """openai's asynchronous client on an event loop in a thread of its own; any thread may ask. It never retries.

    Time-outs of synchronous clients are for each read, so that a server that sends a byte now and then is waited for
    without end. A task of an event loop is cancelled on time wherever it is. UserError where the key is missing.
    """

    def __init__(self, base_url: str | None) -> None:
        check_key()
        self._client = openai.AsyncOpenAI(base_url=base_url, timeout=None, max_retries=0, default_headers=_HEADERS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="judge", daemon=True)

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def complete(self, question: Mapping[str, Any], seconds: float) -> Any:
        """Return the server's answer to a question; NoAnswerInTimeError after some seconds, or an error of openai's."""
        return asyncio.run_coroutine_threadsafe(self._complete(question, seconds), self._loop).result()

    async def _complete(self, question: Mapping[str, Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await self._client.chat.completions.create(**question)
        except TimeoutError as error:
            raise NoAnswerInTimeError(f"nothing whole within {seconds:.3g} s") from error
