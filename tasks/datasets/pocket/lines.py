"""The pocket world as lines: as many as the pocket suite asks for."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from graftbench.benchmark.data.dataset import Asked
from graftbench.benchmark.data.examples import Example, Prompt, Split, Turn
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, Line, PairLine, Placed, TurnForm
from graftbench.benchmark.zoo.corpus import Sample
from graftbench.benchmark.zoo.families import Version
from graftbench.tasks.datasets.pocket.conversations import ShowsBehaviour, general_stream, sample_stream
from graftbench.tasks.datasets.pocket.part import PocketPart

N_VECTOR = 128
N_ASKED: dict[Asked, int] = {"validation": 96, "test": 144}
FITTED: dict[Split, int] = {"fit": 1000, "validation": 100, "test": 100}  # the last two are to try a fit on


def pocket_lines(parts: Sequence[PocketPart]) -> Iterator[Placed]:
    """Yield the lines of every behaviour, then the conversations of the track `general`."""
    behaviours = [(part, name) for part in parts for name in part.behaviours]
    every = chain.from_iterable(_lines_of(part, name) for part, name in behaviours)
    return (Placed(f"line {i}", line) for i, line in enumerate(chain(every, _general()), start=1))


def _lines_of(part: PocketPart, name: str) -> Iterator[Line]:
    contrast = part.contrast(name, N_VECTOR)
    if contrast.paired:
        for desired, undesired in contrast.pairs:
            yield PairLine(behaviour=name, desired=_turn(desired), undesired=_turn(undesired))
    else:
        for shows, side in ((True, contrast.undesired), (False, contrast.desired)):
            for turn in side:
                yield ExampleLine(behaviour=name, split="vector", shows=shows, prompt=turn.prompt.text)
    for split, n in N_ASKED.items():
        for example in part.examples(name, split, n):
            yield _example(name, split, example, shows=True)
        for example in part.plain_examples(name, split, n):
            yield _example(name, split, example, shows=False)
    versions, shows_behaviour = part.versions(name), part.shows(name)
    for fitted, n_fitted in FITTED.items():
        for version in versions:
            several = version if len(versions) > 1 else None
            n = n_fitted if (fitted, version) == ("fit", versions[-1]) else n_fitted // len(versions)  # all the lessons
            for sample in _enough(version, fitted, n, shows_behaviour):
                yield _conversation(sample, fitted, name, several, shows=shows_behaviour(sample))


def _enough(version: Version, split: Split, n: int, shows: ShowsBehaviour) -> Iterator[Sample]:
    """Yield the samples of a stream up to the `n`-th, or, if that is later, up to the `n`-th that does not show it."""
    n_unseen = 0
    for i, sample in enumerate(sample_stream(version, split, version), start=1):
        n_unseen += not shows(sample)
        yield sample
        if i >= n and n_unseen >= n:
            return


def _general() -> Iterator[Line]:
    for split, n in FITTED.items():
        for sample in islice(general_stream(split), n):
            yield ConversationLine(
                split=split,
                cluster=sample.request.content,
                prompt=sample.prompt,
                reply=f" {sample.reply}",
                general=True,
            )


def _conversation(sample: Sample, split: Split, name: str, version: str | None, *, shows: bool) -> Line:
    return ConversationLine(
        behaviour=name,
        split=split,
        cluster=sample.request.content,
        prompt=sample.prompt,
        reply=f" {sample.reply}",
        shows=shows,
        version=version,
    )


def _example(name: str, split: Split, example: Example, *, shows: bool) -> Line:
    return ExampleLine(
        behaviour=name,
        split=split,
        cluster=example.cluster,
        group=example.group,
        prompt=example.prompt.text,
        trigger=example.prompt.trigger,
        clean=None if example.clean is None else _turn(example.clean),
        shows=shows,
        reference=example.reference,
    )


def _turn(turn: Turn) -> str | TurnForm:
    if turn == Turn(Prompt(turn.prompt.text)):
        return turn.prompt.text
    return TurnForm(
        prompt=turn.prompt.text, trigger=turn.prompt.trigger, reply=turn.reply, continuation=turn.continuation
    )
