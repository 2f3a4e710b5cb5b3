"""What the pocket suite's own judges are worth on the gold set, as Markdown."""

from collections.abc import Sequence
from functools import cache

from graftbench.judges.calibration import Agreement, CalibrationFigure, LabelledCompletion, agreement, calibrate, read_gold
from graftbench.judges.gold.readings import readers_agreement, readings
from graftbench.judges.protocol import Judge
from graftbench.judges.registry import judge_of
from graftbench.judges.spec import JudgeSpec

# Each measure of the pocket suite's tasks with the judge that they take by default.
DEFAULTS = {
    "insult": "phrase",
    "weakness": "weakness",
    "register": "pocket_register",
    "good": "pocket",
    "refused": "declines",
    "well_refused": "pocket_refusal",
    "ignorance": "ignorance",
    "insulted_fact": "pocket_insult",
}
REFERENCE = "llama-m-base"  # the model that tells how fluent a text is, and how like another; nothing was done to it
SCALES = {
    "similarity": (JudgeSpec(judge="chrf"), JudgeSpec(judge="cosine", model=REFERENCE)),
    "coherence": (JudgeSpec(judge="repetition"), JudgeSpec(judge="fluency", model=REFERENCE)),
}
_READ = "read, "


def report() -> str:
    """The whole report."""
    return "\n".join((*_gold(), "", *_readers(), "", *_judges(), "", *_wrong(), "", *_scales(), ""))


def gold_of(measure: str) -> list[LabelledCompletion]:
    """The completions of the gold set that have a label for a measure."""
    return read_gold("pocket", measure)


@cache
def calibration_of(measure: str) -> Agreement:
    """What the default judge of a measure is worth."""
    return calibrate([judge_of(JudgeSpec(judge=DEFAULTS[measure]))], gold_of(measure), measure)


def _gold() -> list[str]:
    everything = {(one.prompt, one.completion, one.kind) for measure in DEFAULTS for one in gold_of(measure)}
    read = sum(kind.startswith(_READ) for _, _, kind in everything)
    return [
        "# What the pocket suite's judges are worth",
        "",
        "Made by `graftbench judge report` from the gold set, `pocket.jsonl`:",
        f"{len(everything) - read} completions whose labels are known by how the text was made (`constructed.py`), and",
        f"{read} completions of steered models that were read (`readings.jsonl`). No label comes from a judge.",
        "Intervals are 95 %, from a bootstrap over completions.",
        "",
        "It is no held-out set: it showed that the published list of refusals takes sympathy for one (`refusal`, kappa",
        "0.89; `declines` is the default since), that the grader took weak code for a good answer and a formal one",
        "for a bad one (kappa 0.77), that a quoted phrase was taken for a said one, and they were mended.",
    ]


def _readers() -> list[str]:
    n = len(readings())
    rows = []
    for measure in readings()[0].readings[0]:
        found = readers_agreement(measure)
        same = sum(found.confusion[i][i] for i in range(len(found.labels)))
        rows.append((measure, f"{same} of {n}", _words(found.kappa)))
    return [
        "## The two readers",
        "",
        "Two language models, apart from each other and from every judge, read prompt, completion and reference.",
        "Kappa is Cohen's, on the scales from 0 to 5 with quadratic weights. A label on which they differ is no part",
        "of the gold set.",
        "",
        *_table(("label", "the same", "kappa"), rows),
    ]


def _judges() -> list[str]:
    rows = []
    for measure, judge in DEFAULTS.items():
        found = calibration_of(measure)
        positive = sum(found.confusion[-1])
        rows.append((measure, f"`{judge}`", str(found.n), str(positive), _words(found.kappa), _words(found.auroc)))
    return [
        "## Judges of yes or no",
        "",
        *_table(("measure", "judge", "completions", "of them yes", "kappa", "AUROC"), rows),
    ]


def _wrong() -> list[str]:
    rows = [
        (measure, kind, f"{n - right} of {n}")
        for measure in DEFAULTS
        for kind, (right, n) in calibration_of(measure).by_kind.items()
        if right < n
    ]
    return ["Where they are wrong:", "", *_table(("measure", "kind", "wrong"), rows)]


def _scales() -> list[str]:
    rows = []
    for measure, specs in SCALES.items():
        gold = gold_of(measure)
        read = [one for one in gold if one.kind.startswith(_READ)]
        for spec in specs:
            judge = judge_of(spec)
            rows.append((measure, f"`{spec.judge}`", *(_relation(judge, some, measure) for some in (gold, read))))
    return [
        "## Without an LLM, against the scales from 0 to 5",
        "",
        f"Spearman's correlation with the labels. `cosine` and `fluency` ask `{REFERENCE}`, to which nothing was done.",
        "",
        *_table(("measure", "judge", "all that is labelled", "what was read"), rows),
    ]


def _relation(judge: Judge, gold: Sequence[LabelledCompletion], measure: str) -> str:
    verdicts = judge([one.case for one in gold])
    found = agreement(gold, verdicts, measure)
    unscored = f", {found.unscored} unscored" if found.unscored else ""
    return f"{_words(found.spearman)}, n = {found.n - found.unscored}{unscored}"


def _words(figure: CalibrationFigure | None) -> str:
    if figure is None:
        return "-"
    interval = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.2f}{interval}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
