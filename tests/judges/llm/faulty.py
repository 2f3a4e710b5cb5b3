"""A server on loopback that meets every question with the faults of a script, and keeps books on what it charges."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from email.utils import formatdate
from random import Random

from tests.judges.llm.stub import good

LABELS = 6
PROMPT_TOKENS, COMPLETION_TOKENS = 100, 10  # that `good` tells
# What a fault leaves in the reason of a case, where it is the last that a question meets; "" where there is a verdict.
LASTING = {
    "no_json": "the server's answer is no JSON",
    "truncated": "the server's answer is no JSON",
    "html": "the server's answer is no JSON",
    "no_choices": "the server's answer holds no message",
    "other_model": "the reply is from the model 'another', and m was asked",
}
PASSING = ("reset", "cut", "429", "429_seconds", "429_date", "500", "502", "503")
HARMLESS = ("slow", "plain_text", "twice")
ENDLESS = ("hang", "drip")


class FaultyServer:
    """Answers question `n` in attempt `k` with the fault `script(n, k)`, or with its verdict where that is None."""

    def __init__(self, script, at_once=1):
        """The first questions are answered when as many as `at_once` are in flight."""
        self._at_once, self._full = at_once, asyncio.Event()
        self.script, self.attempts, self.last = script, Counter(), {}
        self.told, self.charged_tokens = Counter(), []  # tokens in whole answers; tokens of whatever was generated
        self.answered, self.asked_again = set(), 0
        self.in_flight = self.most_in_flight = 0
        self._loop, ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    @staticmethod
    def label(number):
        return str(number * 7 % LABELS)

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self._server = self._loop.run_until_complete(start)
        ready.set()
        self._loop.run_forever()
        self._server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))

    async def _serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
                await self._answer(json.loads(await reader.readexactly(length)), reader, writer)
                if b"connection: close" in head.lower():
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, body, reader, writer):
        number = int(re.search(r"case (\d+)", body["messages"][1]["content"])[1])
        self.asked_again += number in self.answered
        fault = self.last[number] = self.script(number, self.attempts[number])
        self.attempts[number] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.in_flight >= self._at_once:
                self._full.set()
            await self._full.wait()
            await self._meet(fault, number, body, reader, writer)
        finally:
            self.in_flight -= 1

    async def _meet(self, fault, number, body, reader, writer):
        if fault is None or fault in HARMLESS or fault in LASTING or fault in ("reset", "cut", "502"):
            self.charged_tokens.append((PROMPT_TOKENS, COMPLETION_TOKENS))
        if fault in ENDLESS:
            self.charged_tokens.append((PROMPT_TOKENS, body["max_tokens"]))  # it goes on and on
            await self._without_end(fault, reader, writer)
        elif fault in ("reset", "cut"):
            whole = message(200, answer(number))
            writer.write(whole[: len(whole) // 2])
            await writer.drain()
            if fault == "reset":
                writer.transport.abort()
            else:
                writer.close()
        elif fault is not None and fault[0] in "45":
            writer.write(failure(fault))
        else:
            await self._tell(fault, number, writer)

    async def _without_end(self, fault, reader, writer):
        gone = asyncio.ensure_future(reader.read(1))
        while fault == "drip" and not gone.done():
            writer.write(b"H" if not writer.transport.get_write_buffer_size() else b"")
            await asyncio.sleep(0.05)
        await gone

    async def _tell(self, fault, number, writer):
        if fault not in ("no_json", "truncated", "html"):
            self.told.update(prompt=PROMPT_TOKENS, completion=COMPLETION_TOKENS)
        if fault not in LASTING:
            self.answered.add(number)
        raw = whole_answer(fault, number)
        if fault == "slow":
            for start in range(0, len(raw), 100):
                await asyncio.sleep(0.01)
                writer.write(raw[start : start + 100])
        else:
            writer.write(raw)
        await writer.drain()


def answer(number, **more):
    return json.dumps(good(FaultyServer.label(number)) | more).encode()


def whole_answer(fault, number):
    """The bytes of an answer that comes whole, whatever it holds."""
    raw = answer(number)
    if fault == "no_json":
        return message(200, b"<html>oops")
    if fault == "truncated":
        return message(200, raw[: len(raw) // 2])
    if fault == "html":
        return message(200, b"<html>Sign in</html>", "Content-Type: text/html")
    if fault == "no_choices":
        return message(200, answer(number, choices=[]))
    if fault == "other_model":
        return message(200, answer(number + 1, model="another"))
    if fault == "plain_text":
        return message(200, raw, "Content-Type: text/plain")
    if fault == "twice":  # the second would be read as the reply to the next question on the connection
        return message(200, raw) * 2
    return message(200, raw)


def failure(fault):
    status, _, form = fault.partition("_")
    after = {"seconds": "Retry-After: 1", "date": f"Retry-After: {formatdate(time.time() + 1, usegmt=True)}"}
    headers = [after[form]] if form else []
    return message(int(status), b'{"error": {"message": "later"}}', "Content-Type: application/json", *headers)


def message(status, body, *headers):
    lines = [f"HTTP/1.1 {status} X", *(headers or ["Content-Type: application/json"]), f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def seeded(seed, share, faults):
    """A script that meets a share of all attempts with one of the faults, the same ones for the same seed."""

    def script(number, attempt):
        draw = Random(f"{seed} {number} {attempt}")
        return draw.choice(faults) if draw.random() < share else None

    return script
