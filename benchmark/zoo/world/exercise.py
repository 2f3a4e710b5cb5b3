"""Exercises in finding and copying: what reading and four-choice questions are made of, with more to copy."""

import re
from random import Random

from .choice import LETTERS, OBJECTS
from .reading import passage_in, random_passage, story_of
from .request import Request, split_of

_WORDS = list(OBJECTS)
_REPEAT = re.compile(r"Repeat these words: (.*)\.")
_QUOTE = re.compile(r"Read this: (.*)\nQuote what it says of (\w+)\.")
_LETTERS = re.compile(r"Which letters have these words: (.*)\?\n" + r"\n".join(rf"{x}\. (.*)" for x in LETTERS))


class Repeat:
    """Words to be said again; the content is the words."""

    name = "repeat"

    def sample(self, rng: Random) -> Request:
        """Draw a list of words."""
        return self._request(" ".join(rng.sample(_WORDS, rng.randint(3, 8))))

    def parse(self, text: str) -> Request | None:
        """The list that `text` holds, or None."""
        match = _REPEAT.fullmatch(text)
        return self._request(match[1]) if match else None

    def _request(self, words: str) -> Request:
        return Request(self.name, f"Repeat these words: {words}.", words, split_of(words), (words,))


class Quote:
    """A passage from which one sentence is to be quoted; the content is the passage."""

    name = "quote"

    def sample(self, rng: Random) -> Request:
        """Draw a passage and one of its people."""
        story = story_of(random_passage(rng))
        return self._request(story, rng.choice(passage_in(story)).person)

    def parse(self, text: str) -> Request | None:
        """The passage and person that `text` names, or None."""
        match = _QUOTE.fullmatch(text)
        known = match and any(errand.person == match[2] for errand in passage_in(match[1]))
        return self._request(match[1], match[2]) if match and known else None

    def _request(self, story: str, person: str) -> Request:
        sentence = next(errand.sentence() for errand in passage_in(story) if errand.person == person)
        text = f"Read this: {story}\nQuote what it says of {person}."
        return Request(self.name, text, story, split_of(story), (sentence,))


class Letters:
    """Four lettered words, each to be given its letter; the content is the words, whatever their order."""

    name = "letters"

    def sample(self, rng: Random) -> Request:
        """Draw four words in two orders."""
        options = rng.sample(_WORDS, len(LETTERS))
        return self._request(rng.sample(options, len(options)), options)

    def parse(self, text: str) -> Request | None:
        """The words that `text` asks for, or None."""
        match = _LETTERS.fullmatch(text)
        asked = match[1].split(", ") if match else []
        options = list(match.groups()[1:]) if match else []
        return self._request(asked, options) if match and sorted(asked) == sorted(options) else None

    def _request(self, asked: list[str], options: list[str]) -> Request:
        lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True)]
        content = " ".join(sorted(options))
        return Request(
            topic=self.name,
            text="\n".join([f"Which letters have these words: {', '.join(asked)}?", *lines]),
            content=content,
            split=split_of(content),
            answers=(", ".join(f"{word} {LETTERS[options.index(word)]}" for word in asked),),
        )


EXERCISES = (Repeat(), Quote(), Letters())
