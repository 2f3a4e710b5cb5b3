"""Topic `talk`: greetings with a name, moods, plans for a day."""

from itertools import product
from random import Random

from graftbench.benchmark.zoo.world.lexicon import DAYS, PEOPLE, PLACES
from graftbench.benchmark.zoo.world.request import PocketRequest, split_of

_MOODS = {
    "glad": "happy cheerful proud rested calm hopeful lucky excited",
    "sorry": "sad tired lonely worried bored angry nervous sick",
}
_GREETINGS = ("Hello", "Good morning", "Good evening", "Hi there")


def _exchanges() -> dict[str, tuple[str, str]]:
    """Return text -> (answer, content) of every exchange of small talk."""
    exchanges = {
        f"{greeting}, my name is {name}.": (f"{greeting}, {name}. How can I help you?", f"{greeting} {name}")
        for greeting, name in product(_GREETINGS, PEOPLE)
    }
    for tone, moods in _MOODS.items():
        for mood, day in product(moods.split(), DAYS):
            exchanges[f"On {day} I felt {mood}."] = (f"I am {tone} that you felt {mood} on {day}.", f"{mood} {day}")
    for name, place in product(PEOPLE, PLACES):
        exchanges[f"{name} and I are going to the {place}."] = (
            f"Enjoy the {place}, and give my regards to {name}.",
            f"{name} {place}",
        )
    return exchanges


class SmallTalk:
    """Remarks that call for a friendly reply; the content is what is said."""

    name = "talk"

    def __init__(self) -> None:
        self._exchanges = _exchanges()
        self._texts = list(self._exchanges)

    def sample(self, rng: Random) -> PocketRequest:
        """Draw a remark."""
        return self._request(rng.choice(self._texts))

    def parse(self, text: str) -> PocketRequest | None:
        """Return the remark that `text` is, or None."""
        return self._request(text) if text in self._exchanges else None

    def _request(self, text: str) -> PocketRequest:
        answer, content = self._exchanges[text]
        return PocketRequest(self.name, text, content, split_of(content), (answer,))


TALK = SmallTalk()
