from collections import Counter
from hashlib import blake2b

import pytest

from graftbench.benchmark.data.splits import SHARES, Overlaps, short_hash, split_of, text_key


def test_the_shares_of_the_splits_are_those_of_their_contents():
    counts = Counter(split_of(f"content {i}") for i in range(20_000))
    assert sum(SHARES.values()) == 100
    for split, share in SHARES.items():
        assert abs(counts[split] / 200 - share) < 1


def test_a_split_depends_on_content_and_seed_alone():
    assert [split_of(f"content {i}") for i in range(6)] == [
        *("test", "validation", "vector", "fit", "validation", "validation")
    ]
    contents = [f"content {i}" for i in range(100)]
    assert [split_of(c) for c in contents] == [split_of(c) for c in contents]
    assert [split_of(c) for c in contents] != [split_of(c, seed=1) for c in contents]


def test_shares_may_be_others_and_a_split_may_be_left_out():
    assert {split_of(f"content {i}", shares={"fit": 100}) for i in range(100)} == {"fit"}
    halves = Counter(split_of(f"content {i}", shares={"fit": 50, "test": 50}) for i in range(2_000))
    assert set(halves) == {"fit", "test"}
    assert abs(halves["fit"] - 1_000) < 100


def test_shares_that_are_not_100_leave_contents_without_a_split():
    with pytest.raises(ValueError, match="in no split: their shares add up to 1$"):
        split_of("content", shares={"fit": 1})


def test_a_short_hash_is_the_same_everywhere_and_tells_words_apart():
    assert short_hash("a", 1) == int.from_bytes(blake2b(b"a\x1f1", digest_size=8).digest(), "big")
    assert short_hash("a", "b") != short_hash("ab")
    assert short_hash("\ud800") != short_hash("\ud801")  # halves of a character, which cannot be encoded


def overlaps(**by_split):
    seen = Overlaps()
    for split, texts in by_split.items():
        for text in texts:
            seen.add(split, text)
    return seen.found()


def test_texts_of_two_splits_are_found():
    assert overlaps(fit=["a", "b"], test=["b", "c"]) == {text_key("b")}
    assert overlaps(fit=["a"], vector=["a"], test=["a", "b"], validation=["b"]) == {text_key("a"), text_key("b")}


def test_a_text_may_stand_in_its_split_often():
    assert overlaps(fit=["a", "a", "a"], test=["b", "b"]) == set()
    assert overlaps() == overlaps(fit=["a"]) == set()


def test_overlaps_are_found_among_millions_of_texts(monkeypatch):
    monkeypatch.setattr("graftbench.benchmark.data.splits._COMPARED_AT_ONCE", 7)
    texts = [f"text {i}" for i in range(500)]
    assert overlaps(fit=texts[:300], test=texts[200:]) == {text_key(text) for text in texts[200:300]}
