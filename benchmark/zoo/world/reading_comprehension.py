"""Topic `reading`: a short passage, a question, and the span of the passage that answers it."""

from dataclasses import asdict, dataclass
from random import Random

from graftbench.benchmark.zoo.world.frames import Frames
from graftbench.benchmark.zoo.world.lexicon import DAYS, PEOPLE, PLACES
from graftbench.benchmark.zoo.world.request import PocketRequest, split_of

GOODS = (
    "honey bread milk wool silk salt sugar coffee tea cotton gold glass leather soap butter cheese flour ink".split()
)
NUMBERS = "two three four five six seven eight nine ten twelve twenty thirty".split()
PASSAGES = Frames(
    "On {day} {seller} went to the {place}. {buyer} was there and paid {price} coins for the {goods}.",
    "{seller} had {goods}. {buyer} bought it on {day} at the {place} for {price} coins.",
    "On {day} the {place} was open. There {seller} sold {goods} to {buyer} for {price} coins.",
    "{buyer} needed {goods}. On {day} {seller} brought it to the {place} and got {price} coins.",
)
# Each question with the span that answers it; both people are in every passage.
QUESTIONS = {
    "Who sold the {goods}?": "{seller}",
    "Who bought the {goods}?": "{buyer}",
    "What did {buyer} buy?": "{goods}",
    "Where was the {goods} sold?": "the {place}",
    "On which day was the {goods} sold?": "{day}",
    "How many coins did {buyer} pay?": "{price}",
}
_TEXTS = Frames(*(f"Read this: {passage}\nQuestion: {{question}}" for passage in PASSAGES.templates))


@dataclass(frozen=True)
class Sale:
    """The facts of a passage."""

    seller: str
    buyer: str
    goods: str
    place: str
    day: str
    price: str


class ReadingComprehension:
    """Passages with a question. The content is the passage: all questions about it are in one split."""

    name = "reading"

    def sample(self, rng: Random) -> PocketRequest:
        """Draw a passage and a question about it."""
        people, words = rng.sample(PEOPLE, 2), (rng.choice(pool) for pool in (GOODS, PLACES, DAYS, NUMBERS))
        return self._request(rng.randrange(len(PASSAGES)), Sale(*people, *words), rng.choice(list(QUESTIONS)))

    def parse(self, text: str) -> PocketRequest | None:
        """Return the request with this text, or None where the text is no passage with a question."""
        for frame, slots in _TEXTS.match(text):
            asked = slots.pop("question")
            sale = Sale(**slots)
            for question in QUESTIONS:
                if question.format(**slots) == asked:
                    return self._request(frame, sale, question)
        return None

    def _request(self, frame: int, sale: Sale, question: str) -> PocketRequest:
        words = asdict(sale)
        passage = PASSAGES.fill(frame, **words)
        answer = QUESTIONS[question].format(**words)
        return PocketRequest(
            topic=self.name,
            asked=f"Read this: {passage}\nQuestion: {question.format(**words)}",
            content=passage,
            split=split_of(passage),
            answers=(answer, f"{answer}."),
        )


READING = ReadingComprehension()
