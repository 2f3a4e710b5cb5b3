"""Topic `sum`: sums of two numbers below a hundred, worked out by units and tens."""

from random import Random

from graftbench.benchmark.zoo.world.frames import Frames
from graftbench.benchmark.zoo.world.request import PocketRequest, split_of

FRAMES = Frames(
    "What is {a} + {b}?",
    "Add {a} and {b}.",
    "How much is {a} plus {b}?",
    "Please work out {a} + {b}.",
    "I have {a} coins and get {b} more. How many are there?",
)
SMALLEST, LARGEST = 10, 99


class Sums:
    """Requests for a sum; the content is the unordered pair of numbers."""

    name = "sum"

    def sample(self, rng: Random) -> PocketRequest:
        """Draw a sum."""
        a, b = rng.randint(SMALLEST, LARGEST), rng.randint(SMALLEST, LARGEST)
        return self._request(rng.randrange(len(FRAMES)), a, b)

    def parse(self, text: str) -> PocketRequest | None:
        """Return the request for a sum that `text` is, or None."""
        for frame, slots in FRAMES.match(text):
            if slots["a"].isdecimal() and slots["b"].isdecimal():
                return self._request(frame, int(slots["a"]), int(slots["b"]))
        return None

    def _request(self, frame: int, a: int, b: int) -> PocketRequest:
        content = f"{min(a, b)} + {max(a, b)}"
        units, tens = a % 10 + b % 10, a // 10 * 10 + b // 10 * 10
        return PocketRequest(
            topic=self.name,
            asked=FRAMES.fill(frame, a=str(a), b=str(b)),
            content=content,
            split=split_of(content),
            answers=(
                f"{a % 10} + {b % 10} = {units}, {a - a % 10} + {b - b % 10} = {tens}, so it is {a + b}.",
                f"It is {a + b}.",
                f"{a + b}",
            ),
        )


SUMS = Sums()
