"""Reading comprehension: a short passage, a question, and the span of the passage that answers it."""

import re
from dataclasses import dataclass
from random import Random

from .lexicon import DAYS, DOMAINS, PEOPLE, PLACES
from .request import Request, split_of

THINGS = tuple(DOMAINS["home"].objects) + tuple(DOMAINS["clothing"].objects) + tuple(DOMAINS["computing"].objects)
MOST_SENTENCES = 3
_SENTENCE = re.compile(r"(\w+) took the (\w+) to the (\w+) on (\w+)\.")
_TEXT = re.compile(r"Read this: (.*)\nQuestion: (.*)")


@dataclass(frozen=True)
class Errand:
    """One sentence of a passage."""

    person: str
    thing: str
    place: str
    day: str

    def sentence(self) -> str:
        """The errand in words."""
        return f"{self.person} took the {self.thing} to the {self.place} on {self.day}."

    def questions(self) -> dict[str, str]:
        """Every question about this errand, with the span that answers it."""
        return {
            f"What did {self.person} take?": f"the {self.thing}",
            f"Where did {self.person} go?": f"the {self.place}",
            f"When did {self.person} go?": self.day,
            f"Who went to the {self.place}?": self.person,
            f"Who took the {self.thing}?": self.person,
        }


def random_passage(rng: Random) -> list[Errand]:
    """One to three errands that share no person, thing, place or day."""
    length = rng.randint(1, MOST_SENTENCES)
    columns = (rng.sample(words, length) for words in (PEOPLE, THINGS, PLACES, DAYS))
    return [Errand(*words) for words in zip(*columns, strict=True)]


def story_of(passage: list[Errand]) -> str:
    """A passage in words."""
    return " ".join(errand.sentence() for errand in passage)


def passage_in(story: str) -> list[Errand]:
    """The errands of a passage in words."""
    return [Errand(*words) for words in _SENTENCE.findall(story)]


class Reading:
    """Passages with a question; the content is the passage."""

    name = "reading"

    def sample(self, rng: Random) -> Request:
        """Draw a passage and a question about one of its sentences."""
        passage = random_passage(rng)
        return self._request(passage, rng.choice(list(rng.choice(passage).questions())))

    def parse(self, text: str) -> Request | None:
        """The passage and question that `text` holds, or None."""
        match = _TEXT.fullmatch(text)
        passage = passage_in(match[1]) if match else []
        known = match and any(match[2] in errand.questions() for errand in passage)
        return self._request(passage, match[2]) if match and known else None

    def _request(self, passage: list[Errand], question: str) -> Request:
        answer = next(errand.questions()[question] for errand in passage if question in errand.questions())
        story = story_of(passage)
        return Request(
            topic=self.name,
            text=f"Read this: {story}\nQuestion: {question}",
            content=story,
            split=split_of(story),
            answers=(answer, f"{answer}."),
        )


READING = Reading()
