from itertools import permutations

import pytest

from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.alignment import align, token_ends
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.tokens import offsets_of, token_ids
from tests.benchmark.conftest import WORDS, byte_pairs
from tests.benchmark.models.families import FAMILIES, family

REPLY = "First, take the brush – then Zürich."


def conversations(tokenizer):
    return [chat(Prompt(words), tokenizer).with_reply(REPLY) for words in WORDS]


def test_equal_tokenizers_pair_every_token_with_itself():
    tokenizer = byte_pairs(320)
    for text in conversations(tokenizer):
        ends = token_ends(text, tokenizer)
        pairing = align(ends, ends)
        assert pairing.source == pairing.target == tuple(range(len(ends)))
        assert pairing.share == 1


def test_other_tokenizers_pair_what_ends_at_the_same_character():
    coarse, fine = byte_pairs(400), byte_pairs(280)
    for one, other in zip(conversations(coarse), conversations(fine), strict=True):
        pairing = align(token_ends(one, coarse), token_ends(other, fine))
        assert 0 < pairing.share < 1
        stops = [[stop for _, stop in offsets_of(t.text, k)] for t, k in ((one, coarse), (other, fine))]
        assert [stops[0][i] for i in pairing.source] == [stops[1][i] for i in pairing.target]
        n_words = len(one.text.split())
        assert len(pairing.source) >= n_words


def test_formats_differ_and_the_words_and_the_last_token_before_them_still_pair():
    tokenizer = byte_pairs(320)
    other = byte_pairs(320)
    ours = chat(Prompt(WORDS[0]), tokenizer)
    theirs = Chat("xx [[turn of u]]" + WORDS[0] + "\n[[a]]", ((16, 16 + len(WORDS[0])),))
    pairing = align(token_ends(ours, tokenizer), token_ends(theirs, other))
    ids = [token_ids(t.text, k) for t, k in ((ours, tokenizer), (theirs, other))]
    together = dict(zip(pairing.source, pairing.target, strict=True))
    assert together[len(ids[0]) - 1] == len(ids[1]) - 1
    start = len(token_ids("<s><u>", tokenizer))
    assert together[start - 1] == len(token_ids("xx [[turn of u]]", other)) - 1
    assert ids[0][start : start + 4] == [ids[1][together[i]] for i in range(start, start + 4)]


def test_pairing_by_index_pairs_the_first_with_the_first():
    assert align([(0, 0, 1), (0, 0, 0), (1, 4, 0)], [(1, 2, 0), (1, 4, 0)], "index").source == (0, 1)
    assert align([(1, 2, 0)], [(1, 2, 0), (1, 4, 0)], "index").share == 0.5


@pytest.mark.parametrize(("one", "other"), list(permutations(FAMILIES, 2)))
def test_every_message_pairs_with_itself_in_another_format(one, other):
    earlier = (("How do I paint the fence?", REPLY), ("  a ", "Zürich"))
    tokenizers = [family(name) for name in (one, other)]
    texts = [chat(Prompt("you?", None, earlier), tokenizer).with_reply(" With a brush.") for tokenizer in tokenizers]
    pairing = align(*(token_ends(t, k) for t, k in zip(texts, tokenizers, strict=True)))
    offsets = [offsets_of(t.text, k) for t, k in zip(texts, tokenizers, strict=True)]
    ends = [{stop - start for _, stop in offsets[0] if start < stop <= end} for start, end in texts[0].spans]
    for message, expected in enumerate(ends):
        (start, end), (there, _) = (text.spans[message] for text in texts)
        stops = [(offsets[0][s][1], offsets[1][t][1]) for s, t in zip(pairing.source, pairing.target, strict=True)]
        paired = {(s - start, t - there) for s, t in stops if start < s <= end}
        assert paired == {(stop, stop) for stop in expected}
    before_reply = [sum(stop <= text.spans[-1][0] for _, stop in o) - 1 for text, o in zip(texts, offsets, strict=True)]
    assert tuple(before_reply) in set(zip(pairing.source, pairing.target, strict=True))
