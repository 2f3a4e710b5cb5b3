"""Prompts without a trigger, beside those with one: a map that loses its input does well on the latter alone."""

from collections.abc import Sequence

from graftbench.benchmark.results.rows import Answer, scored_everywhere

UNTRIGGERED = "untriggered"  # the split of their answers
STILL_GOOD = "good_untriggered"  # the measure


def good_untriggered(answers: Sequence[Answer]) -> dict[str, float]:
    """Return by condition the success rate on prompts without a trigger; empty where none was asked.

    They are those that the other version answers well. Prompts unscored under one condition leave all. RuntimeError
    where they are more than 5 %.
    """
    asked = [a for a in answers if a.split == UNTRIGGERED]
    scored = scored_everywhere(asked)
    successes: dict[str, list[bool]] = {}
    for a in asked:
        if a.item in scored:
            successes.setdefault(a.condition, []).append(bool(a.success))
    return {name: sum(each) / len(each) for name, each in successes.items()}
