"""Report on the pocket suite's own judges on the gold set, as Markdown."""

from collections.abc import Sequence
from functools import cache

from graftbench.judges.agreement import Agreement, CalibrationFigure, agreement
from graftbench.judges.calibration import calibrate
from graftbench.judges.gold.labels import LabelledCompletion, read_gold
from graftbench.judges.gold.readings import readers_agreement, readings
from graftbench.judges.protocol import Judge
from graftbench.judges.registry import judge_of
from graftbench.judges.spec import JudgeSpec

# The default judge of each measure of the pocket suite's tasks.
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
REFERENCE = "llama-m-base"  # the model behind `cosine` and `fluency`
SCALES = {
    "similarity": (JudgeSpec(judge="chrf"), JudgeSpec(judge="cosine", model=REFERENCE)),
    "coherence": (JudgeSpec(judge="repetition"), JudgeSpec(judge="fluency", model=REFERENCE)),
}
_READ = "read, "


def report() -> str:
    """Return the report."""
    return "\n".join((*_header(), "", *_readers(), "", *_judges(), "", *_errors(), "", *_scales(), ""))


def gold_of(measure: str) -> list[LabelledCompletion]:
    """Return the completions of the gold set that have a label for a measure."""
    return read_gold("pocket", measure)


@cache
def calibration_of(measure: str) -> Agreement:
    """Compare the default judge of a measure with the labels."""
    return calibrate([judge_of(JudgeSpec(judge=DEFAULTS[measure]))], gold_of(measure), measure)


def _header() -> list[str]:
    completions = {(line.prompt, line.completion, line.kind) for measure in DEFAULTS for line in gold_of(measure)}
    n_read = sum(kind.startswith(_READ) for _, _, kind in completions)
    n_made = len(completions) - n_read
    return [
        "# What the pocket suite's judges are worth",
        "",
        "Made by `graftbench judge report` from the gold set, `pocket.jsonl`:",
        f"{n_made} completions whose labels are known by how the text was made (`constructed.py`), and",
        f"{n_read} completions of steered models that were read (`readings.jsonl`). No label comes from a judge.",
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
        figures = readers_agreement(measure)
        same = sum(figures.confusion[i][i] for i in range(len(figures.labels)))
        rows.append((measure, f"{same} of {n}", _words(figures.kappa)))
    return [
        "## The two readers",
        "",
        "Two language models, independently of each other and of every judge, read prompt, completion and reference.",
        "Kappa is Cohen's, on the scales from 0 to 5 with quadratic weights. A label on which they differ is no part",
        "of the gold set.",
        "",
        *_table(("label", "the same", "kappa"), rows),
    ]


def _judges() -> list[str]:
    rows = []
    for measure, judge in DEFAULTS.items():
        figures = calibration_of(measure)
        positive = str(sum(figures.confusion[-1]))
        rows.append((measure, f"`{judge}`", str(figures.n), positive, _words(figures.kappa), _words(figures.auroc)))
    return [
        "## Judges of yes or no",
        "",
        *_table(("measure", "judge", "completions", "of them yes", "kappa", "AUROC"), rows),
    ]


def _errors() -> list[str]:
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
        read = [line for line in gold if line.kind.startswith(_READ)]
        for spec in specs:
            judge = judge_of(spec)
            rows.append((measure, f"`{spec.judge}`", *(_correlation(judge, some, measure) for some in (gold, read))))
    return [
        "## Without an LLM, against the scales from 0 to 5",
        "",
        f"Spearman's correlation with the labels. `cosine` and `fluency` ask `{REFERENCE}`, to which nothing was done.",
        "",
        *_table(("measure", "judge", "all that is labelled", "what was read"), rows),
    ]


def _correlation(judge: Judge, gold: Sequence[LabelledCompletion], measure: str) -> str:
    figures = agreement(gold, judge([line.case for line in gold]), measure)
    unscored = f", {figures.unscored} unscored" if figures.unscored else ""
    return f"{_words(figures.spearman)}, n = {figures.n - figures.unscored}{unscored}"


def _words(figure: CalibrationFigure | None) -> str:
    if figure is None:
        return "-"
    interval = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.value:.2f}{interval}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
