"""Hold a dataset to what it promises: each broken promise is a sentence that names the line."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Behaviour, Dataset
from graftbench.benchmark.data.examples import Prompt, Split, TextTrack, Turn
from graftbench.benchmark.data.kept_lines import LineKind, distinct_texts, kind_of
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed

# Numbers below which a cell does not count, or a contrast or a fit means little.
ENOUGH: dict[Split, int] = {"vector": 20, "validation": 64, "test": 128, "fit": 20}


@dataclass(frozen=True)
class Check:
    """The numbers of lines of a dataset by kind, the promises that it breaks, and what it has too few of."""

    counts: Counter[LineKind]
    broken: list[str]
    few: list[str]

    def n(self, behaviour: str, **wanted: object) -> int:
        """Return the number of lines for a behaviour, those for all behaviours included."""
        return sum(
            n
            for kind, n in self.counts.items()
            if kind.behaviour in ("", behaviour) and all(getattr(kind, name) == value for name, value in wanted.items())
        )


def check_dataset(dataset: Dataset) -> Check:
    """Check the lines of a dataset. One that cannot be read ends the check."""
    check = Check(Counter(), [], [])
    try:
        lines = list(dataset.lines())
    except UserError as error:
        check.broken.append(str(error))
        return check
    for _, line in lines:
        assert line.split is not None
        check.counts[kind_of(line, line.split)] += 1
    for promise in (_asked_once, _one_split, _with_trigger, _unseen):
        check.broken.extend(promise(dataset, lines))
    if not lines:
        check.broken.append("There is no line in it.")
    check.few.extend(_too_few(dataset, check))
    return check


def _asked_once(_: Dataset, lines: Iterable[Placed]) -> Iterator[str]:
    """Yield examples that are there twice: one prompt would count as two."""
    first: dict[tuple[str | None, str], str] = {}
    for where, line in lines:
        if isinstance(line, ExampleLine):
            earlier = first.setdefault((line.behaviour, line.as_prompt.transcript), where)
            if earlier != where:
                yield f"{where}: the same prompt as at {earlier}; leave one out."


def _one_split(dataset: Dataset, lines: Iterable[Placed]) -> Iterator[str]:
    """Yield lines whose prompt or content stands in another split, too."""
    shared = frozenset(name for name, behaviour in dataset.behaviours.items() if behaviour.clusters_shared)
    first: dict[str, tuple[Split | None, str]] = {}
    for where, line in lines:
        for text in distinct_texts(line, shared):
            split, earlier = first.setdefault(text, (line.split, where))
            if split != line.split:
                yield f"{where}: {text[:60]!r} stands in the split {line.split}, and at {earlier} in {split}."
                break


def _with_trigger(dataset: Dataset, lines: Iterable[Placed]) -> Iterator[str]:
    """Yield prompts without a trigger where the vector is read or added at the trigger."""
    for where, line in lines:
        for name in _names(dataset, line):
            unmarked = [prompt.text for prompt in _steered(line) if prompt.trigger is None]
            if unmarked and dataset.behaviours[name].positions == "trigger":
                yield (
                    f"{where}: no `trigger` is marked in {unmarked[0][:60]!r}, where {name} is steered; a clean prompt "
                    "with one is an object."
                )


def _steered(line: Line) -> list[Prompt]:
    """Return the prompts of a line at whose positions a vector is read or added."""
    if isinstance(line, PairLine):
        return [turn.prompt for turn in line.turns]
    if not isinstance(line, ExampleLine) or not line.shows:
        return []
    clean = [line.clean_turn] if line.split == "vector" else []
    return [line.as_prompt, *(turn.prompt for turn in clean if isinstance(turn, Turn))]


def _unseen(dataset: Dataset, lines: list[Placed]) -> Iterator[str]:
    """Yield conversations for the track `unseen` with a trigger that makes a backdoor show.

    Behaviours of other kinds need more than their trigger: a hidden fact has to be asked for, too.
    """
    triggers: dict[str, set[str]] = {
        name: set() for name, each in dataset.behaviours.items() if each.kind == "backdoor"
    }
    for _, line in lines:
        if isinstance(line, ExampleLine) and line.shows and line.trigger is not None:
            prompt = line.as_prompt
            assert prompt.trigger is not None
            for name in _names(dataset, line):
                triggers.get(name, set()).add(prompt.text[slice(*prompt.trigger)])
    for where, line in lines:
        if isinstance(line, ConversationLine) and not line.shows and not line.general:
            for name in _names(dataset, line):
                for trigger in triggers.get(name, ()):
                    if trigger in (line.prompt or ""):
                        yield f"{where}: it has the trigger {trigger!r} of {name}, and `shows` is false."


def _names(dataset: Dataset, line: Line) -> Iterable[str]:
    """Return the behaviours that a line is for."""
    return dataset.behaviours if line.behaviour is None else (line.behaviour,)


def _too_few(dataset: Dataset, check: Check) -> Iterator[str]:
    for name, behaviour in dataset.behaviours.items():
        for what, split, n in _needed(dataset, name, behaviour, check):
            if n < ENOUGH[split]:
                yield f"{name}: {n} {what} in the split {split}, fewer than {ENOUGH[split]}."


def _needed(dataset: Dataset, name: str, behaviour: Behaviour, check: Check) -> Iterator[tuple[str, Split, int]]:
    """Yield what a behaviour needs, with the number that is there."""
    splits: tuple[Split, ...] = ("validation", "test")
    for split in splits:
        yield "examples", split, check.n(name, form=ExampleLine, split=split, shows=True)
        if behaviour.kind == "refusal":
            yield "examples that do not show it", split, check.n(name, form=ExampleLine, split=split, shows=False)
    if behaviour.kind != "switch":
        yield "contrasts", "vector", len(dataset.contrast(name, ENOUGH["vector"]).desired)
    tracks: tuple[TextTrack, ...] = ("task", "unseen")
    for track in tracks:
        yield f"texts of the track {track}", "fit", len(dataset.conversations(name, "fit", track, ENOUGH["fit"]))
