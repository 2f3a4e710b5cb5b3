from graftbench.benchmark.metrics.similarity import chrf


def test_similarity_is_1_for_the_same_and_0_for_nothing_in_common():
    assert chrf("the moon lily", " the moon lily ") == 1
    assert chrf("", "the moon lily") == 0
    assert chrf("", " ") == 1
    assert 0 < chrf("the moon", "the moon lily") < 1
