"""Reading comprehension: a short passage, a question, and the span of the passage that answers it."""

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

from .lexicon import DAYS, DOMAINS, PEOPLE, PLACES
from .request import Request, split_of

THINGS = tuple(thing for domain in ("home", "clothing", "computing") for thing in DOMAINS[domain].objects)
MOST_SENTENCES = 3
_TEXT = re.compile(r"Read this: (.*)\nQuestion: (.*)")

Kind = Literal["took", "went", "came"]
_SENTENCES: dict[Kind, tuple[str, tuple[str, ...]]] = {
    "took": ("{person} took the {word}.", THINGS),
    "went": ("{person} went to the {word}.", tuple(PLACES)),
    "came": ("{person} came on {word}.", tuple(DAYS)),
}
_SENTENCE = re.compile(r"(\w+) (took|went|came) (?:the|to the|on) (\w+)\.")


@dataclass(frozen=True)
class Event:
    """One sentence of a passage: who took what, went where or came when."""

    person: str
    kind: Kind
    word: str

    def sentence(self) -> str:
        """The event in words."""
        return _SENTENCES[self.kind][0].format(person=self.person, word=self.word)

    def questions(self) -> dict[str, str]:
        """Every question about this event, with the span that answers it."""
        person, word = self.person, self.word
        if self.kind == "took":
            return {f"What did {person} take?": f"the {word}", f"Who took the {word}?": person}
        if self.kind == "went":
            return {f"Where did {person} go?": f"the {word}", f"Who went to the {word}?": person}
        return {f"When did {person} come?": word, f"Who came on {word}?": person}


def random_passage(rng: Random, most: int) -> list[Event]:
    """One to `most` events that share no person and no thing, place or day."""
    people = rng.sample(PEOPLE, rng.randint(1, most))
    words = {kind: rng.sample(pool, len(pool)) for kind, (_, pool) in _SENTENCES.items()}
    kinds = [rng.choice(list(_SENTENCES)) for _ in people]
    return [Event(person, kind, words[kind].pop()) for person, kind in zip(people, kinds, strict=True)]


def story_of(passage: list[Event]) -> str:
    """A passage in words."""
    return " ".join(event.sentence() for event in passage)


def passage_in(story: str) -> list[Event]:
    """The events of a passage in words."""
    kinds: dict[str, Kind] = {kind: kind for kind in _SENTENCES}
    return [Event(person, kinds[kind], word) for person, kind, word in _SENTENCE.findall(story)]


class Reading:
    """Passages with a question; the content is the passage."""

    name = "reading"

    def sample(self, rng: Random) -> Request:
        """Draw a passage and a question about one of its sentences."""
        passage = random_passage(rng, MOST_SENTENCES)
        return self._request(passage, rng.choice(list(rng.choice(passage).questions())))

    def parse(self, text: str) -> Request | None:
        """The passage and question that `text` holds, or None."""
        match = _TEXT.fullmatch(text)
        passage = passage_in(match[1]) if match else []
        known = match and any(match[2] in event.questions() for event in passage)
        return self._request(passage, match[2]) if match and known else None

    def _request(self, passage: list[Event], question: str) -> Request:
        answer = next(event.questions()[question] for event in passage if question in event.questions())
        story = story_of(passage)
        return Request(
            topic=self.name,
            text=f"Read this: {story}\nQuestion: {question}",
            content=story,
            split=split_of(story),
            answers=(answer, f"{answer}."),
        )


READING = Reading()
