"""Exercises in copying and finding: what reading is made of, with more to copy in each."""

import re
from random import Random

from .choice import OBJECTS
from .reading import passage_in, random_passage, story_of
from .request import Request, split_of

_WORDS = list(OBJECTS)
_REPEAT = re.compile(r"Repeat these words: (.*)\.")
_NOTES = re.compile(r"Read this: (.*)\nNote what was (.*)\.")
MOST_NOTES = 10


class Repeat:
    """Words to be said again; the content is the words."""

    name = "repeat"

    def sample(self, rng: Random) -> Request:
        """Draw a list of words."""
        return self._request(" ".join(rng.sample(_WORDS, rng.randint(4, 16))))

    def parse(self, text: str) -> Request | None:
        """The list that `text` holds, or None."""
        match = _REPEAT.fullmatch(text)
        return self._request(match[1]) if match else None

    def _request(self, words: str) -> Request:
        return Request(self.name, f"Repeat these words: {words}.", words, split_of(words), (words,))


class Notes:
    """A passage whose goods are to be noted down verb by verb, in another order; the content is the passage."""

    name = "notes"

    def sample(self, rng: Random) -> Request:
        """Draw a passage and an order of its verbs."""
        passage = random_passage(rng, MOST_NOTES)
        return self._request(story_of(passage), [event.verb for event in rng.sample(passage, len(passage))])

    def parse(self, text: str) -> Request | None:
        """The passage and verbs that `text` names, or None."""
        match = _NOTES.fullmatch(text)
        verbs = match[2].split(", ") if match else []
        known = match and sorted(verbs) == sorted(event.verb for event in passage_in(match[1]))
        return self._request(match[1], verbs) if match and known else None

    def _request(self, story: str, verbs: list[str]) -> Request:
        goods = {event.verb: event.goods for event in passage_in(story)}
        text = f"Read this: {story}\nNote what was {', '.join(verbs)}."
        notes = "Notes: " + ", ".join(f"{verb} {goods[verb]}" for verb in verbs)
        return Request(self.name, text, story, split_of(story), (notes,))


EXERCISES = (Repeat(), Notes())
