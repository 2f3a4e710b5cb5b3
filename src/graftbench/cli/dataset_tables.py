"""Tables of a dataset: where it comes from, its sizes, its first examples."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from graftbench.benchmark.core.escaping import escape_control
from graftbench.benchmark.data.checking import Check
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.examples import Example, Split
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, PairLine

SPLITS: tuple[Split, ...] = ("fit", "vector", "validation", "test")
_FORMS: dict[str, dict[str, object]] = {
    "examples": {"form": ExampleLine, "shows": True},
    "without it": {"form": ExampleLine, "shows": False},
    "pairs": {"form": PairLine},
    "conversations": {"form": ConversationLine, "general": False},
}
N_EXAMPLES = 5
LONGEST = 300  # characters of a prompt
MAX_TOLD = 20


def print_about(dataset: Dataset, console: Console) -> None:
    """Print title, source, revision, licence and identity."""
    about = dataset.about
    for what, said in (
        ("", about.title),
        ("source", about.source),
        ("revision", about.revision),
        ("licence", about.licence),
    ):
        if said:
            _print(f"{what}: {said}" if what else said, console)


def print_sizes(dataset: Dataset, check: Check, console: Console) -> None:
    """Print the number of lines of each behaviour by split."""
    _print(f"identity: {dataset.identity}", console)
    for name, behaviour in dataset.behaviours.items():
        numbers = {what: _sizes(check, name, **wanted) for what, wanted in _FORMS.items()}
        said = "; ".join(f"{what} {each}" for what, each in numbers.items() if each)
        _print(f"{name} ({behaviour.kind}): {said or 'nothing'}", console)
    general = _sizes(check, "", form=ConversationLine, general=True)
    if general:
        _print(f"conversations of the track general: {general}", console)
    print_sentences("Broken", check.broken, console)


def _sizes(check: Check, name: str, **wanted: object) -> str:
    """Return the numbers of lines by split, such as `96 validation, 144 test`."""
    numbers = {split: check.n(name, split=split, **wanted) for split in SPLITS}
    return ", ".join(f"{n} {split}" for split, n in numbers.items() if n)


def print_examples(dataset: Dataset, console: Console) -> None:
    """Print the first test examples, those of several behaviours in turn."""
    by_behaviour = [(name, dataset.examples(name, "test", N_EXAMPLES)) for name in dataset.behaviours]
    shown = [(name, examples[i]) for i in range(N_EXAMPLES) for name, examples in by_behaviour if i < len(examples)]
    for name, example in shown[:N_EXAMPLES]:
        _print_example(name, example, console)


def _print_example(name: str, example: Example, console: Console) -> None:
    console.print(f"[bold]{escape(name)}[/bold]  cluster {escape(escape_control(_short(example.cluster)))}")
    said = [("prompt", example.prompt.transcript)]
    if example.clean is not None:
        said.append(("clean", f"{example.clean.prompt.transcript}{example.clean.reply}"))
    if example.reference is not None:
        said.append(("reference", example.reference))
    for what, text in said:
        _print(f"  {what:<9} {_short(text)}", console)


def print_sentences(title: str, sentences: Sequence[str], console: Console) -> None:
    """Print sentences under a title, the first of many."""
    if not sentences:
        return
    console.print(f"[bold]{title}[/bold]")
    for sentence in sentences[:MAX_TOLD]:
        _print(f"  {sentence}", console)
    if len(sentences) > MAX_TOLD:
        console.print(f"  and {len(sentences) - MAX_TOLD} more")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _print(text: str, console: Console) -> None:
    console.print(escape_control(text), markup=False, highlight=False, soft_wrap=True)
