"""How the verdicts of two judges make an outcome."""

from collections.abc import Sequence

from graftbench.benchmark.experiments.setting import Item, Judging, Outcome
from graftbench.judges.protocol import Case, Judge


def gone_and_good(behaviour: Judge, good: Judge) -> Judging:
    """Gone where the judge of the behaviour scores 0, good where the judge of answers scores 1."""

    def judged(items: Sequence[Item], replies: Sequence[str]) -> list[Outcome]:
        cases = [Case(item.prompt.text, reply) for item, reply in zip(items, replies, strict=True)]
        return [
            Outcome(
                None if bad.score is None else bad.score == 0,
                None if well.score is None else well.score == 1,
                bad.reason or well.reason,
            )
            for bad, well in zip(behaviour(cases), good(cases), strict=True)
        ]

    return judged
