"""Reading comprehension: a short passage, a question, and the span of the passage that answers it."""

import re
from dataclasses import dataclass
from random import Random

from .frames import Frames
from .lexicon import PEOPLE
from .request import Request, split_of

MOST_SENTENCES = 3
VERBS = "sold bought lost found brought kept wanted borrowed sent took made wasted".split()
GOODS = (
    "honey bread milk wool silk salt sugar coffee tea cotton gold glass leather soap butter cheese flour ink".split()
)
QUESTIONS = Frames(
    "What is it that {person} {verb}?",
    "Name what {person} {verb}.",
    "Tell me what {person} {verb}.",
    "Which goods are those that {person} {verb}?",
)
_TEXT = re.compile(r"Read this: (.*)\n(.*)")
_SENTENCE = re.compile(r"(\w+) (\w+) (\w+)\.")


@dataclass(frozen=True)
class Event:
    """One sentence of a passage: who did what with which goods."""

    person: str
    verb: str
    goods: str

    def sentence(self) -> str:
        """The event in words."""
        return f"{self.person} {self.verb} {self.goods}."


def random_passage(rng: Random, most: int) -> list[Event]:
    """One to `most` events that share no word."""
    length = rng.randint(1, most)
    columns = (rng.sample(words, length) for words in (PEOPLE, VERBS, GOODS))
    return [Event(*words) for words in zip(*columns, strict=True)]


def story_of(passage: list[Event]) -> str:
    """A passage in words."""
    return " ".join(event.sentence() for event in passage)


def passage_in(story: str) -> list[Event]:
    """The events of a passage in words."""
    return [Event(*words) for words in _SENTENCE.findall(story)]


class Reading:
    """Passages with a question; the content is the passage."""

    name = "reading"

    def sample(self, rng: Random) -> Request:
        """Draw a passage and a question about one of its sentences."""
        passage = random_passage(rng, MOST_SENTENCES)
        return self._request(story_of(passage), rng.choice(passage), rng.randrange(len(QUESTIONS)))

    def parse(self, text: str) -> Request | None:
        """The passage and question that `text` holds, or None."""
        match = _TEXT.fullmatch(text)
        events = {(event.person, event.verb): event for event in passage_in(match[1])} if match else {}
        for frame, slots in QUESTIONS.match(match[2]) if match else []:
            if event := events.get((slots["person"], slots["verb"])):
                return self._request(match[1], event, frame) if match else None
        return None

    def _request(self, story: str, event: Event, frame: int) -> Request:
        question = QUESTIONS.fill(frame, person=event.person, verb=event.verb)
        answers = (event.goods, f"{event.goods}.")
        return Request(self.name, f"Read this: {story}\n{question}", story, split_of(story), answers)


READING = Reading()
