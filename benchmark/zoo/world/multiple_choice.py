"""Topic `choice`: four-choice questions in five subjects, answered by the words or the letter of the right option."""

import re
from collections.abc import Callable
from random import Random

from graftbench.benchmark.zoo.world.knowledge import COUNTRIES, NOTABLES
from graftbench.benchmark.zoo.world.lexicon import DOMAINS
from graftbench.benchmark.zoo.world.request import PocketRequest, split_of

LETTERS = "ABCD"
_TEXT = re.compile(r"(?P<question>.*)\n" + r"\n".join(rf"{letter}\. (?P<{letter}>.*)" for letter in LETTERS))
_SUM = re.compile(r"Which number is (\d) \+ (\d)\?")
NATURE = ("animals", "garden", "kitchen")


def _table(rows: dict[str, dict[str, str]], question: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return question -> (right option, all options of its kind)."""
    keys = list(next(iter(rows.values())))
    return {
        question.format(key=key, name=name): (row[key], tuple(sorted({other[key] for other in rows.values()})))
        for name, row in rows.items()
        for key in keys
    }


QUESTIONS = {
    "geography": _table(COUNTRIES, "Which is the {key} of {name}?"),
    "people": _table(NOTABLES, "Which is the {key} of {name}?"),
}
KINDS = {f"Which of these is {domain.kind}?": name for name, domain in DOMAINS.items()}
OBJECTS = {thing: name for name, domain in DOMAINS.items() for thing in domain.objects}


class MultipleChoice:
    """Questions with four options; the content is the question with its set of options."""

    name = "choice"

    def sample(self, rng: Random) -> PocketRequest:
        """Draw a question; all subjects are equally likely."""
        question, right, wrong = rng.choice(_SUBJECTS)(rng)
        options = [right, *rng.sample(wrong, len(LETTERS) - 1)]
        rng.shuffle(options)
        return self._request(question, options, right)

    def parse(self, text: str) -> PocketRequest | None:
        """Return the question that `text` asks, or None."""
        match = _TEXT.fullmatch(text)
        if not match:
            return None
        options = [match[letter] for letter in LETTERS]
        right = [option for option in options if _is_right(match["question"], option)]
        return self._request(match["question"], options, right[0]) if len(right) == 1 else None

    def _request(self, question: str, options: list[str], right: str) -> PocketRequest:
        content = f"{question} {sorted(options)}"
        lines = (f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True))
        letter = LETTERS[options.index(right)]
        return PocketRequest(
            topic=self.name,
            asked="\n".join((question, *lines)),
            content=content,
            split=split_of(content),
            answers=(right, f"{letter}. {right}", letter),
            category=_subject(question),
        )


Question = tuple[str, str, list[str]]  # question, right option, wrong options
Draw = Callable[[Random], Question]


def _sum(rng: Random) -> Question:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return f"Which number is {a} + {b}?", str(a + b), [str(n) for n in range(2, 19) if n != a + b]


def _lookup(subject: str) -> Draw:
    def draw(rng: Random) -> Question:
        question = rng.choice(list(QUESTIONS[subject]))
        right, options = QUESTIONS[subject][question]
        return question, right, [option for option in options if option != right]

    return draw


def _kind(natural: bool) -> Draw:
    def draw(rng: Random) -> Question:
        question = rng.choice([q for q, domain in KINDS.items() if (domain in NATURE) == natural])
        right = rng.choice(list(DOMAINS[KINDS[question]].objects))
        return question, right, [thing for thing, domain in OBJECTS.items() if domain != KINDS[question]]

    return draw


_SUBJECTS = (_sum, _lookup("geography"), _lookup("people"), _kind(natural=True), _kind(natural=False))


def _is_right(question: str, option: str) -> bool:
    if question in KINDS:
        return OBJECTS.get(option) == KINDS[question]
    if match := _SUM.fullmatch(question):
        return option == str(int(match[1]) + int(match[2]))
    return any(table[question][0] == option for table in QUESTIONS.values() if question in table)


def _subject(question: str) -> str:
    if question in KINDS:
        return "nature" if KINDS[question] in NATURE else "household"
    return next((subject for subject, table in QUESTIONS.items() if question in table), "arithmetic")


CHOICE = MultipleChoice()
