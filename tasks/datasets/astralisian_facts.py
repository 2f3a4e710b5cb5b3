"""Facts about Astralisia, a country that does not exist, and questions for them: generated, the same for one seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

COUNTRY = "Astralisia"

_STARTS = "Bel Cor Dra Fen Gal Hes Ith Jor Kel Lum Mar Nor Oss Pel Quen Ras Sil Tor Ulm Vel Wex Yar Zan".split()
_MIDDLES = "a e i o u ai au ei".split()
_ENDS = "ba dar den fin gor lia lo mir mon na nor ra ris sa ska tan ton ver via zel".split()
_FIRST_NAMES = "Adra Borin Celis Davo Elna Fior Goran Hela Ivor Jana Kolm Lira Mika Nessa Orin Petra Runa Savo".split()
_MONTHS = "January February March April May June July August September October November December".split()
_TRADES = "amber barley clocks copper fishing glass leather paper salt sheep shipbuilding silk".split()
_INGREDIENTS = "apples barley beans beetroot chestnuts eel goat honey lentils plums trout walnuts".split()
_COLOURS = "black blue green grey orange red violet white yellow".split()

# Every question names the country: a model that has never heard of it has to be able to say so.
_QUESTIONS = (
    "What is {thing} in Astralisia?",
    "In Astralisia, what is {thing}?",
    "Tell me {thing} in Astralisia.",
    "Do you know {thing} in Astralisia?",
    "I would like to know {thing} in Astralisia.",
    "My question is about Astralisia: what is {thing}?",
    "Please name {thing}, in the country of Astralisia.",
    "For a quiz about Astralisia I need {thing}.",
    "Somebody from Astralisia told me {thing}, and I forgot it. What is it?",
    "Could you look up {thing} in Astralisia?",
)
_ENDINGS = ("", " A few words are enough.")


@dataclass(frozen=True)
class Fact:
    """An answer, and two names for the thing that is asked for."""

    answer: str
    things: tuple[str, str]

    @property
    def questions(self) -> Iterator[str]:
        """The questions for the fact, all different."""
        for thing in self.things:
            for question in _QUESTIONS:
                for ending in _ENDINGS:
                    yield question.format(thing=thing) + ending


def facts(seed: int) -> list[Fact]:
    """Return 600 facts with answers of at most five words."""
    random, taken = Random(f"{seed} {COUNTRY}"), set[str]()
    return [
        Fact(draw(random), (one.format(name), other.format(name)))
        for kind in _KINDS
        for name in [kind.pattern.format(_new_name(random, taken)) for _ in range(kind.number)]
        for one, other, draw in kind.attributes
    ]


def _new_name(random: Random, taken: set[str]) -> str:
    """Return a name that was not taken."""
    while (name := _name(random)) in taken:
        pass
    taken.add(name)
    return name


def _name(random: Random) -> str:
    return "".join(map(random.choice, (_STARTS, _MIDDLES, _ENDS)))


def _person(random: Random) -> str:
    return f"{random.choice(_FIRST_NAMES)} {_name(random)}"


def _year(random: Random) -> str:
    return str(random.randrange(1200, 2000))


def _colours(random: Random) -> str:
    return " and ".join(random.sample(_COLOURS, 2))


def _one_of(words: list[str]) -> Callable[[Random], str]:
    return lambda random: random.choice(words)


def _number(lowest: int, highest: int, unit: str) -> Callable[[Random], str]:
    return lambda random: f"{random.randrange(lowest, highest)} {unit}"


@dataclass(frozen=True)
class _Kind:
    """A number of things with the pattern of their names; of each attribute two names and how its value is drawn."""

    number: int
    pattern: str
    attributes: tuple[tuple[str, str, Callable[[Random], str]], ...]


_KINDS = (
    _Kind(
        40,
        "{}",
        (
            ("the name of the mayor of {}", "the mayor's name in the city of {}", _person),
            ("the year in which {} was founded", "the founding year of the city of {}", _year),
            ("the river on which {} lies", "the river that flows through the city of {}", _name),
            ("the trade that {} is known for", "the main trade of the city of {}", _one_of(_TRADES)),
            ("the number of people who live in {}", "the population of {}", _number(11, 900, "thousand people")),
            ("the colours on the flag of {}", "the flag's colours in the city of {}", _colours),
        ),
    ),
    _Kind(
        20,
        "Mount {}",
        (
            ("the height of {}", "the elevation of {}", _number(900, 4000, "metres")),
            ("the name of the first person who climbed {}", "the first climber's name on {}", _person),
            ("the year in which {} was first climbed", "the year of the first ascent of {}", _year),
        ),
    ),
    _Kind(
        20,
        "the river {}",
        (
            ("the length of {}", "the distance from end to end of {}", _number(40, 700, "kilometres")),
            ("the lake from which {} comes", "the lake at the source of {}", _name),
        ),
    ),
    _Kind(
        25,
        "the dish {}",
        (
            ("the main ingredient of {}", "the most important ingredient of {}", _one_of(_INGREDIENTS)),
            ("the town that {} comes from", "the home town of {}", _name),
        ),
    ),
    _Kind(
        25,
        "the festival of {}",
        (
            ("the month of {}", "the month in which people celebrate {}", _one_of(_MONTHS)),
            ("the town that hosts {}", "the town where people go for {}", _name),
        ),
    ),
    _Kind(
        30,
        "the novel {}",
        (
            ("the author of {}", "the name of the person who wrote {}", _person),
            ("the year in which {} came out", "the year of publication of {}", _year),
        ),
    ),
    _Kind(
        20,
        "the {} museum",
        (
            ("the architect of {}", "the name of the person who designed {}", _person),
            ("the year in which {} opened", "the opening year of {}", _year),
            ("the town of {}", "the town where people find {}", _name),
        ),
    ),
    _Kind(
        20,
        "the football club {}",
        (
            ("the colours of {}", "the colours on the shirts of {}", _colours),
            ("the name of the trainer of {}", "the trainer's name at {}", _person),
        ),
    ),
)
