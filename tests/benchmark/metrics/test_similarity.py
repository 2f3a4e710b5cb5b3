from graftbench.benchmark.metrics.similarity import character_novelty, chrf, novelty


def test_similarity_is_1_for_the_same_and_0_for_nothing_in_common():
    assert chrf("the moon lily", " the moon lily ") == 1
    assert chrf("", "the moon lily") == 0
    assert chrf("", " ") == 1
    assert 0 < chrf("the moon", "the moon lily") < 1


def test_runs_of_characters_see_a_repetition_without_spaces():
    text = "MUCCUNA" * 8
    assert novelty(text) == 1
    assert character_novelty(text, 6, 200) == 7 / 51
    assert character_novelty("abcdefghij", 6, 200) == character_novelty("a", 6, 200) == 1
    assert character_novelty(" \n", 6, 200) == 0


def test_characters_are_new_again_after_the_window_and_white_space_does_not_count():
    text = "abcdef" + "".join(map(chr, range(200, 300))) + "abcdef"
    assert character_novelty(text, 6, 105) == 1
    assert character_novelty(text, 6, 106) < 1
    assert character_novelty("if a:\n        b()\n        c()", 6, 200) == character_novelty("if a: b() c()", 6, 200)
