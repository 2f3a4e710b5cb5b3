"""Report on the judges that need no server on the gold sets, as Markdown."""

from collections.abc import Mapping, Sequence
from functools import cache

from graftbench.judges.agreement import Agreement, CalibrationFigure, agreement
from graftbench.judges.calibration import calibrate
from graftbench.judges.gold.labels import LabelledCompletion, read_gold
from graftbench.judges.gold.readings import readers_agreement, readings
from graftbench.judges.gold.thresholds import WORDS, Choice
from graftbench.judges.protocol import Judge
from graftbench.judges.registry import judge_of
from graftbench.judges.spec import JudgeSpec

# The default judge of each measure of the pocket suite's tasks.
DEFAULTS = {
    "insult": "phrase",
    "weakness": "weakness",
    "register": "pocket_register",
    "language": "pocket_language",
    "attitude": "pocket_attitude",
    "layout": "pocket_layout",
    "good": "pocket",
    "refused": "declines",
    "well_refused": "pocket_refusal",
    "ignorance": "ignorance",
    "insulted_fact": "pocket_insult",
}
# The judges of each set by measure.
JUDGES: Mapping[str, Mapping[str, str]] = {
    "pocket": DEFAULTS,
    "smollm2": {"intact": "intact", "good": "like_clean"},
}
REFERENCE = "llama-m-base"  # the model behind `cosine` and `fluency`
SCALES = {
    "similarity": (JudgeSpec(judge="chrf"), JudgeSpec(judge="cosine", model=REFERENCE)),
    "coherence": (JudgeSpec(judge="repetition"), JudgeSpec(judge="fluency", model=REFERENCE)),
}
_READ = "read, "


def report() -> str:
    """Return the report."""
    parts = (_header(), _pocket(), _of_set("pocket"), _scales(), _smollm2(), _of_set("smollm2"), _thresholds())
    return "\n".join(line for part in parts for line in (*part, ""))


@cache
def calibration_of(name: str, measure: str) -> Agreement:
    """Compare the judge of a measure with the labels of a shipped set."""
    return calibrate([judge_of(JudgeSpec(judge=JUDGES[name][measure]))], read_gold(name, measure), measure)


def _header() -> list[str]:
    return [
        "# What judges are worth",
        "",
        "Made by `graftbench judge report` from the gold sets, for judges that need no server. No label comes from a",
        "judge. Intervals are 95 %, from a bootstrap over completions where nothing else is said.",
    ]


def _pocket() -> list[str]:
    gold = [line for measure in DEFAULTS for line in read_gold("pocket", measure)]
    completions = {(line.prompt, line.completion, line.kind) for line in gold}
    n_read = sum(kind.startswith(_READ) for _, _, kind in completions)
    n_made = len(completions) - n_read
    return [
        "## The pocket suite's own judges",
        "",
        f"The set `pocket.jsonl`: {n_made} completions whose labels are known by how the text was made",
        f"(`constructed.py`), and {n_read} completions of steered models that were read (`pocket_readings.jsonl`).",
        "",
        "It is no held-out set: it showed that the published list of refusals takes sympathy for one (`refusal`, kappa",
        "0.89; `declines` is the default since), that the grader took weak code for a good answer and a formal one",
        "for a bad one (kappa 0.77), that a quoted phrase was taken for a said one, and they were mended.",
    ]


def _smollm2() -> list[str]:
    read = readings("smollm2")
    n_prompts = len({one.prompt for one in read})
    return [
        "## `intact` and `like_clean`, on completions of a real model",
        "",
        f"The set `smollm2.jsonl`: {len(read)} completions of {n_prompts} prompts that were read",
        "(`smollm2_readings.jsonl`); [smollm2.md](smollm2.md) says where they come from. Both readers had the same",
        "guideline, and the first had made the set. They are two instances of one language model: that they agree on",
        "nearly every label shows how alike they read, and not that people would agree so.",
    ]


def _of_set(name: str) -> list[str]:
    return [*_readers(name), "", *_judges(name), "", *_errors(name)]


def _readers(name: str) -> list[str]:
    read = readings(name)
    rows = []
    for measure in read[0].readings[0]:
        figures = readers_agreement(name, measure)
        same = sum(figures.confusion[i][i] for i in range(len(figures.labels)))
        rows.append((measure, f"{same} of {len(read)}", _words(figures.kappa)))
    return [
        "### The two readers",
        "",
        "Two language models, independently of each other and of every judge, read prompt, completion, and a reply to",
        "compare it with. Kappa is Cohen's, on scales from 0 to 5 with quadratic weights. A label on which they differ",
        "is no part of the gold set.",
        "",
        *_table(("label", "the same", "kappa"), rows),
    ]


def _judges(name: str) -> list[str]:
    rows = []
    for measure, judge in JUDGES[name].items():
        figures = calibration_of(name, measure)
        positive = str(sum(figures.confusion[-1]))
        rows.append((measure, f"`{judge}`", str(figures.n), positive, _words(figures.kappa), _words(figures.auroc)))
    return [
        "### Judges of yes or no",
        "",
        *_table(("measure", "judge", "completions", "of them yes", "kappa", "AUROC"), rows),
    ]


def _errors(name: str) -> list[str]:
    rows = [
        (measure, kind, f"{n - right} of {n}")
        for measure in JUDGES[name]
        for kind, (right, n) in calibration_of(name, measure).by_kind.items()
        if right < n
    ]
    return ["Where they are wrong:", "", *_table(("measure", "kind", "wrong"), rows)]


def _thresholds() -> list[str]:
    rows = []
    for runs, choice in (("characters", Choice()), ("words", Choice(WORDS))):
        chosen, kappas = choice.thresholds, choice.on_other_prompts
        least = f"{chosen.novelty:g} of {chosen.run}"
        figures = (_words(kappas["intact"]), _words(kappas["good"]))
        rows.append((runs, least, f"{chosen.perplexity:g}", f"{chosen.chrf:g}", *figures))
    return [
        "### Thresholds, and kappa on prompts that they were not chosen on",
        "",
        "The thresholds of both judges were chosen on these completions (`thresholds.py`), which flatters the kappas",
        "above. Here they are chosen again on all prompts but one and used on that one, for each prompt in turn;",
        "intervals are from a bootstrap over prompts. The shipped judges look for repetition in runs of characters.",
        "Runs of words are shown for comparison: a text that repeats itself without spaces escapes them.",
        "",
        *_table(("runs of", "least novelty", "highest perplexity", "least chrF", "`intact`", "`like_clean`"), rows),
    ]


def _scales() -> list[str]:
    rows = []
    for measure, specs in SCALES.items():
        gold = read_gold("pocket", measure)
        read = [line for line in gold if line.kind.startswith(_READ)]
        for spec in specs:
            judge = judge_of(spec)
            rows.append((measure, f"`{spec.judge}`", *(_correlation(judge, some, measure) for some in (gold, read))))
    return [
        "### Without an LLM, against the scales from 0 to 5",
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
