import json
from copy import deepcopy

import pytest
from pydantic import ValidationError

from graftbench.benchmark.results.schema import Entry
from graftbench.benchmark.results.stored_entry import StoredEntry
from tests.fuzzing import at
from tests.leaderboard.test_any_entry import PLAIN

TASK = "backdoor_removal"
UNSTEERED = ("cells", 0, "side_effects", "deployed", "unsteered")


def test_the_published_schema_is_the_one_in_force():
    from pathlib import Path

    published = Path(__file__).parents[3] / "leaderboard" / "entry.schema.json"
    assert json.loads(published.read_text()) == StoredEntry.model_json_schema()


def test_no_field_comes_in_that_the_schema_does_not_know():
    assert StoredEntry.model_json_schema()["additionalProperties"] is False


RATE = ("cells", 0, "rates", "mapped")
SHARES = [(*RATE, part) for part in ("value", "low", "high", "gone", "good", "equal_clean")]
SHARES += [(*RATE, "groups", "fraud"), ("cells", 0, "cost", "share_aligned")]
SHARES += [("cells", 0, "sweep", "mapped", 0, "value"), (*UNSTEERED, "reply_novelty")]
COUNTS = [("cells", 0, name) for name in ("task_version", "n_asked", "n_prompts", "n_validation")]
COUNTS += [("cells", 0, "cost", name) for name in ("parameters", "bytes", "pairs")]
COUNTS += [("cells", 0, "sweep", "mapped", 0, "n"), (*UNSTEERED, "cut", "pocket_mmlu")]
COUNTS += [("headline", name) for name in ("n_cells", "n_steerable")]
COUNTS += [("headline", "fitted", name) for name in ("n_cells", "n_prompts")]
COUNTS += [("judging", name) for name in ("prompt_tokens", "completion_tokens")]
FIGURES = [("headline", "fitted", name) for name in ("score", "null_high")] + [("cells", 0, "transfer", "value")]
FIGURES += [("cells", 0, "transfer", limits, side) for limits in ("confidence", "prediction") for side in (0, 1)]
FIGURES += [(*RATE, "marks", "quoted"), (*RATE, "measures", "kl")]
SWEPT = ("cells", 0, "sweep", "mapped", 0, "strength")  # of both signs
OUT_OF_BOUNDS = [
    *[(path, (-0.001, 1.001, 1.7e308)) for path in SHARES],
    *[(path, (-1, 10**15 + 1, 10**400)) for path in COUNTS],
    *[(path, (1e300, -1e300, float("nan"))) for path in FIGURES],
    (("cells", 0, "strength"), (0, -1, 1e6, float("inf"))),
    (SWEPT, (-1e6, 1e6, float("inf"))),
    *[(("cells", 0, name), (10**400,)) for name in ("seed", "sites", "positions")],
    (("judging", "dollars"), (-1, 1e300)),
]


@pytest.mark.parametrize(("path", "values"), OUT_OF_BOUNDS, ids=lambda one: str(one[-1])[:20])
def test_shares_counts_figures_and_strengths_have_bounds(path, values):
    for value in values:
        record = deepcopy(PLAIN)
        at(record, path[:-1])[path[-1]] = [value, value] if path[-1] in ("sites", "positions") else value
        with pytest.raises(ValidationError, match=rf"\.{path[-1]}\b"):
            Entry.model_validate_json(json.dumps(record))


SCORES = (("headline", "fitted"), ("headline", "by_track", "task", "by_task", TASK))


@pytest.mark.parametrize(
    ("path", "lacking"),
    [
        *((path, name) for path in (RATE, *SCORES) for name in ("low", "high")),
        *((path, name) for path in SCORES for name in ("null_low", "null_high")),
        (("cells", 0, "transfer"), "prediction"),
    ],
)
def test_a_figure_stands_with_its_interval(path, lacking):
    record = deepcopy(PLAIN)
    at(record, path)[lacking] = None
    with pytest.raises(ValidationError, match="a figure stands with its interval, or neither does"):
        Entry.model_validate_json(json.dumps(record))


def test_a_transfer_may_have_no_limits_and_limits_have_a_transfer():
    record = deepcopy(PLAIN)
    record["cells"][0]["transfer"]["confidence"] = None
    Entry.model_validate_json(json.dumps(record))
    nothing = {"value": None, "confidence": [0, 1], "prediction": None, "baseline": "random", "reason": "no"}
    record["cells"][0]["transfer"] = nothing
    with pytest.raises(ValidationError, match="an interval stands with its figure"):
        Entry.model_validate_json(json.dumps(record))


def test_options_are_what_they_were():
    record = deepcopy(PLAIN)
    options = {"a": True, "b": 1, "c": 1.5, "d": "x", "e": "1", "f": 2.0, "g": False, "h": 0}
    record["mapper"]["options"] = options
    parsed = Entry.model_validate_json(json.dumps(record)).mapper.options
    assert {name: (type(one), one) for name, one in parsed.items()} == {k: (type(v), v) for k, v in options.items()}
