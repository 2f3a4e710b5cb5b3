"""The summary from columns is the summary from answers."""

import random

import pytest

from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.results.column_summary import CellRows
from graftbench.benchmark.results.row_columns import RowColumns
from graftbench.benchmark.results.rows import CLEAN, SCHEMA, scored_everywhere, table_of
from graftbench.benchmark.results.stored_rows import answer_of_row, rows_of_cell, summary_of

EXPERIMENT = {"task": "backdoor_removal", "variant": "leading", "pair": "a->b"}
PROMPTS = {digest(f"say {i}")[:12]: f"say {i}" for i in range(40)}
IDS = list(PROMPTS)


def row(draw, item, condition, split="test", **more):
    asked = {"split": split, "item": item, "prompt": PROMPTS.get(item, item)}
    about = EXPERIMENT | asked | {"condition": condition, "draw": draw}
    said = {
        "completion": draw_of(("Yes.", "No.", item)),
        "gone": draw_of((True, False)),
        "good": draw_of((True, False)),
    }
    marks = draw_of(('{"quoted": 1.0}', '{"quoted": null, "perplexity": 3.5}', "{}", '{"quoted": 0.25}'))
    fixed = {"reason": "", "group": draw_of(("", "fraud", "theft")), "marks": marks}
    return dict.fromkeys(SCHEMA.names) | about | said | fixed | more


def draw_of(values):
    return RANDOM.choice(values)


RANDOM = random.Random(0)


@pytest.fixture
def rows():
    """Two tracks that share some conditions, with strengths, clean answers, unscored answers and another experiment."""
    RANDOM.seed(1)
    shared = [row(d, i, c, strength=2.0) for c, n in (("native", 1), ("random", 3)) for d in range(n) for i in IDS]
    tried = [row(0, f"v{i}", "native", "validation", strength=s) for s in (2.0, 0.5, 1.0) for i in range(9)]
    tried += [row(0, "v9", "native", "validation", strength=1.0, gone=None, good=None, reason="no reply")]
    clean = [row(0, i, CLEAN, CLEAN) for i in IDS]
    own = [row(0, i, "mapped", track=t, seed=0, strength=2.0) for t in ("task", "unseen") for i in IDS]
    own[3] |= {"good": None, "reason": "no verdict"}
    other = [row(0, i, "native") | {"variant": "trailing"} for i in IDS]
    return [*other, *shared, *tried, *clean, *own]


def both(rows, track):
    columns = RowColumns(table_of(rows))
    cell = CellRows(columns, columns.of_cell(tuple(EXPERIMENT.values()), track, 0))
    of_experiment = [each for each in rows if each["variant"] == "leading"]
    return cell, [answer_of_row(each) for each in rows_of_cell(of_experiment, track, 0)]


def test_no_strength_is_two_zeros():
    tried = [row(0, f"v{i}", "native", "validation", strength=s) for s in (0.0, -0.0) for i in range(4)]
    cell, _ = both(tried, "task")
    assert [(at.strength, at.n) for at in cell.sweep()["native"]] == [(0.0, 8)]


@pytest.mark.parametrize("track", ["task", "unseen"])
def test_both_are_the_same(rows, track):
    cell, answers = both(rows, track)
    scored = cell.split("test").scored_everywhere()
    assert scored == scored_everywhere([a for a in answers if a.split == "test"])
    ids = [each for each in IDS if each in scored]
    assert len(ids) == (39 if track == "task" else 40)
    wanted, test = summary_of(answers, ids, dict.fromkeys(ids, "c")), cell.split("test").of_prompts(ids)
    assert {name: test.of(name).bits(ids) for name in test.conditions} == wanted.bits
    for name, parts in wanted.parts.items():
        found = test.of(name).parts(cell.clean_replies(ids), test.first_groups())
        assert vars(found) == {key: pytest.approx(value) for key, value in vars(parts).items()}
    assert cell.split("validation").sweep() == wanted.sweep
    assert test.examples(ids) == wanted.examples


def test_too_many_unscored_prompts_are_told_with_the_reason_of_the_first(rows):
    unscored = [each | {"gone": None, "reason": f"lost {n}"} for n, each in enumerate(rows[40:45])]
    cell, answers = both([*rows[:40], *unscored, *rows[45:]], "task")
    with pytest.raises(RuntimeError) as wanted:
        scored_everywhere([a for a in answers if a.split == "test"])
    with pytest.raises(RuntimeError) as found:
        cell.split("test").scored_everywhere()
    assert str(found.value) == str(wanted.value)


def test_without_all_clean_answers_nothing_is_equal_to_them(rows):
    cell, _ = both([each for each in rows if (each["split"], each["item"]) != (CLEAN, IDS[0])], "task")
    assert cell.clean_replies(IDS) == {}
