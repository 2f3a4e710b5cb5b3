import tracemalloc
from random import Random

import pytest

from graftbench.benchmark.data import kept_lines, splits
from graftbench.benchmark.data.kept_lines import (
    USUAL,
    KeptLines,
    LineKind,
    LinesOnDemand,
    distinct_texts,
    keep,
    kind_of,
    overlapping,
)
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, PairLine, Placed
from graftbench.benchmark.data.splits import SHARES, text_key

NONE = frozenset()


def placed(lines):
    return [Placed(f"line {i}", line) for i, line in enumerate(lines, start=1)]


def kept(lines, seed=0, most=USUAL, drawn=NONE):
    some = KeptLines(seed, SHARES, drawn, most)
    keep(placed(lines), some, NONE)
    return some


def overlaps(lines, shared=NONE):
    lines = placed(lines)
    seen = keep(lines, KeptLines(), shared)
    return list(overlapping(lines, 0, SHARES, shared, seen.found()))


def examples(n, **more):
    return [ExampleLine(prompt=f"prompt {i}", **more) for i in range(n)]


def conversations(n, **more):
    return [ConversationLine(prompt=f"prompt {i}", reply=f"reply {i}", **more) for i in range(n)]


def prompts_by_split(lines):
    return {split: [line.prompt for line in lines.of("", split=split)] for split in SHARES}


def test_lines_whose_split_is_given_keep_their_order():
    lines = examples(50, split="test")
    assert kept(lines).of("", split="test") == lines
    assert kept(lines[::-1]).of("", split="test") == lines[::-1]


def test_lines_whose_split_is_made_come_in_an_order_that_is_not_that_of_the_file():
    lines = examples(400) + conversations(400)
    shuffled = Random(0).sample(lines, len(lines))
    for form in (ExampleLine, ConversationLine):
        drawn = kept(lines).of("", form=form)
        assert drawn == kept(shuffled).of("", form=form)
        assert drawn != [line for line in lines if isinstance(line, form)]


def test_another_seed_makes_other_splits_and_another_order():
    first, second = prompts_by_split(kept(examples(400))), prompts_by_split(kept(examples(400), seed=1))
    assert all(set(first[split]) != set(second[split]) for split in SHARES)


def test_a_new_line_moves_no_other_one_to_another_split():
    before, after = prompts_by_split(kept(examples(400))), prompts_by_split(kept(examples(401)))
    new = {"prompt 400"}
    assert all(set(after[split]) - new == set(before[split]) for split in SHARES)
    assert all([prompt for prompt in after[split] if prompt not in new] == before[split] for split in SHARES)


def test_lines_that_ask_the_same_have_an_order_of_their_own():
    lines = [ConversationLine(prompt="Why?", reply=f"reply {i}", shows=i % 2 == 0) for i in range(10)]
    drawn = kept(lines).of("", form=ConversationLine)
    assert drawn == kept(lines[::-1]).of("", form=ConversationLine) == kept(lines[5:] + lines[:5]).of("")


def test_given_splits_come_before_made_ones():
    made, given = examples(40), [ExampleLine(prompt=f"given {i}", split="test") for i in range(3)]
    assert kept(made + given).of("", split="test")[:3] == given


@pytest.mark.parametrize("given", ["test", None])
def test_of_more_lines_than_are_kept_the_choice_is_the_same_in_any_order(monkeypatch, given):
    lines = examples(1_000, split=given)
    all_of_them = kept(lines).of("", split="test")
    monkeypatch.setattr(kept_lines, "USUAL", 20)
    few = kept(lines, most=20).of("", split="test")
    assert few == all_of_them[:20]
    if given is None:
        for seed in range(3):
            assert kept(Random(seed).sample(lines, len(lines)), most=20).of("", split="test") == few


def test_a_given_split_may_be_drawn_as_those_that_are_made_are():
    lines = examples(300, split="fit") + examples(300, split="test")
    drawn = kept(lines, most=20, drawn=frozenset({"fit"}))
    assert drawn.of("", split="fit") == kept(lines[::-1], most=20, drawn=frozenset({"fit"})).of("", split="fit")
    assert drawn.of("", split="fit") != lines[:20]
    assert drawn.of("", split="test") == lines[300:320]


@pytest.mark.parametrize("given", ["fit", None])
def test_as_many_lines_of_a_kind_are_kept_as_somebody_asks_for(given):
    n = USUAL + 2_000
    lines = [ConversationLine.model_construct(prompt=f"{i}", reply="", split=given) for i in range(n)]
    reads = []

    def read(most):
        reads.append(most)
        some = KeptLines(shares={"fit": 100}, most=most)
        keep(placed(lines), some, NONE)
        return some

    demand = LinesOnDemand(read)
    few, many = demand.first(10).of(""), demand.first(n - 1).of("")
    assert (len(few), len(many)) == (USUAL, n - 1)
    assert many[:USUAL] == few == demand.first(10).of("")  # whatever was asked before
    assert len(demand.first(n).of("")) == n
    assert len(demand.first(2 * n).of("")) == n
    assert reads == [USUAL, n - 1, n]  # when all are there none is read again


def test_each_kind_of_line_has_room_of_its_own():
    lines = [
        *examples(20, split="test"),
        *examples(20, split="test", shows=False),
        *examples(20, split="validation"),
        *examples(20, split="test", behaviour="a"),
        *conversations(20, split="test"),
        *conversations(20, split="test", version="v"),
        *(PairLine(desired=f"a {i}", undesired=f"b {i}") for i in range(20)),
    ]
    by_kind = kept(lines, most=5).by_kind
    assert len(by_kind) == 7
    assert all(len(each) == 5 for each in by_kind.values())


def test_lines_without_a_behaviour_belong_to_all():
    both = kept([*examples(3, split="test"), *examples(3, split="test", behaviour="a")])
    assert len(both.of("a")) == 6
    assert len(both.of("b")) == 3


def test_a_kind_is_what_a_line_is_for():
    line = ConversationLine(prompt="a", reply="b", shows=True, version="v", behaviour="x")
    assert kind_of(line, "fit") == LineKind(ConversationLine, "x", "fit", True, "v", False)
    assert kind_of(ExampleLine(prompt="a", shows=False), "test") == LineKind(ExampleLine, "", "test", False)


def test_lines_are_handed_out_with_their_splits_and_where_they_stand():
    lines = examples(50)
    again = list(kept(lines).with_splits())
    assert sorted(int(where.split()[1]) for where, _ in again) == list(range(1, 51))
    for where, line in again:
        original = lines[int(where.split()[1]) - 1]
        assert line == original.model_copy(update={"split": line.split})
        assert line in [each.model_copy(update={"split": line.split}) for each in kept(lines).of("", split=line.split)]
    assert [line.split for line in lines] == [None] * 50


def test_the_same_prompt_in_two_splits_is_told_with_both_places():
    lines = [ExampleLine(prompt="Why?", split="test"), ExampleLine(prompt="Why?", split="validation")]
    (told,) = overlaps(lines)
    assert told == "line 2: 'Why?' stands in the split validation, and at line 1 in test"


def test_the_same_content_in_two_splits_is_told():
    lines = [
        ExampleLine(prompt="Why?", cluster="c", split="test"),
        ConversationLine(prompt="How?", reply="So.", cluster="c", split="fit"),
    ]
    (told,) = overlaps(lines)
    assert told == "line 2: 'c' stands in the split fit, and at line 1 in test"


def test_a_line_that_shares_prompt_and_content_is_told_once():
    lines = [ExampleLine(prompt="Why?", cluster="c", split=split) for split in ("test", "fit")]
    assert len(overlaps(lines)) == 1


def test_one_side_of_a_pair_may_stand_in_no_other_split():
    lines = [PairLine(desired="Go", undesired="Go |x|"), ExampleLine(prompt="Go |x|", split="test")]
    (told,) = overlaps(lines)
    assert "'Go |x|' stands in the split test, and at line 1 in vector" in told


def test_made_splits_share_nothing_by_construction():
    lines = [*examples(300), *(ExampleLine(prompt=f"prompt {i} |x|", clean=f"prompt {i}") for i in range(300))]
    lines += [ConversationLine(prompt=f"in other words {i}", reply="", cluster=f"prompt {i}") for i in range(300)]
    assert overlaps(lines) == []


def test_the_same_words_after_other_turns_may_stand_in_another_split():
    earlier = (("Hi.", "Hello."),)
    assert (
        overlaps([ExampleLine(prompt="Why?", split="test"), ExampleLine(prompt="Why?", split="fit", before=earlier)])
        == []
    )


def test_behaviours_whose_contents_are_shared_may_have_one_in_several_splits_in_other_words():
    lines = [ExampleLine(prompt=f"{split}?", cluster="c", split=split, behaviour="a") for split in ("test", "fit")]
    assert len(overlaps(lines)) == 1
    assert overlaps(lines, frozenset("a")) == []
    same = [line.model_copy(update={"prompt": "Why?"}) for line in lines]
    assert len(overlaps(same, frozenset("a"))) == 1
    assert distinct_texts(lines[0], frozenset("a")) == ("test?",)


def test_a_hash_that_two_texts_share_is_no_overlap():
    lines = placed([ExampleLine(prompt="a", split="test"), ExampleLine(prompt="b", split="fit")])
    assert list(overlapping(lines, 0, SHARES, NONE, {text_key("a"), text_key("b")})) == []


def test_long_texts_are_told_in_short():
    lines = [ExampleLine(prompt="x" * 500, split=split) for split in ("test", "fit")]
    (told,) = overlaps(lines)
    assert f"{'x' * 57}..." in told
    assert len(told) < 150


def many(n):
    """Yield conversations that are made as they are read; memory is traced when all kinds of them have been full."""
    for i in range(n):
        if i == n // 4:
            tracemalloc.start()
        yield Placed(f"line {i}", ConversationLine(prompt=f"What is word {i}?", reply="A.", shows=i % 2 == 0))


def test_memory_does_not_grow_with_the_number_of_lines(monkeypatch):
    monkeypatch.setattr(kept_lines, "USUAL", 50)
    monkeypatch.setattr(splits, "_COMPARED_AT_ONCE", 1_000)
    n = 50_000
    try:
        lines = KeptLines(most=50)
        seen = keep(many(n), lines, NONE)
        assert not seen.found()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(lines.by_kind) == 8
    assert all(len(each) == 50 for each in lines.by_kind.values())
    assert peak < 16 * n  # 8 bytes a line, to find what stands in two splits; a line itself takes 1,000
