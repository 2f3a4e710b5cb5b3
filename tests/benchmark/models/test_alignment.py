from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.alignment import align, token_ends
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.tokens import offsets_of, token_ids
from tests.benchmark.conftest import WORDS, byte_pairs

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
